//go:build linux

package e2e

import (
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/daemon"
)

// refuseMissing has bounces without a tag refused.
const refuseMissing = "[policy]\ntag-missing = \"reject\""

var (
	refuseAtEnd  = settings{tables: refuseMissing}
	refuseAtData = settings{top: `stage = "data"`, tables: refuseMissing}
	refuseAtRcpt = settings{top: `stage = "rcpt"`, tables: refuseMissing}
)

func refusalCases() []testCase {
	return []testCase{
		{name: "forged", run: forged},
		{name: "forged-unproven", run: forgedUnproven},
		{name: "untagged-refused-rcpt", settings: refuseAtRcpt, run: untaggedRefusedAtRcpt},
		{name: "untagged-refused-data", settings: refuseAtData, run: untaggedRefusedAtData},
		{name: "untagged-refused-eom", settings: refuseAtEnd, run: untaggedRefusedAtEnd},
		{name: "expired-refused", settings: refuseAtEnd, run: expiredRefused},
		{name: "callout", settings: refuseAtEnd, run: callout},
		{name: "tempfail", settings: settings{tables: "[policy]\ntag-missing = \"tempfail\""}, run: tempfail},
		{name: "quarantine", settings: settings{tables: "[policy]\ntag-missing = \"quarantine\""}, run: quarantine},
		{name: "discard", settings: settings{tables: "[policy]\ntag-missing = \"discard\""}, run: discard},
	}
}

// A wrong signature is a forgery once tags of the key have come back.
func forged(d *desk) {
	d.bringTagHome()
	client := d.connect(outsideClient)
	d.want(client.Mail(""), "250")
	wrong := d.forge(alice)
	d.want(client.Rcpt(wrong), "550 5.7.1")
	v := d.wantVerdict(daemon.Verdict{Client: outsideClient, To: wrong, Stage: "rcpt", Action: "reject", Reason: "tag-forged", Enforced: true})
	if v.ID == "" {
		d.Error("the verdict has no id")
	}
}

// Before that two hosts may have different keys by mistake: such a recipient
// counts as untagged, and is delivered to all the same.
func forgedUnproven(d *desk) {
	d.send(d.connect(outsideClient), "", d.forge(alice), d.bounce())
	d.wantMark(d.claimFor(alice), "mark", "tag-missing", "unknown")
}

func untaggedRefusedAtRcpt(d *desk) {
	client := d.connect(outsideClient)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(alice), "550 5.7.1")
	d.want(client.Rcpt(d.tag(alice)), "250")
	d.want(client.Data(d.bounce()), "250")
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	d.wantVerdict(daemon.Verdict{Client: outsideClient, To: alice, Stage: "rcpt", Action: "reject", Reason: "tag-missing", Enforced: true})
}

func untaggedRefusedAtData(d *desk) {
	client := d.connect(outsideClient)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(alice), "250")
	d.want(client.Do("DATA"), "550 5.7.1")
	d.wantVerdict(daemon.Verdict{Client: outsideClient, To: alice, Stage: "data", Action: "reject", Reason: "tag-missing", Enforced: true})
	d.want(client.Do("RSET"), "250")
	d.send(client, "", d.tag(alice), d.bounce())
	d.claimFor(alice)
}

func untaggedRefusedAtEnd(d *desk) {
	client := d.connect(outsideClient)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(alice), "250")
	d.want(client.Do("DATA"), "354")
	d.want(client.Content(d.bounce()), "550 5.7.1")
	d.wantVerdict(daemon.Verdict{Client: outsideClient, To: alice, Stage: "eom", Action: "reject", Reason: "tag-missing", Enforced: true})
	d.send(client, "", d.tag(alice), d.bounce())
	d.claimFor(alice)
}

// An expired tag counts as none.
func expiredRefused(d *desk) {
	client := d.connect(outsideClient)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(d.tag(alice, "--at", "2026-01-01")), "250")
	d.want(client.Data(d.bounce()), "550 5.7.1")
}

// Some sites ask whether a sender of ours takes bounces before they accept its
// mail. They ask for the plain address, and must hear yes.
func callout(d *desk) {
	client := d.connect(outsideClient)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(alice), "250")
	d.want(client.Do("RSET"), "250")
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(bob), "250")
	d.want(client.Do("QUIT"), "221")
	client = d.connect(outsideClient)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(nobody), "550 5.1.1")
}

func tempfail(d *desk) {
	client := d.connect(outsideClient)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(alice), "250")
	d.want(client.Data(d.bounce()), "451 4.7.1")
}

// quarantine keeps the message in the server's queue, for the postmaster.
func quarantine(d *desk) {
	client := d.connect(outsideClient)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(alice), "250")
	d.want(client.Rcpt(bob), "250")
	d.want(client.Data(d.bounce()), "250")
	d.wantVerdict(daemon.Verdict{Client: outsideClient, To: alice + "," + bob, Stage: "eom", Action: "quarantine", Reason: "tag-missing", Enforced: true})
	if waiting, held, err := d.mta.Queued(); err != nil || waiting != 0 || held != 1 {
		d.Errorf("%d messages in the queue, %d in quarantine, %v; want 0 and 1", waiting, held, err)
	}
	if err := d.mta.Purge(); err != nil {
		d.Error(err)
	}
}

// discard takes the message and delivers it to nobody.
func discard(d *desk) {
	client := d.connect(outsideClient)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(alice), "250")
	d.want(client.Rcpt(bob), "250")
	d.want(client.Data(d.bounce()), "250")
	d.wantVerdict(daemon.Verdict{Client: outsideClient, To: alice + "," + bob, Stage: "eom", Action: "discard", Reason: "tag-missing", Enforced: true})
}
