//go:build linux

package e2e

import (
	"fmt"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/daemon"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/smtp"
)

// By what is shipped, a site that has recorded its mail for a whole lifetime of
// tags, and sends nowhere else.
var (
	strictByRecord = settings{prepare: history{span: 12 * day, alone: true}.write}
	strictByBoth   = settings{prepare: history{span: 12 * day, alone: true, signed: true}.write}
)

func foreignCases() []testCase {
	return []testCase{
		{name: "foreign-marked", settings: settings{prepare: history{span: 9 * day, alone: true}.write}, run: foreignMarked},
		{name: "foreign-not-alone", settings: settings{prepare: history{span: 12 * day}.write}, run: foreignMarked},
		{name: "foreign-refused", settings: strictByRecord, run: foreignRefused},
		{name: "foreign-all-mail-here", settings: settings{top: "all_mail_here = true", prepare: history{span: 12 * day}.write}, run: foreignRefused},
		{name: "foreign-unknowable", settings: strictByRecord, run: foreignUnknowable},
		{name: "foreign-memo", settings: strictByRecord, run: foreignMemo},
		{name: "foreign-classes", settings: strictByBoth, run: foreignClasses},
		{name: "strict-callout", settings: strictByBoth, run: callout},
		{name: "relayed-for-others", settings: strictByRecord, run: relayedForOthers},
		{name: "foreign-quarantine", settings: settings{tables: "[policy]\norigin-foreign = \"quarantine\"", prepare: history{span: 5 * day}.write}, run: foreignQuarantine},
		{name: "explained", settings: strictByRecord, run: explained},
	}
}

// A bounce of a message that claims to be alice's, dated when hers were recorded,
// and is not on record: it is known to be foreign, and marked until the record
// is old enough, or as long as others may send for the domain.
func foreignMarked(d *desk) {
	client := d.connect(outsideClient)
	message := d.bounceOf(d.forgery())
	d.send(client, "", alice, message)
	delivery := d.claimFor(alice)
	d.wantMark(delivery, "mark", "origin-foreign", "foreign")
	d.wantBody(delivery, message)
	if v := d.wantVerdict(daemon.Verdict{Client: outsideClient, To: alice, Stage: "eom", Action: "mark", Reason: "origin-foreign", Enforced: true}); v.Origin != "foreign" {
		d.Errorf("the log says %+v", v)
	}
}

// Then it is refused, and the sender is told why; what alice sent is not, and
// neither is what bears her tag.
func foreignRefused(d *desk) {
	sent := original{from: alice, to: stranger, id: "sent-" + d.token + "@example.com", date: time.Now()}
	d.send(d.connect(ownClient), alice, stranger, sent.message())
	signed := d.claimFor(stranger)
	client := d.connect(outsideClient)
	d.wantRefused(client, "", alice, d.bounceOf(d.forgery()), "origin-foreign")
	if !strings.Contains(d.transcript.String(), "550 5.7.1 This is about a message that we did not send.") {
		d.Error("the sender is not told why")
	}
	d.wantMarked(client, "", alice, d.bounceOf(sent), "accept", "origin-proven", "ledger")
	d.send(client, "", signed.From.Address, d.bounceOf(d.forgery()))
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
}

// What the record cannot know is not called foreign: an original without an id
// or a date, from before the record or from the future, from somebody else, and
// one that went to a domain that alice has written to.
func foreignUnknowable(d *desk) {
	client := d.connect(outsideClient)
	elsewhere := d.forgery()
	elsewhere.to = "victim@away.example.org" // where history has her write to
	for name, o := range map[string]original{
		"no id":         {from: alice, to: "victim@example.org", date: time.Now().Add(-2 * day)},
		"before":        {from: alice, to: "victim@example.org", id: "x@example.com", date: time.Now().Add(-13 * day)},
		"in the future": {from: alice, to: "victim@example.org", id: "x@example.com", date: time.Now().Add(2 * day)},
		"not ours":      {from: "alice@example.org", to: "victim@example.org", id: "x@example.com", date: time.Now().Add(-2 * day)},
		"a gap":         {from: alice, to: "victim@example.org", id: "x@example.com", date: time.Now()}, // the start of the daemon
		"written to":    elsewhere,
	} {
		d.send(client, "", alice, d.bounceOf(o))
		if mark := d.claimFor(alice).Fields("X-Backscatter"); len(mark) != 1 || !strings.Contains(mark[0], "mark; reason=tag-missing; class=dsn; origin=unknown;") {
			d.Errorf("%s: X-Backscatter %q", name, mark)
		}
	}
	d.wantRefused(client, "", alice, d.bounceOf(d.forgery()), "origin-foreign")
}

