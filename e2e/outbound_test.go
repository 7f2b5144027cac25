//go:build linux

package e2e

import (
	"regexp"
	"slices"
	"strings"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/mta"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/smtp"
)

func outboundCases() []testCase {
	return []testCase{
		{name: "signed-out", run: signedOut},
		{name: "auth-signed", run: authSigned},
		{name: "submission-signed", run: submissionSigned},
		{name: "local-behind-filter", only: "postfix", settings: settings{top: `inbound_relays = ["127.0.0.1"]`, tables: refuseMissing}, run: localBehindFilter},
		{name: "own-dsn", run: ownDSN},
		{name: "outscatter", only: "postfix", run: outscatter},
		{name: "foreign-tags-out", run: foreignTagsOut},
	}
}

// signedAlice is alice's address with a tag.
var signedAlice = regexp.MustCompile(`^prvs=[0-9]{4}[0-9a-f]{6}=alice@example\.com$`)

// wantSigned wants a delivery with a reverse-path that verifies.
func (d *desk) wantSigned(delivery *smtp.Delivery) {
	d.Helper()
	from := delivery.From.Address
	if !signedAlice.MatchString(from) {
		d.Fatalf("reverse-path <%s>, want it signed", from)
	}
	v, err := d.daemon.Verify(from)
	if err != nil {
		d.Fatal(err)
	}
	if v.Result != "valid" || v.Bare != alice || v.Layout != "prvs" {
		d.Errorf("verify says %+v of <%s>", v, from)
	}
	d.wantNoMark(delivery)
}

// Mail of a client in our network leaves signed; what the sender asked for as
// regards notifications (RFC 3461) leaves with it.
func signedOut(d *desk) {
	client := d.connect(ownClient)
	message := d.ordinary(alice, stranger)
	d.want(client.Mail(alice, "RET=HDRS", "ENVID=QQ314159"), "250")
	d.want(client.Rcpt(stranger, "NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;stranger@example.net"), "250")
	d.want(client.Data(message), "250")
	delivery := d.claimFor(stranger)
	d.wantSigned(delivery)
	d.wantParameters(delivery.From, map[string]string{"RET": "HDRS", "ENVID": "QQ314159"})
	d.wantParameters(delivery.To[0], map[string]string{"NOTIFY": "FAILURE,DELAY", "ORCPT": "rfc822;stranger@example.net"})
	d.wantBody(delivery, message)
	if from := delivery.Fields("From"); len(from) != 1 || from[0] != "<"+alice+">" {
		d.Errorf("From: %q, want it as it was sent", from)
	}
	if n, err := d.daemon.Metric(`backscatter_signed_total{result="signed"}`); err != nil || n != 1 {
		d.Errorf("backscatter_signed_total: %v, %v; want 1", n, err)
	}
}

// wantParameters wants ESMTP parameters at an address of the envelope.
func (d *desk) wantParameters(path smtp.Path, want map[string]string) {
	d.Helper()
	for name, value := range want {
		got := path.Parameters[name]
		if name == "NOTIFY" { // a set: RFC 3461, 4.1
			got, value = sorted(got), sorted(value)
		}
		if !strings.EqualFold(got, value) {
			d.Errorf("<%s> %s=%s, want %s", path.Address, name, got, value)
		}
	}
}

func sorted(list string) string {
	items := strings.Split(list, ",")
	slices.Sort(items)
	return strings.Join(items, ",")
}

// A client anywhere in the world that has authenticated is one of us.
func authSigned(d *desk) {
	client := d.connect(outsideClient)
	d.want(client.AuthPlain(mta.Login, mta.Password), "235")
	d.send(client, alice, stranger, d.ordinary(alice, stranger))
	d.wantSigned(d.claimFor(stranger))
}

// sendmail(1) is one of us, too: cron, scripts, web applications.
func submissionSigned(d *desk) {
	cmd := d.mta.Submission("alice", "-i", "-f", alice, stranger)
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(d.ordinary(alice, stranger), "\r\n", "\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		d.Fatalf("sendmail: %v\n%s", err, out)
	}
	d.wantSigned(d.claimFor(stranger))
}

// A content filter that hands mail back from this machine is an inbound relay at
// 127.0.0.1. Postfix shows sendmail(1) and its own notifications by the same
// address; they are ours all the same: signed, and not judged.
func localBehindFilter(d *desk) {
	submissionSigned(d)
	d.send(d.connect(ownClient), alice, refused, d.ordinary(alice, refused))
	d.wantNoMark(d.claimFor(alice))
}

// When the next server refuses a signed message, our own server's notification
// finds its way to the plain address.
func ownDSN(d *desk) {
	d.send(d.connect(ownClient), alice, refused, d.ordinary(alice, refused))
	delivery := d.claimFor(alice)
	if delivery.From.Address != "" {
		d.Errorf("reverse-path <%s>, want it null", delivery.From.Address)
	}
	if !strings.Contains(delivery.Data, "Content-Type: message/delivery-status") {
		d.Errorf("no delivery status notification:\n%s", delivery.Data)
	}
}

// A server that takes mail and then cannot deliver it reports that to whoever the
// sender seems to be: the daemon counts it, and says once what to mend.
func outscatter(d *desk) {
	client := d.connect(outsideClient)
	for range 2 {
		d.send(client, stranger, smtp.RefusedLocalPart+"@"+mta.Relayed, d.ordinary(stranger, "customer@"+mta.Relayed))
		if delivery := d.claimFor(stranger); delivery.From.Address != "" {
			d.Errorf("reverse-path <%s>, want it null", delivery.From.Address)
		}
	}
	d.send(d.connect(ownClient), alice, refused, d.ordinary(alice, refused)) // to our own user: none
	d.claimFor(alice)
	if n, err := d.daemon.Metric("backscatter_outscatter_total"); err != nil || n != 2 {
		d.Errorf("backscatter_outscatter_total: %v, %v", n, err)
	}
	if log := d.daemon.Log(); strings.Count(log, "our own MTA sends bounces to addresses elsewhere") != 1 {
		d.Errorf("log:\n%s", log)
	}
}

// Tags of other sites are theirs: as recipients of our mail and of our own
// notifications, and as reverse-path of mail that is forwarded through us.
func foreignTagsOut(d *desk) {
	client := d.connect(ownClient)
	for _, foreign := range []string{"prvs=0730576ed6=user@example.org", "btv1==abcdef0123==user@example.org", "msprvs1=18000abcdefg=user@example.org"} {
		d.send(client, "", foreign, d.bounce())
		d.claimFor(foreign)
		d.send(client, foreign, stranger, d.ordinary(foreign, stranger))
		if delivery := d.claimFor(stranger); delivery.From.Address != foreign {
			d.Errorf("reverse-path <%s>, want <%s>", delivery.From.Address, foreign)
		}
	}
}
