//go:build linux

package e2e

import (
	"fmt"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/daemon"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/smtp"
)

func originCases() []testCase {
	return []testCase{
		{name: "origin-ledger", run: originLedger},
		{name: "origin-notice", run: originNotice},
		{name: "origin-other-user", run: originOtherUser},
		{name: "origin-queue-id", run: originQueueID},
		{name: "origin-no-id", only: "postfix", settings: settings{prepare: history{span: 12 * day, alone: true}.write}, run: originNoID},
		{name: "origin-dkim-file", run: originDKIMFile},
		{name: "origin-dkim-dns", run: originDKIMDNS},
		{name: "origin-elsewhere", settings: settings{prepare: history{span: 12 * day, alone: true}.write}, run: originElsewhere},
	}
}

// original is the header of a message that a notification returns.
type original struct {
	from, to, id string
	date         time.Time
	more         string // header fields
}

// forgery is one that claims to be from alice, dated when every message of hers
// was recorded, and is not hers.
func (d *desk) forgery() original {
	return original{from: alice, to: "victim@example.org", id: "forged-" + d.token + "@example.com", date: time.Now().Add(-2 * day)}
}

func (o original) header() string {
	header := o.more + "From: <" + o.from + ">\r\nTo: <" + o.to + ">\r\nSubject: pills\r\nDate: " + o.date.Format(time.RFC1123Z) + "\r\n"
	if o.id != "" {
		header += "Message-ID: <" + o.id + ">\r\n"
	}
	return header
}

// message is the whole of it, as it was sent.
func (o original) message() string { return o.header() + "\r\nHello.\r\n" }

// bounceOf is a notification from another site that returns a header.
func (d *desk) bounceOf(o original) string { return d.bounceReturning(o.to, o.header()) }

func (d *desk) bounceReturning(recipient, header string) string {
	return crlf(fmt.Sprintf(`From: MAILER-DAEMON@mx.example.org
To: alice@example.com
Subject: Undelivered Mail Returned to Sender
Date: %s
Message-ID: <%s@mx.example.org>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_report"

--=_report
Content-Type: text/plain

Your message could not be delivered.

--=_report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; %s
Action: failed
Status: 5.1.1

--=_report
Content-Type: text/rfc822-headers

`, time.Now().Format(time.RFC1123Z), d.token, recipient)) + header + "\r\n--=_report--\r\n"
}

// wantRefused has a message refused at its end for a reason.
func (d *desk) wantRefused(client *smtp.Client, from, to, message, reason string) {
	d.Helper()
	d.want(client.Mail(from), "250")
	d.want(client.Rcpt(to), "250")
	d.want(client.Data(message), "550 5.7.1")
	d.wantVerdict(daemon.Verdict{Client: outsideClient, To: to, Stage: "eom", Action: "reject", Reason: reason, Enforced: true})
}

// wantMarked has a message accepted and wants its mark.
func (d *desk) wantMarked(client *smtp.Client, from, to, message, action, reason, origin string) {
	d.Helper()
	d.send(client, from, to, message)
	d.wantMark(d.claimFor(to), action, reason, origin)
}

// Untagged, but about mail that alice sent: the bounce names its Message-ID, and
// so does a reply by a machine.
func originLedger(d *desk) {
	sent := original{from: alice, to: stranger, id: "sent-" + d.token + "@example.com", date: time.Now()}
	d.send(d.connect(ownClient), alice, stranger, sent.message())
	d.wantSigned(d.claimFor(stranger))
	client := d.connect(outsideClient)
	message := d.bounceOf(sent)
	d.send(client, "", alice, message)
	delivery := d.claimFor(alice)
	d.wantMark(delivery, "accept", "origin-proven", "ledger")
	d.wantBody(delivery, message)
	if v := d.wantVerdict(daemon.Verdict{Client: outsideClient, To: alice, Stage: "eom", Action: "accept", Reason: "origin-proven", Enforced: true}); v.Origin != "ledger" {
		d.Errorf("the log says %+v", v)
	}
	d.wantMarked(client, "", alice, d.outOfOffice("In-Reply-To: <"+sent.id+">\r\n"), "accept", "origin-proven", "ledger")
	d.wantMarked(client, "", alice, d.bounce(), "mark", "tag-missing", "unknown")
	if n, err := d.daemon.Metric(`backscatter_origin_total{evidence="ledger"}`); err != nil || n != 2 {
		d.Errorf("backscatter_origin_total: %v of ledger, %v", n, err)
	}
}

