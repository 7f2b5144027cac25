//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/internal/grace"
	"github.com/backscatter-milter/backscatter-milter/internal/store"
)

func graceCases() []testCase {
	return []testCase{
		{name: "zero-configuration", settings: settings{bare: true}, run: zeroConfiguration},
		{name: "strict", settings: settings{top: "all_mail_here = true", prepare: signedFor(12 * 24 * time.Hour)}, run: strict},
		{name: "strict-classes", settings: settings{top: "all_mail_here = true", prepare: signedFor(12 * 24 * time.Hour)}, run: strictClasses},
		{name: "lost-keys", run: lostKeys},
		{name: "not-strict-yet", settings: settings{top: "all_mail_here = true", prepare: signedFor(9 * 24 * time.Hour)}, run: notStrictYet},
	}
}

// With no configuration at all the daemon learns the domain from mail in both
// directions, asks the server whether tagged recipients come home, and then
// signs. It refuses nothing, and says what is missing.
func zeroConfiguration(d *desk) {
	in, out := d.connect(outsideClient), d.connect(ownClient)
	d.send(in, "", alice, d.bounce())
	d.wantNoMark(d.claimFor(alice))
	for range 3 {
		d.send(in, stranger, alice, d.ordinary(stranger, alice))
		d.claimFor(alice)
		d.send(out, alice, stranger, d.ordinary(alice, stranger))
		if from := d.claimFor(stranger).From.Address; from != alice {
			d.Errorf("signed as <%s> before anything is known", from)
		}
	}
	signed := ""
	for deadline := time.Now().Add(15 * time.Second); signed == "" && time.Now().Before(deadline); {
		d.send(out, alice, stranger, d.ordinary(alice, stranger))
		if from := d.claimFor(stranger).From.Address; from != alice {
			signed = from
		}
		time.Sleep(50 * time.Millisecond)
	}
	if v, err := d.daemon.Verify(signed); err != nil || v.Result != "valid" {
		d.Fatalf("signed as <%s>: %+v, %v", signed, v, err)
	}
	d.send(in, "", signed, d.bounce())
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	d.send(in, "", alice, d.bounce())
	d.wantMark(d.claimFor(alice), "mark", "tag-missing", "unknown")
	status, err := d.daemon.Status()
	if err != nil || !strings.Contains(status, "example.com") || !strings.Contains(status, "not strict") || !strings.Contains(status, "missing") {
		d.Errorf("status: %v\n%s", err, status)
	}
}