// A notification that has an ordinary sender is judged by the same evidence.
func foreignMemo(d *desk) {
	sent := original{from: alice, to: stranger, id: "sent-" + d.token + "@example.com", date: time.Now()}
	d.send(d.connect(ownClient), alice, stranger, sent.message())
	d.claimFor(stranger)
	client := d.connect(outsideClient)
	d.wantRefused(client, "postoffice@example.org", alice, d.memo(d.forgery()), "origin-foreign")
	d.wantMarked(client, "postoffice@example.org", alice, d.memo(sent), "accept", "origin-proven", "ledger")
	d.wantMarked(client, "postoffice@example.org", alice, d.memo(original{}), "mark", "unproven", "unknown")
}

// memo is a non-delivery notice of no standard form that quotes a message.
func (d *desk) memo(o original) string {
	quoted := "--- The message that could not be delivered ---\r\n\r\n" + o.message()
	if o.from == "" {
		quoted = "No copy of your message was kept.\r\n"
	}
	return "From: Mail Delivery System <postoffice@example.org>\r\nTo: <alice@example.com>\r\nSubject: Undeliverable: pills\r\nDate: " + time.Now().Format(time.RFC1123Z) +
		"\r\nMessage-ID: <memo-" + d.token + "@example.org>\r\n\r\nYour message could not be delivered to the following recipients:\r\n\r\n  victim@example.org: 550 5.1.1 user unknown\r\n\r\n" + quoted
}

// Where a domain is strict in every way, what is due without a tag is delivered,
// though it be about a forgery; what only a forgery could have asked for is not.
func foreignClasses(d *desk) {
	client := d.connect(outsideClient)
	forged := d.forgery().header()
	part := func(kind, content string) string { return "--b\r\nContent-Type: " + kind + "\r\n\r\n" + content }
	for _, c := range []struct{ name, to, header, body, want string }{
		{"receipt", alice, "Subject: Read: pills\r\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n",
			part("text/plain", "Your message was displayed.\r\n") + part("message/disposition-notification", "Reporting-UA: mail.example.net; Reader\r\nFinal-Recipient: rfc822;bob@example.net\r\nOriginal-Message-ID: <forged@example.com>\r\nDisposition: manual-action/MDN-sent-manually; displayed\r\n\r\n") +
				part("text/rfc822-headers", forged) + "\r\n--b--\r\n", "accept; reason=receipt; class=receipt; "},
		{"vacation", d.tag(alice), "Subject: Out of office: Minutes\r\nAuto-Submitted: auto-replied (vacation)\r\nIn-Reply-To: <forged@example.com>\r\n", "I am out of the office until Monday.\r\n", "accept; reason=tag-valid; class=unknown; origin=tag; "},
		{"dmarc", alice, "Subject: Report Domain: example.com Submitter: example.net Report-ID: <1@example.net>\r\nContent-Type: multipart/mixed; boundary=b\r\n",
			part("text/plain", "This is a DMARC aggregate report.\r\n") + part("application/gzip; name=\"example.net!example.com!1795219200!1795305599.xml.gz\"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"example.net!example.com!1795219200!1795305599.xml.gz\"", "H4sIAAAAAAAAAwMAAAAAAAAAAAA=\r\n") + "\r\n--b--\r\n", "accept; reason=report; class=report; "},
		{"calendar", alice, "Subject: Accepted: Lunch\r\nContent-Type: text/calendar; method=REPLY; charset=utf-8\r\n",
			"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:1@example.net\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.net\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", "accept; reason=calendar; class=calendar; "},
		{"out-of-office", alice, "Subject: Out of office: pills\r\nAuto-Submitted: auto-replied (vacation)\r\nIn-Reply-To: <forged@example.com>\r\nReferences: <forged@example.com>\r\n", "I am out of the office until Monday.\r\n", "mark; reason=auto-reply; class=auto-reply; "},
		{"challenge", alice, "Subject: Please confirm your message\r\nAuto-Submitted: auto-replied\r\nX-Delivery-Agent: TMDA/1.1.12 (Macallan)\r\nIn-Reply-To: <forged@example.com>\r\n",
			"This message was created automatically by mail delivery software (TMDA).\r\n\r\nYour message attached below is being held because the address has not been verified.\r\nTo release your message for delivery, please send an empty message to the following address, or use your mailer's reply feature.\r\n", ""},
	} {
		message := "From: Somebody <bob@example.net>\r\nTo: <alice@example.com>\r\nDate: " + time.Now().Format(time.RFC1123Z) + "\r\nMessage-ID: <" + d.token + "-" + c.name + "@example.net>\r\nMIME-Version: 1.0\r\n" + c.header + "\r\n" + c.body
		if c.want == "" {
			d.wantRefused(client, "", c.to, message, "challenge")
			continue
		}
		d.send(client, "", c.to, message)
		if mark := d.claimFor(alice).Fields("X-Backscatter"); len(mark) != 1 || !strings.HasPrefix(mark[0], c.want) {
			d.Errorf("%s: X-Backscatter %q, want %q", c.name, mark, c.want)
		}
	}
}

