//go:build linux

package e2e

import "github.com/backscatter-milter/backscatter-milter/e2e/internal/daemon"

func recipientCases() []testCase {
	return []testCase{
		{name: "tagged-unknown", run: taggedUnknown},
		{name: "two-recipients-tagged-first", settings: refuseAtEnd, run: taggedFirst},
		{name: "two-recipients-untagged-first", settings: refuseAtEnd, run: untaggedFirst},
		{name: "two-recipients-alike", run: recipientsAlike},
	}
}

// A tag makes nobody a user: the server refuses, as it does without a tag.
func taggedUnknown(d *desk) {
	client := d.connect(outsideClient)
	for _, from := range []string{"", stranger} {
		d.want(client.Mail(from), "250")
		d.want(client.Rcpt(nobody), "550 5.1.1")
		d.want(client.Rcpt(d.tag(nobody)), "550 5.1.1")
		d.want(client.Rcpt(d.forge(nobody)), "550 5.1.1")
		d.want(client.Do("RSET"), "250")
	}
}

// A proven and an unproven recipient are kept apart: the second one is to come
// in a transaction of its own, where it meets its own fate.
func taggedFirst(d *desk) {
	client := d.connect(outsideClient)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(d.tag(alice)), "250")
	d.want(client.Rcpt(bob), "452 4.5.3")
	d.want(client.Data(d.bounce()), "250")
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	d.wantVerdict(daemon.Verdict{Client: outsideClient, To: bob, Stage: "rcpt", Action: "tempfail", Reason: "many-recipients", Enforced: true})

	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(bob), "250")
	d.want(client.Data(d.bounce()), "550 5.7.1")
}

func untaggedFirst(d *desk) {
	client := d.connect(outsideClient)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(bob), "250")
	d.want(client.Rcpt(d.tag(alice)), "452 4.5.3")
	d.want(client.Data(d.bounce()), "550 5.7.1")

	d.send(client, "", d.tag(alice), d.bounce())
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
}

// Recipients with the same fate stay together.
func recipientsAlike(d *desk) {
	client := d.connect(outsideClient)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(d.tag(alice)), "250")
	d.want(client.Rcpt(d.tag(bob)), "250")
	d.want(client.Data(d.bounce()), "250")
	got := map[string]bool{}
	for len(got) < 2 {
		delivery := d.claim()
		d.wantMark(delivery, "accept", "tag-valid", "tag")
		for _, to := range delivery.To {
			if got[to.Address] {
				d.Fatalf("delivered to <%s> twice", to.Address)
			}
			got[to.Address] = true
		}
	}
	if !got[alice] || !got[bob] {
		d.Errorf("delivered to %v", got)
	}
}
