//go:build linux

package e2e

import (
	"fmt"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/daemon"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/rbldnsd"
)

const (
	listedClient = "203.0.113.66"
	ownAddress   = "198.51.100.9" // in public_addresses, where a case has them
	refuseListed = "[policy]\nlisted = \"reject\""
)

// All of these ask the zone that is asked as shipped, by the resolver in
// resolv.conf, and a real rbldnsd answers.
func listCases() []testCase {
	return []testCase{
		{name: "listed-refused", settings: settings{tables: refuseListed}, run: listedRefused},
		{name: "listed-marked", run: listedMarked},
		{name: "listed-strict", settings: settings{top: "all_mail_here = true", prepare: signedFor(12 * 24 * time.Hour)}, run: listedStrict},
		{name: "listed-not-asked", settings: settings{top: `inbound_relays = ["` + backupMX + `"]`, tables: refuseListed}, run: listedNotAsked},
		{name: "listed-edited", settings: settings{tables: refuseListed}, run: listedEdited},
		{name: "listed-ourselves", settings: settings{top: `public_addresses = ["` + ownAddress + `"]`}, run: listedOurselves},
	}
}

// nowListed has the list hold these addresses, until the case ends.
func (d *desk) nowListed(addresses ...string) {
	d.Helper()
	if err := d.list.Serve(addresses...); err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() {
		if err := d.list.Serve(); err != nil {
			d.Error(err)
		}
	})
}

// awaitLog waits until the daemon has logged a text so often, at all its starts.
// A zone that has failed a check has its next one after 10 s.
func (d *desk) awaitLog(text string, times int) {
	d.Helper()
	for deadline := time.Now().Add(2 * arrival); strings.Count(d.daemon.Log(), text) < times; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.Fatalf("the log has %q %d times, want %d", text, strings.Count(d.daemon.Log(), text), times)
		}
	}
}

const (
	zoneUsed    = `"msg":"DNS list is used"`
	zoneNotUsed = `"msg":"DNS list is not used`
)

// wantAsked wants the list to have been asked so often for an address.
func (d *desk) wantAsked(address string, want int) {
	d.Helper()
	if n, err := d.list.Asked(address); err != nil || n != want {
		d.Errorf("the list was asked %d times for %s, %v; want %d", n, address, err, want)
	}
}

// asked is how often the list has been asked for an address until now. Cases
// that went before may have asked, too.
func (d *desk) asked(address string) int {
	d.Helper()
	n, err := d.list.Asked(address)
	if err != nil {
		d.Fatal(err)
	}
	return n
}

// wantListed brings a bounce without a tag and wants it refused for a listing.
func (d *desk) wantListed(from string) {
	d.Helper()
	client := d.connect(from)
	defer client.Close()
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(alice), "250")
	d.want(client.Data(d.bounce()), "550 5.7.1 This host is on a list of hosts that send bounces")
	d.wantVerdict(daemon.Verdict{Client: from, To: alice, Stage: "eom", Action: "reject", Reason: "listed", Enforced: true})
}

// wantUnlisted brings one and wants it delivered, as from any other client.
func (d *desk) wantUnlisted(from string) {
	d.Helper()
	client := d.connect(from)
	defer client.Close()
	d.send(client, "", alice, d.bounce())
	d.wantMark(d.claimFor(alice), "mark", "tag-missing", "unknown")
}

// A listed client's bounces are refused where the policy says so, but not those
// that are proven ours, nor those to postmaster; other clients' are not.
func listedRefused(d *desk) {
	d.awaitLog(zoneUsed, 1)
	d.nowListed(listedClient)
	d.wantListed(listedClient)
	client := d.connect(listedClient)
	d.send(client, "", d.tag(alice), d.bounce())
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	d.send(client, "", "postmaster@example.com", d.bounce())
	d.wantMark(d.claimFor("postmaster@example.com"), "accept", "exempt", "unknown")
	d.wantUnlisted(outsideClient)
	for outcome, want := range map[string]float64{"listed": 1, "not-listed": 1} {
		if v, err := d.daemon.Metric(`backscatter_dnsbl_lookups_total{outcome="` + outcome + `",zone="` + rbldnsd.Zone + `"}`); err != nil || v != want {
			d.Errorf("%v questions %s, %v; want %v", v, outcome, err, want)
		}
	}
}

// As shipped, while no domain is strict, a listing is a reason to mark.
func listedMarked(d *desk) {
	d.awaitLog(zoneUsed, 1)
	d.nowListed(listedClient)
	d.send(d.connect(listedClient), "", alice, d.bounce())
	d.wantMark(d.claimFor(alice), "mark", "listed", "unknown")
	d.wantUnlisted(outsideClient)
}

// As shipped, once a domain is strict, a listing is a reason to refuse: also
// auto-replies, which are marked from anybody else.
func listedStrict(d *desk) {
	d.awaitLog(zoneUsed, 1)
	d.nowListed(listedClient)
	d.wantListed(listedClient)
	client := d.connect(listedClient)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(alice), "250")
	d.want(client.Data(d.vacation()), "550 5.7.1 This host is on a list")
	d.send(client, "", d.tag(alice), d.bounce())
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	d.send(d.connect(outsideClient), "", alice, d.vacation())
	d.wantMark(d.claimFor(alice), "mark", "auto-reply", "unknown")
}

// vacation is an auto-reply from another site.
func (d *desk) vacation() string {
	return crlf(fmt.Sprintf(`From: Bob <bob@example.net>
To: <alice@example.com>
Subject: Out of office: Minutes
Date: Sat, 21 Nov 2026 09:30:00 +0000
Message-ID: <%s-vacation@example.net>
Auto-Submitted: auto-replied (vacation)

I am out of the office until Monday.
`, d.token))
}