// Mail that passes through us for others, and its bounces: what a forwarder
// rewrote (SRS), what went out through an alias, and what a list of ours sent on.
// None of it is on record as a user's of ours, and none of it is foreign.
func relayedForOthers(d *desk) {
	own, client := d.connect(ownClient), d.connect(outsideClient)
	const outsider = "outsider@example.org"
	date := time.Now().Add(-2 * day)
	// forwarded with the forwarder's own signature
	srs := original{from: outsider, to: "reader@dest.example.org", id: "srs-" + d.token + "@example.org", date: date}
	d.send(own, rewritten, srs.to, srs.message())
	if from := d.claimFor(srs.to).From.Address; from != rewritten {
		d.Errorf("reverse-path <%s>", from)
	}
	srs.more = "Return-Path: <" + rewritten + ">\r\n"
	d.notForeign(client, rewritten, d.bounceOf(srs))
	// forwarded by another host of ours: no record, and yet such mail exists
	srs.to, srs.id = "victim@example.org", "elsewhere-"+srs.id
	d.notForeign(client, rewritten, d.bounceOf(srs))
	// an alias that leads away: the reverse-path is the outsider's, but some
	// servers bounce to whom the message was addressed to, or to its author
	alias := original{from: outsider, to: "news@example.com", id: "alias-" + d.token + "@example.org", date: date}
	d.send(client, outsider, alias.to, alias.message())
	d.claimFor("reader@away.example.org")
	d.notForeign(client, alice, d.bounceOf(alias))
	// a list: the reverse-path is the list's, the author an outsider
	list := original{from: outsider, to: "member@dest.example.org", id: "list-" + d.token + "@example.org", date: date}
	d.send(own, bob, list.to, list.message())
	d.claimFor(list.to)
	list.more = "Return-Path: <" + bob + ">\r\n"
	d.notForeign(client, bob, d.bounceOf(list))
	list.id = "changed-" + d.token + "@dest.example.org" // by a gateway at the member's
	d.notForeign(client, bob, d.bounceOf(list))
	d.wantRefused(client, "", alice, d.bounceOf(d.forgery()), "origin-foreign")
}

// rewritten is a reverse-path as forwarders sign it (SRS), an alias of ours.
const rewritten = "srs0=abcd=xy=example.org=outsider@example.com"

// notForeign has a bounce delivered, not called foreign.
func (d *desk) notForeign(client *smtp.Client, to, message string) {
	d.Helper()
	d.send(client, "", to, message)
	if mark := d.claim().Fields("X-Backscatter"); len(mark) != 1 || strings.Contains(mark[0], "foreign") {
		d.Errorf("X-Backscatter %q", mark)
	}
}

// The postmaster may have foreign ones held instead.
func foreignQuarantine(d *desk) {
	client := d.connect(outsideClient)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(alice), "250")
	d.want(client.Data(d.bounceOf(d.forgery())), "250")
	d.wantVerdict(daemon.Verdict{Client: outsideClient, To: alice, Stage: "eom", Action: "quarantine", Reason: "origin-foreign", Enforced: true})
	if waiting, held, err := d.mta.Queued(); err != nil || waiting != 0 || held != 1 {
		d.Errorf("%d messages in the queue, %d in quarantine, %v; want 0 and 1", waiting, held, err)
	}
	if err := d.mta.Purge(); err != nil {
		d.Error(err)
	}
}