// signedFor writes the store of a daemon that has signed and recorded all mail of
// example.com for so long, up to now.
func signedFor(span time.Duration) func(t *testing.T, state string) {
	return func(t *testing.T, state string) {
		db, err := store.Open(filepath.Join(state, "state.db"), store.Options{Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		keys, err := batv.CreateKeyFile(filepath.Join(state, "keys.toml"), now.Add(-span))
		if err != nil {
			t.Fatal(err)
		}
		key := grace.KeyID(keys.Keys()[0].ID())
		g, err := grace.New(db.Bucket("grace"), grace.Rules{Lifetime: 10 * 24 * time.Hour}, now.Add(-span))
		if err != nil {
			t.Fatal(err)
		}
		for at := now.Add(-span); at.Before(now); at = at.Add(10 * time.Minute) {
			g.Heartbeat(at)
			g.Signed("example.com", key, at)
			g.Recorded("example.com", at)
		}
		g.Heartbeat(now)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// As shipped, a bounce without a tag is refused once the domain has been
// signing for a whole lifetime: nothing is set but that all mail leaves here.
func strict(d *desk) {
	client := d.connect(outsideClient)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(alice), "250")
	d.want(client.Data(d.bounce()), "550 5.7.1")
	d.send(client, "", d.tag(alice), d.bounce())
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	if v, err := d.daemon.Metric(`backscatter_domain_strict{domain="example.com"}`); err != nil || v != 1 {
		d.Errorf("backscatter_domain_strict: %v, %v", v, err)
	}
}

// What comes without a tag for good reasons is delivered where a domain is
// strict; what a machine asks for mail that it did not get from us is not.
func strictClasses(d *desk) {
	client := d.connect(outsideClient)
	for _, c := range []struct{ class, header, body, want string }{
		{"receipt", "Subject: Read: Minutes\r\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n",
			"--b\r\n\r\nYour message was displayed.\r\n--b\r\nContent-Type: message/disposition-notification\r\n\r\nReporting-UA: mail.example.net; Reader\r\nFinal-Recipient: rfc822;bob@example.net\r\nDisposition: manual-action/MDN-sent-manually; displayed\r\n\r\n--b--\r\n", "accept"},
		{"report", "Subject: FW: complaint\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\r\n",
			"--b\r\n\r\nA complaint.\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: Loop/1.0\r\nVersion: 1\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: x@example.org\r\nSubject: buy\r\n\r\n--b--\r\n", "accept"},
		{"calendar", "Subject: Accepted: Lunch\r\nContent-Type: text/calendar; method=REPLY; charset=utf-8\r\n",
			"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:1@example.net\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.net\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", "accept"},
		{"auto-reply", "Subject: Out of office: Minutes\r\nAuto-Submitted: auto-replied (vacation)\r\n", "I am out of the office until Monday.\r\n", "mark"},
		{"challenge", "Subject: Please confirm your message\r\nAuto-Submitted: auto-replied\r\nX-Delivery-Agent: TMDA/1.1.12 (Macallan)\r\n",
			"This message was created automatically by mail delivery software (TMDA).\r\n\r\nYour message attached below is being held because the address has not been verified.\r\nTo release your message for delivery, please send an empty message to the following address, or use your mailer's reply feature.\r\n", "reject"},
	} {
		message := "From: Somebody <bob@example.net>\r\nTo: <alice@example.com>\r\nDate: Sat, 21 Nov 2026 09:30:00 +0000\r\nMessage-ID: <" + d.token + "-" + c.class + "@example.net>\r\nMIME-Version: 1.0\r\n" + c.header + "\r\n" + c.body
		d.want(client.Mail(""), "250")
		d.want(client.Rcpt(alice), "250")
		if c.want == "reject" {
			d.want(client.Data(message), "550 5.7.1")
			continue
		}
		d.want(client.Data(message), "250")
		mark := d.claimFor(alice).Fields("X-Backscatter")
		if len(mark) != 1 || !strings.HasPrefix(mark[0], c.want+"; reason="+c.class+"; class="+c.class+"; ") {
			d.Errorf("%s: X-Backscatter %q", c.class, mark)
		}
	}
}

// A key file that is gone is not replaced while tags made with it may come
// home: these would be taken for forgeries.
func lostKeys(d *desk) {
	d.send(d.connect(ownClient), alice, stranger, d.ordinary(alice, stranger))
	d.wantSigned(d.claimFor(stranger))
	if err := d.daemon.Terminate(); err != nil {
		d.Fatal(err)
	}
	if err := d.daemon.Wait(20 * time.Second); err != nil {
		d.Fatal(err)
	}
	keys := filepath.Join(d.daemon.State(), "keys.toml")
	if err := os.Rename(keys, keys+".lost"); err != nil {
		d.Fatal(err)
	}
	if err := d.daemon.Start(); err == nil || !strings.Contains(err.Error(), "is gone, and mail signed with its keys may bounce until") {
		d.Errorf("without its keys: %v", err)
	}
	if err := os.Rename(keys+".lost", keys); err != nil {
		d.Fatal(err)
	}
	if err := d.daemon.Start(); err != nil {
		d.Fatal(err)
	}
}

// A day less than a lifetime, and it is marked.
func notStrictYet(d *desk) {
	d.send(d.connect(outsideClient), "", alice, d.bounce())
	d.wantMark(d.claimFor(alice), "mark", "tag-missing", "unknown")
}