// Listed are servers that send good mail, too. Nobody asks about them while
// they do, nor about our own hosts: the questions are counted.
func listedNotAsked(d *desk) {
	d.awaitLog(zoneUsed, 1)
	d.nowListed(listedClient, backupMX, ownClient)
	before := map[string]int{}
	for _, client := range []string{listedClient, backupMX, ownClient} {
		before[client] = d.asked(client)
	}
	client := d.connect(listedClient)
	message := d.ordinary(stranger, alice)
	d.send(client, stranger, alice, message)
	delivery := d.claimFor(alice)
	d.wantNoMark(delivery)
	d.wantBody(delivery, message)
	d.send(client, stranger, d.tag(alice), d.ordinary(stranger, alice))
	d.wantNoMark(d.claimFor(alice))
	d.send(client, stranger, alice, d.vacation()) // a notification with an ordinary sender
	d.wantMark(d.claimFor(alice), "mark", "auto-reply", "unknown")
	d.send(client, stranger, alice, d.bounce())
	d.wantMark(d.claimFor(alice), "mark", "unproven", "unknown")
	d.send(client, "", d.tag(alice), d.bounce())
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	d.send(client, "", "postmaster@example.com", d.bounce())
	d.claimFor("postmaster@example.com")
	d.wantUnlisted(backupMX)
	d.send(d.connect(ownClient), "", stranger, d.bounce()) // our own notification
	d.claimFor(stranger)
	for address, n := range before {
		d.wantAsked(address, n)
	}
	d.wantListed(listedClient)
	d.wantAsked(listedClient, before[listedClient]+1)
}

// The daemon sees that an address was put on the list, and that it was taken
// off, once its last answer is too old (a second, here); before, it does not ask.
func listedEdited(d *desk) {
	d.awaitLog(zoneUsed, 1)
	begun, before := time.Now(), d.asked(listedClient)
	messages := 0
	until := func(listed bool, edit ...string) {
		d.Helper()
		if err := d.list.Edit(edit...); err != nil {
			d.Fatal(err)
		}
		for deadline := time.Now().Add(arrival); ; time.Sleep(50 * time.Millisecond) {
			client := d.connect(listedClient)
			messages++
			reply := firstRefusal(client, "", alice, d.bounce())
			client.Close()
			if !reply.Is("550 5.7.1") {
				d.want(reply, "250")
				d.wantMark(d.claimFor(alice), "mark", "tag-missing", "unknown")
			}
			if reply.Is("550 5.7.1") == listed {
				return
			}
			if time.Now().After(deadline) {
				d.Fatalf("%q, %v after the edit", reply, arrival)
			}
		}
	}
	d.wantUnlisted(listedClient)
	until(true, listedClient)
	until(false)
	until(true, outsideClient, listedClient)
	if err := d.list.Serve(); err != nil {
		d.Fatal(err)
	}
	most := int(time.Since(begun)/time.Second) + 1
	if n := d.asked(listedClient) - before; n < 4 || n > most {
		d.Errorf("%d questions for %d messages, want 4 to %d: one a second", n, messages+1, most)
	}
}

// An address of our own on the list is said in the log, in the metrics and by
// commands, and so is a list that does not answer.
func listedOurselves(d *desk) {
	d.stop()
	d.nowListed(listedClient, ownAddress)
	d.restart()
	const ours = `"msg":"an address of ours is on a DNS list`
	d.awaitLog(ours, 1)
	if !strings.Contains(d.daemon.Log(), `"address":"`+ownAddress+`","zone":"`+rbldnsd.Zone+`"`) {
		d.Error("the log does not name the address and the zone")
	}
	if v, err := d.daemon.Metric(`backscatter_own_addresses_listed{zone="` + rbldnsd.Zone + `"}`); err != nil || v != 1 {
		d.Errorf("backscatter_own_addresses_listed: %v, %v", v, err)
	}
	if status, err := d.daemon.Status(); err != nil || !strings.Contains(status, "LISTS 1 OF OUR OWN ADDRESSES") {
		d.Errorf("status: %v\n%s", err, status)
	}
	d.wantPrinted(0, listedClient+" "+rbldnsd.Zone+": listed, 127.0.0.2, for 1s, by "+d.list.Address().String()+":53", "lookup", listedClient, outsideClient)
	d.wantPrinted(0, outsideClient+" "+rbldnsd.Zone+": not-listed, for 1s", "lookup", listedClient, outsideClient)
	d.wantPrinted(1, "problem: "+ownAddress+": an address of ours is on a DNS list", "check")
	d.wantPrinted(1, "note: DNS list "+rbldnsd.Zone+" answers as it should", "check")
	d.nowListed()
	d.wantPrinted(0, "note: "+ownAddress+" is not on "+rbldnsd.Zone, "check")
	if err := d.daemon.Resolve("nameserver 192.0.2.99\n"); err != nil {
		d.Fatal(err)
	}
	d.wantPrinted(1, listedClient+" "+rbldnsd.Zone+": failed, ", "lookup", listedClient)
	d.wantPrinted(1, "problem: DNS list "+rbldnsd.Zone+" has no say until this is mended: ", "check")
}

// wantPrinted runs a command that asks DNS and wants its exit status and a line
// that begins so.
func (d *desk) wantPrinted(status int, line, command string, args ...string) {
	d.Helper()
	out, exit, err := d.daemon.Asking(command, args...)
	if err != nil {
		d.Fatal(err)
	}
	if exit != status || !strings.Contains("\n"+out, "\n"+line) {
		d.Errorf("%s %v: exit %d, want %d and a line %q…\n%s", command, args, exit, status, line, out)
	}
}