// One message of each kind: what the log says, what stands in X-Backscatter,
// and what explain says of it are the same.
func explained(d *desk) {
	sent := original{from: alice, to: stranger, id: "sent-" + d.token + "@example.com", date: time.Now()}
	d.send(d.connect(ownClient), alice, stranger, sent.message())
	tagged := d.claimFor(stranger).From.Address
	client := d.connect(outsideClient)
	for _, c := range []struct{ name, from, to, message, want string }{
		{"tag", "", tagged, d.bounceOf(d.forgery()), "accept tag-valid unknown tag"},
		{"ledger", "", alice, d.bounceOf(sent), "accept origin-proven dsn ledger"},
		{"forgery", "", alice, d.bounceOf(d.forgery()), "reject origin-foreign dsn foreign"},
		{"nothing", "", alice, d.bounce(), "mark tag-missing dsn unknown"},
		{"vacation", "", alice, d.outOfOffice(""), "mark auto-reply auto-reply unknown"},
		{"memo", "postoffice@example.org", alice, d.memo(d.forgery()), "reject origin-foreign bounce foreign"},
		{"own-memo", "postoffice@example.org", alice, d.memo(sent), "accept origin-proven bounce ledger"},
		{"exempt", "", "postmaster@example.com", d.bounceOf(d.forgery()), "accept exempt unknown unknown"},
	} {
		before, err := d.daemon.Verdicts()
		if err != nil {
			d.Fatal(err)
		}
		d.want(client.Mail(c.from), "250")
		d.want(client.Rcpt(c.to), "250")
		reply := client.Data(c.message)
		told := map[string]string{}
		if reply.Is("250") {
			told["header"] = d.markOf(d.claim())
		} else {
			d.want(reply, "550 5.7.1")
		}
		v := d.verdictAfter(len(before))
		told["log"] = fmt.Sprint(v.Action, " ", v.Reason, " ", v.Class, " ", v.Origin)
		x, err := d.daemon.Explain(outsideClient, c.from, c.to, c.message)
		if err != nil || len(x.Recipients) != 1 {
			d.Fatalf("%s: %+v, %v", c.name, x, err)
		}
		r := x.Recipients[0]
		found := " unknown unknown" // decided at RCPT, whatever else is to be found
		if r.Verdict.Stage == "eom" {
			found = " " + x.Class + " " + r.Origin.Evidence
		} else if r.Verdict.Reason == "tag-valid" {
			found = " unknown tag"
		}
		told["explain"] = r.Verdict.Action + " " + r.Verdict.Reason + found
		for _, row := range r.Rows {
			if row.Decides {
				told["explain's row"] = row.Action + " " + row.Reason + found
			}
		}
		if reply.Is("250") {
			told["explain's header"] = words(x.Verdict.Header + "; id=0")
		} else if said := strings.TrimPrefix(string(reply), "550 5.7.1 "); !strings.HasPrefix(said, strings.TrimPrefix(x.Verdict.Reply, "550 5.7.1 ")) {
			d.Errorf("%s: explain says %q, the server said %q", c.name, x.Verdict.Reply, reply)
		}
		for who, what := range told {
			if what != c.want {
				d.Errorf("%s: the %s says %q, want %q", c.name, who, what, c.want)
			}
		}
	}
}

// markOf is the X-Backscatter header of a delivery: action, reason, class, origin.
func (d *desk) markOf(delivery *smtp.Delivery) string {
	d.Helper()
	fields := delivery.Fields("X-Backscatter")
	if len(fields) != 1 {
		d.Fatalf("X-Backscatter: %q, want one", fields)
	}
	return words(fields[0])
}

func words(mark string) string {
	if parts := markForm.FindStringSubmatch(mark); parts != nil {
		return strings.Join(parts[1:5], " ")
	}
	return mark
}

// verdictAfter waits for the verdict line that follows the first n.
func (d *desk) verdictAfter(n int) daemon.Verdict {
	d.Helper()
	for deadline := time.Now().Add(arrival); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		verdicts, err := d.daemon.Verdicts()
		if err != nil {
			d.Fatal(err)
		}
		if len(verdicts) > n {
			return verdicts[n]
		}
	}
	d.Fatal("no verdict in the log")
	return daemon.Verdict{}
}