// outOfOffice is a vacation reply with further header fields.
func (d *desk) outOfOffice(more string) string {
	return "From: <bob@example.net>\r\nTo: <alice@example.com>\r\nSubject: Out of office: pills\r\nDate: " + time.Now().Format(time.RFC1123Z) +
		"\r\nMessage-ID: <away-" + d.token + "@example.net>\r\nAuto-Submitted: auto-replied (vacation)\r\n" + more + "\r\nI am out of the office until Monday.\r\n"
}

// A notice that alice's mail program sends by the null sender is hers all the same:
// what a machine says about it is about mail of ours.
func originNotice(d *desk) {
	id := "notice-" + d.token + "@example.com"
	d.send(d.connect(ownClient), "", stranger, "From: <"+alice+">\r\nTo: <"+stranger+">\r\nSubject: On holiday\r\nDate: "+time.Now().Format(time.RFC1123Z)+
		"\r\nMessage-ID: <"+id+">\r\nAuto-Submitted: auto-replied (vacation)\r\n\r\nBack on Monday.\r\n")
	d.claimFor(stranger)
	d.wantMarked(d.connect(outsideClient), "", alice, d.outOfOffice("In-Reply-To: <"+id+">\r\n"), "accept", "origin-proven", "ledger")
}

// The id of a message that alice sent to a public list proves nothing of what
// bob is said to have sent.
func originOtherUser(d *desk) {
	sent := original{from: alice, to: stranger, id: "sent-" + d.token + "@example.com", date: time.Now()}
	d.send(d.connect(ownClient), alice, stranger, sent.message())
	d.wantSigned(d.claimFor(stranger))
	client := d.connect(outsideClient)
	d.wantMarked(client, "", bob, d.bounceOf(sent), "mark", "tag-missing", "unknown")
	d.wantMarked(client, "", alice, d.bounceOf(sent), "accept", "origin-proven", "ledger")
}

// Mail without a Message-ID gets one from the server, with the queue id in it:
// in Sendmail after the milter has seen it, so that only the queue id is on
// record; in Postfix, which does so for sendmail(1), before.
func originQueueID(d *desk) {
	message := original{from: alice, to: stranger, date: time.Now(), more: "X-Token: " + d.token + "\r\n"}.message()
	if d.mta.Name() == "postfix" {
		cmd := d.mta.Submission("alice", "-i", "-f", alice, stranger)
		cmd.Stdin = strings.NewReader(strings.ReplaceAll(message, "\r\n", "\n"))
		if out, err := cmd.CombinedOutput(); err != nil {
			d.Fatalf("sendmail: %v\n%s", err, out)
		}
	} else {
		d.send(d.connect(ownClient), alice, stranger, message)
	}
	delivery := d.claimFor(stranger)
	d.wantSigned(delivery)
	ids := delivery.Fields("Message-ID")
	if len(ids) != 1 {
		d.Fatalf("Message-ID: %q, want one of the server's", ids)
	}
	client := d.connect(outsideClient)
	d.wantMarked(client, "", alice, d.bounceReturning(stranger, delivery.Header()), "accept", "origin-proven", "ledger")
	// The id alone is enough.
	about := original{from: alice, to: stranger, id: strings.Trim(ids[0], "<>"), date: time.Now()}
	d.wantMarked(client, "", alice, d.bounceOf(about), "accept", "origin-proven", "ledger")
	d.wantMarked(client, "", bob, d.bounceOf(about), "mark", "tag-missing", "unknown")
}

// Postfix passes mail of a client on without a Message-ID; a server further on
// may add one. Nothing from that recipient is called foreign then.
func originNoID(d *desk) {
	sent := original{from: alice, to: "victim@example.org", date: time.Now(), more: "X-Token: " + d.token + "\r\n"}
	client := d.connect(outsideClient)
	d.wantRefused(client, "", alice, d.bounceOf(d.forgery()), "origin-foreign")
	d.send(d.connect(ownClient), alice, sent.to, sent.message())
	delivery := d.claimFor(sent.to)
	if ids := delivery.Fields("Message-ID"); len(ids) > 0 {
		d.Errorf("Postfix has added %q", ids)
	}
	d.wantMarked(client, "", alice, d.bounceOf(d.forgery()), "mark", "tag-missing", "unknown")
	other := d.forgery()
	other.to = "other@example.net"
	d.wantRefused(client, "", alice, d.bounceOf(other), "origin-foreign")
}
