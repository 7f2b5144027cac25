//go:build linux

package e2e

import (
	"slices"
	"strings"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/daemon"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/mta"
)

func inboundCases() []testCase {
	return []testCase{
		{name: "restored", run: restored},
		{name: "restored-recipient-map", only: "postfix", run: restoredRecipientMap},
		{name: "restored-any-case", run: restoredAnyCase},
		{name: "ordinary-untouched", settings: refuseAtRcpt, run: ordinaryUntouched},
		{name: "ordinary-to-tag", settings: refuseAtRcpt, run: ordinaryToTag},
		{name: "one-user-in-every-form", run: oneUserInEveryForm},
		{name: "foreign-tags-in", settings: refuseAtRcpt, run: foreignTagsIn},
		{name: "untagged-marked", run: untaggedMarked},
		{name: "exempt-recipient", settings: refuseAtRcpt, run: exemptRecipient},
		{name: "monitor", settings: settings{top: `mode = "monitor"` + "\n" + `stage = "rcpt"`, tables: refuseMissing}, run: monitor},
	}
}

// A bounce of mail we sent comes home to the plain address, and says why it was
// let in. A header that claims to be ours is gone.
func restored(d *desk) {
	client := d.connect(outsideClient)
	tagged := d.tag(alice)
	message := "X-Backscatter: reject; reason=tag-forged; class=dsn; origin=unknown; id=0\r\n" + d.bounce()
	d.want(client.Mail("", "RET=HDRS", "ENVID=QQ314159"), "250")
	d.want(client.Rcpt(tagged, "NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;someone@example.org"), "250")
	d.want(client.Data(message), "250")
	delivery := d.claimFor(alice)
	d.wantParameters(delivery.From, map[string]string{"RET": "HDRS", "ENVID": "QQ314159"})
	parameters := map[string]string{"NOTIFY": "SUCCESS,FAILURE", "ORCPT": "rfc822;someone@example.org"}
	if d.mta.Name() == "sendmail" {
		delete(parameters, "NOTIFY") // its local mailer takes that for itself
	}
	d.wantParameters(delivery.To[0], parameters)
	d.wantMark(delivery, "accept", "tag-valid", "tag")
	d.wantBody(delivery, message)
	v := d.wantVerdict(daemon.Verdict{Client: outsideClient, To: tagged, Stage: "eom", Action: "accept", Reason: "tag-valid", Enforced: true})
	if !strings.HasSuffix(delivery.Fields("X-Backscatter")[0], "id="+v.ID) {
		d.Errorf("X-Backscatter: %q and the log's %q have different ids", delivery.Fields("X-Backscatter"), v.ID)
	}
}

// The other way to let Postfix know tagged recipients: there only the milter
// takes the tag off.
func restoredRecipientMap(d *desk) {
	client := d.connectTo(mta.RecipientMap, outsideClient)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(d.tag(nobody)), "550 5.1.1")
	d.want(client.Rcpt(d.tag(alice), "NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;someone@example.org"), "250")
	d.want(client.Data(d.bounce()), "250")
	delivery := d.claimFor(alice)
	d.wantParameters(delivery.To[0], map[string]string{"NOTIFY": "SUCCESS,FAILURE", "ORCPT": "rfc822;someone@example.org"})
	d.wantMark(delivery, "accept", "tag-valid", "tag")
}

// Some servers change the case of the addresses that they bounce to.
func restoredAnyCase(d *desk) {
	client := d.connect(outsideClient)
	d.send(client, "", strings.ToUpper(d.tag(alice)), d.bounce())
	delivery := d.claim()
	if len(delivery.To) != 1 || !strings.EqualFold(delivery.To[0].Address, alice) {
		d.Errorf("delivered to %v, want <%s>", delivery.To, alice)
	}
	d.wantMark(delivery, "accept", "tag-valid", "tag")
}

