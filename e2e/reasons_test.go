//go:build linux

package e2e

import (
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/daemon"
)

// explainedReasons names the page that docs/reasons.md can be put at.
const explainedReasons = `explain_url = "https://example.com/reasons#{reason}"
never_sends = ["bob@example.com"]`

func reasonCases() []testCase {
	return []testCase{
		{name: "never-sends", settings: settings{top: explainedReasons, tables: refuseMissing}, run: neverSends},
		{name: "virus-notice", settings: settings{top: "all_mail_here = true", prepare: signedFor(12 * 24 * time.Hour)}, run: virusNotice},
	}
}

// An address that never writes gets no bounces; other mail it gets. Refusals
// name the page of their reason.
func neverSends(d *desk) {
	client := d.connect(outsideClient)
	d.want(client.Mail(""), "250")
	reply := client.Rcpt(bob) // Sendmail puts the recipient before the text
	d.want(reply, "550 5.7.1")
	if !strings.HasSuffix(string(reply), " This message is not accepted here, see https://example.com/reasons#never-sends") {
		d.Errorf("reply %q", reply)
	}
	d.want(client.Rcpt(alice), "250")
	d.want(client.Data(d.bounce()), "550 5.7.1 This bounce is for a message we did not send, see https://example.com/reasons#tag-missing")
	d.wantVerdict(daemon.Verdict{Client: outsideClient, To: bob, Stage: "rcpt", Action: "reject", Reason: "never-sends", Enforced: true})
	d.send(client, stranger, bob, d.ordinary(stranger, bob))
	d.wantNoMark(d.claimFor(bob))
}

// A virus notice is refused where a domain is strict, and delivered where the
// recipient has a valid tag.
func virusNotice(d *desk) {
	message := crlf(`From: "Content-filter at mx.example.net" <postmaster@example.net>
To: <alice@example.com>
Subject: VIRUS (Eicar-Test-Signature) in mail FROM YOU <alice@example.com>
Date: Sat, 21 Nov 2026 09:30:00 +0000
Message-ID: <` + d.token + `@mx.example.net>

VIRUS ALERT

Our content checker found
    virus: Eicar-Test-Signature
in email presumably from you.
`)
	client := d.connect(outsideClient)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(alice), "250")
	d.want(client.Data(message), "550 5.7.1 We did not send the message that this notice is about.")
	d.wantVerdict(daemon.Verdict{Client: outsideClient, To: alice, Stage: "eom", Action: "reject", Reason: "virus-notice", Enforced: true})
	d.send(client, "", d.tag(alice), message)
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
}
