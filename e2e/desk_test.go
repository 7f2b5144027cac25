//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/daemon"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/mta"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/smtp"
)

// arrival is how long a delivery may take.
const arrival = 10 * time.Second

// connect opens a connection to the front door from an address and says EHLO.
func (d *desk) connect(from string) *smtp.Client {
	d.Helper()
	door := mta.Front
	if netip.MustParseAddr(from).Is6() {
		door = mta.Front6
	}
	return d.connectTo(door, from)
}

func (d *desk) connectTo(door mta.Door, from string) *smtp.Client {
	d.Helper()
	return d.connectAt(d.mta.Door(door), from)
}

func (d *desk) connectAt(server, from string) *smtp.Client {
	d.Helper()
	client, err := smtp.Dial(from, server, &d.transcript)
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(client.Close)
	d.want(client.Hello(), "250")
	return client
}

// want ends the case unless a reply begins with the codes.
func (d *desk) want(reply smtp.Reply, codes string) {
	d.Helper()
	if !reply.Is(codes) {
		d.Fatalf("reply %q, want %s", reply, codes)
	}
}

// send brings one message to one recipient and wants it accepted.
func (d *desk) send(client *smtp.Client, from, to, message string) {
	d.Helper()
	d.want(client.Mail(from), "250")
	d.want(client.Rcpt(to), "250")
	d.want(client.Data(message), "250")
}

// claim takes the next delivery of the case out of the sink.
func (d *desk) claim() *smtp.Delivery {
	d.Helper()
	delivery, err := d.sink.Claim(d.token, arrival)
	if err != nil {
		d.Fatal(err)
	}
	return delivery
}

// claimFor is claim, for a delivery to one plain address.
func (d *desk) claimFor(address string) *smtp.Delivery {
	d.Helper()
	delivery := d.claim()
	if len(delivery.To) != 1 || delivery.To[0].Address != address {
		d.Fatalf("delivered to %v, want <%s>", delivery.To, address)
	}
	return delivery
}

// tag is an address with a tag of the daemon's. options are those of
// `backscatter-milter sign`.
func (d *desk) tag(address string, options ...string) string {
	d.Helper()
	tagged, err := d.daemon.Sign(address, options...)
	if err != nil {
		d.Fatal(err)
	}
	return tagged
}

// forge is tag with a wrong signature.
func (d *desk) forge(address string) string {
	d.Helper()
	return changeSignature(d.tag(address))
}

// changeSignature changes a tag of the prvs layout in its last digit.
func changeSignature(tagged string) string {
	const last = len("prvs=KDDDSSSSS") // the last hexadecimal digit
	digit := byte('0')
	if tagged[last] == digit {
		digit = '1'
	}
	return tagged[:last] + string(digit) + tagged[last+1:]
}

// bringTagHome lets the daemon see that its key's tags come back: a wrong
// signature is a forgery only after that.
func (d *desk) bringTagHome() {
	d.Helper()
	d.send(d.connect(outsideClient), "", d.tag(alice), d.bounce())
	d.claimFor(alice)
}

// ordinary is a message from a person.
func (d *desk) ordinary(from, to string) string {
	return crlf(fmt.Sprintf(`From: <%s>
To: <%s>
Subject: ordinary mail
Date: Sat, 21 Nov 2026 09:30:00 +0000
Message-ID: <%s@ordinary.example.net>

Hello.
`, from, to, d.token))
}

// bounce is a delivery status notification (RFC 3464) from another site.
func (d *desk) bounce() string {
	return crlf(strings.ReplaceAll(`From: MAILER-DAEMON@mx.example.net
To: alice@example.com
Subject: Undelivered Mail Returned to Sender
Date: Sat, 21 Nov 2026 09:31:00 +0000
Message-ID: <TOKEN@mx.example.net>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_report"

--=_report
Content-Type: text/plain

Your message could not be delivered.

--=_report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; stranger@example.net
Action: failed
Status: 5.1.1

--=_report
Content-Type: text/rfc822-headers

From: alice@example.com
To: stranger@example.net
Subject: ordinary mail
Message-ID: <original@example.com>

--=_report--
`, "TOKEN", d.token))
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// markForm is the X-Backscatter header: action, reason, class, origin, id.
var markForm = regexp.MustCompile(`^([a-z]+); reason=([a-z-]+); class=([a-z-]+); origin=([a-z]+); id=([0-9A-Za-z-]+)$`)

// wantMark wants exactly one X-Backscatter header in a delivery.
func (d *desk) wantMark(delivery *smtp.Delivery, action, reason, origin string) {
	d.Helper()
	fields := delivery.Fields("X-Backscatter")
	if len(fields) != 1 {
		d.Fatalf("X-Backscatter: %q, want one", fields)
	}
	parts := markForm.FindStringSubmatch(fields[0])
	if parts == nil || parts[1] != action || parts[2] != reason || parts[4] != origin {
		d.Errorf("X-Backscatter: %s, want %s; reason=%s; class=…; origin=%s; id=…", fields[0], action, reason, origin)
	}
}

// wantNoMark wants no X-Backscatter header in a delivery.
func (d *desk) wantNoMark(delivery *smtp.Delivery) {
	d.Helper()
	if fields := delivery.Fields("X-Backscatter"); len(fields) > 0 {
		d.Errorf("X-Backscatter: %q, want none", fields)
	}
}

// wantBody wants the body of a message as it was sent, octet for octet.
func (d *desk) wantBody(delivery *smtp.Delivery, message string) {
	d.Helper()
	_, body, _ := strings.Cut(message, "\r\n\r\n")
	if delivery.Body() != body {
		d.Errorf("body %q, want %q", delivery.Body(), body)
	}
}

// wantVerdict waits for a verdict line in the log with these values of client,
// recipients, stage (if it is given), action, reason and enforced.
func (d *desk) wantVerdict(want daemon.Verdict) daemon.Verdict {
	d.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		verdicts, err := d.daemon.Verdicts()
		if err != nil {
			d.Fatal(err)
		}
		for _, v := range verdicts {
			if v.Client == want.Client && v.To == want.To && (want.Stage == "" || v.Stage == want.Stage) &&
				v.Action == want.Action && v.Reason == want.Reason && v.Enforced == want.Enforced {
				return v
			}
		}
		if time.Now().After(deadline) {
			d.Fatalf("no verdict in the log like %+v", want)
		}
	}
}