// Ordinary mail passes as it came: same body, same headers; only the ones that
// pretend to be ours are missing.
func ordinaryUntouched(d *desk) {
	const forged = "X-Backscatter: accept; reason=tag-valid; class=dsn; origin=tag; id=1"
	kept := []string{
		"Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=  with   spaces",
		"From: Stranger <stranger@example.net>",
		"X-Backscatter-Not: this one stays",
		"To: <alice@example.com>",
		"Message-ID: <" + d.token + "@ordinary.example.net>",
		"Date: Sat, 21 Nov 2026 09:30:00 +0000",
		"X-Folded: one\r\n\ttwo\r\n three",
	}
	header := slices.Concat([]string{forged, forged}, kept[:3], []string{"x-backscatter:\r\n folded"}, kept[3:], []string{forged})
	body := "first\r\n\r\n.\r\n..dots\r\nFrom the start \t \r\n" + strings.Repeat("x", 900) + "\r\nGr\xfc\xdfe\r\n\r\n\r\n"
	message := strings.Join(header, "\r\n") + "\r\n\r\n" + body

	client := d.connect(outsideClient)
	d.want(client.Mail(stranger, "BODY=8BITMIME"), "250")
	d.want(client.Rcpt(alice), "250")
	d.want(client.Data(message), "250")
	delivery := d.claimFor(alice)
	if delivery.From.Address != stranger {
		d.Errorf("reverse-path <%s>, want <%s>", delivery.From.Address, stranger)
	}
	d.wantNoMark(delivery)
	d.wantBody(delivery, message)
	if want := strings.Join(kept, "\r\n") + "\r\n"; !strings.HasSuffix(delivery.Header(), want) {
		d.Errorf("header %q, want it to end in %q", delivery.Header(), want)
	}
}

// Mail to a tagged address that is no bounce is delivered like any other: some
// people answer to the reverse-path. An old tag does not matter then.
func ordinaryToTag(d *desk) {
	client := d.connect(outsideClient)
	for _, tagged := range []string{d.tag(alice), d.tag(alice, "--at", "2026-01-01"), d.forge(alice)} {
		message := d.ordinary(stranger, tagged)
		d.send(client, stranger, tagged, message)
		delivery := d.claimFor(alice)
		d.wantNoMark(delivery)
		d.wantBody(delivery, message)
	}
}

// One user may be named by the plain address and by several tags at once: the
// message comes to that user, and not to nobody, whichever the server holds to
// be the same.
func oneUserInEveryForm(d *desk) {
	tagged, older := d.tag(alice), d.tag(alice, "--at", "2026-01-01")
	client := d.connect(outsideClient)
	for _, recipients := range [][]string{{alice, tagged}, {tagged, alice}, {older, tagged}, {tagged, older, alice}} {
		d.want(client.Mail(stranger), "250")
		for _, r := range recipients {
			d.want(client.Rcpt(r), "250")
		}
		d.want(client.Data(d.ordinary(stranger, alice)), "250")
		delivery := d.claim()
		for _, to := range delivery.To {
			if to.Address != alice {
				d.Errorf("%v: delivered to <%s>", recipients, to.Address)
			}
		}
		if len(delivery.To) != 1 {
			d.Errorf("%v: delivered to %v, want alice once", recipients, delivery.To)
		}
	}
}

// Mail from other sites that sign passes with their tags on.
func foreignTagsIn(d *desk) {
	client := d.connect(outsideClient)
	for _, foreign := range []string{"prvs=0730576ed6=user@example.org", "btv1==abcdef0123==user@example.org"} {
		d.send(client, foreign, alice, d.ordinary(foreign, alice))
		if delivery := d.claimFor(alice); delivery.From.Address != foreign {
			d.Errorf("reverse-path <%s>, want <%s>", delivery.From.Address, foreign)
		}
	}
}

// As shipped, a bounce without a tag is delivered with a mark; a header that
// claims otherwise is gone.
func untaggedMarked(d *desk) {
	message := "X-Backscatter: accept; reason=tag-valid; class=dsn; origin=tag; id=1\r\n" + d.bounce()
	d.send(d.connect(outsideClient), "", alice, message)
	delivery := d.claimFor(alice)
	d.wantMark(delivery, "mark", "tag-missing", "unknown")
	d.wantBody(delivery, message)
	d.wantVerdict(daemon.Verdict{Client: outsideClient, To: alice, Stage: "eom", Action: "mark", Reason: "tag-missing", Enforced: true})
}

// RFC 5321, 4.5.1: postmaster takes mail from everybody.
func exemptRecipient(d *desk) {
	d.send(d.connect(outsideClient), "", "postmaster@example.com", d.bounce())
	d.wantMark(d.claimFor("postmaster@example.com"), "accept", "exempt", "unknown")
}

// In monitor mode nothing is refused, and the log says what would have been.
func monitor(d *desk) {
	client := d.connect(outsideClient)
	d.send(client, "", alice, d.bounce())
	d.claimFor(alice)
	d.wantVerdict(daemon.Verdict{Client: outsideClient, To: alice, Action: "reject", Reason: "tag-missing"})
	d.send(client, "", d.tag(alice), d.bounce())
	d.claimFor(alice)
	d.send(d.connect(ownClient), alice, stranger, d.ordinary(alice, stranger))
	d.wantSigned(d.claimFor(stranger))
}
