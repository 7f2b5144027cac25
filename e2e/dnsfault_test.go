//go:build linux

package e2e

import (
	"fmt"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/daemon"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/rbldnsd"
)

func listFaultCases() []testCase {
	return []testCase{
		{name: "dns-turns-bad", run: dnsTurnsBad},
		{name: "dns-bad-from-start", run: dnsBadFromStart},
		{name: "dns-odd-but-right", run: dnsOddButRight},
		{name: "dns-resolv-conf", settings: settings{tables: refuseListed}, run: dnsResolvConf},
	}
}

// Clients that list no honest server knows of, but for the first.
const (
	firstClient  = "203.0.113.101"
	secondClient = "203.0.113.102"
	thirdClient  = "203.0.113.103"
)

// badZone is a zone of the case's own, whose only server misbehaves in one way.
type badZone struct {
	*mtatest.DNS
	fault mtatest.Fault
	name  string
}

// badZones starts a server for each fault. All list the first client.
func (d *desk) badZones(faults ...mtatest.Fault) []badZone {
	d.Helper()
	var zones []badZone
	for _, fault := range faults {
		name := strings.ToLower(strings.ReplaceAll(fault.String(), " ", "-")) + ".example.org"
		server, err := mtatest.ListenDNS("127.0.0.1:0", name)
		if err != nil {
			d.Fatal(err)
		}
		d.Cleanup(func() { _ = server.Close() })
		server.List(firstClient)
		zones = append(zones, badZone{server, fault, name})
	}
	return zones
}

// ask has the daemon ask these zones, anew, and refuse for a listing.
func (d *desk) ask(zones []badZone, more string) {
	d.Helper()
	tables := refuseListed
	for _, z := range zones {
		tables += fmt.Sprintf("\n[[dnsbl]]\nzone = %q\nresolvers = [%q]\n%s\n", z.name, z.Addr(), more)
	}
	if err := d.daemon.Configure(d.config(settings{tables: tables})); err != nil {
		d.Fatal(err)
	}
	if err := d.daemon.Reload(); err != nil {
		d.Fatal(err)
	}
}

// misbehave has all servers begin with their faults, or end them.
func misbehave(zones []badZone, bad bool) {
	for _, z := range zones {
		if bad {
			z.SetFault(z.fault)
		} else {
			z.SetFault(mtatest.NoFault)
		}
	}
}

// wantAskedAll wants every zone's server to have been asked for an address, at
// least once or never.
func (d *desk) wantAskedAll(zones []badZone, address string, asked bool) {
	d.Helper()
	for _, z := range zones {
		if n := z.Asked(address); (n > 0) != asked {
			d.Errorf("%s: asked %d times for %s", z.name, n, address)
		}
	}
}

// wantOutcome wants the metrics to have counted so many questions to a zone.
func (d *desk) wantOutcome(zone, outcome string, want float64) {
	d.Helper()
	sample := `backscatter_dnsbl_lookups_total{outcome="` + outcome + `",zone="` + zone + `"}`
	if v, err := d.daemon.Metric(sample); err != nil || v != want {
		d.Errorf("%s %v, %v; want %v", sample, v, err, want)
	}
}

// quick is what a message may take that waits for no zone, and late what one may
// take that waits for 2 s: both far more than they need on a machine at rest.
const (
	quick = 1500 * time.Millisecond
	late  = 3500 * time.Millisecond
)

// within wants something done in time.
func (d *desk) within(limit time.Duration, what string, do func()) {
	d.Helper()
	begun := time.Now()
	do()
	took := time.Since(begun)
	d.Logf("%s: %v", what, took.Round(time.Millisecond))
	if took > limit {
		d.Errorf("%s took %v, more than %v", what, took, limit)
	}
}

// Zones that were well all turn bad at once, each in a way of its own. The one
// message that finds this out waits for 2 s and is delivered, although all of
// them had listed its client; the next one waits for nothing, since nobody is
// asked. When the servers are well again, they are found to be, and asked again.
func dnsTurnsBad(d *desk) {
	outcomes := map[mtatest.Fault]string{
		mtatest.Silent: "timeout", mtatest.ServFail: "failed", mtatest.Refusing: "failed", mtatest.CutShort: "failed",
		mtatest.TCPSilent: "timeout", mtatest.WrongID: "timeout", mtatest.WrongName: "failed", mtatest.WrongType: "failed",
		mtatest.OtherPort: "timeout", mtatest.OverQuota: "invalid", mtatest.Parked: "invalid", mtatest.ParkedAmong: "invalid",
		mtatest.AliasLoop: "failed", mtatest.AliasNowhere: "failed", mtatest.Referral: "failed", mtatest.Garbage: "failed",
		mtatest.Noise: "timeout", mtatest.Stub: "failed",
	}
	var faults []mtatest.Fault
	for _, fault := range mtatest.Faults() {
		if outcomes[fault] != "" {
			faults = append(faults, fault)
		}
	}
	zones := d.badZones(append(faults, mtatest.NoFault)...)
	gone := zones[len(faults)] // nobody will listen any more
	d.ask(zones, "")
	d.awaitLog(zoneUsed, 1+len(zones))
	time.Sleep(1100 * time.Millisecond) // just after a check, a failure is not worth another
	misbehave(zones, true)
	if err := gone.Close(); err != nil {
		d.Fatal(err)
	}
	first, second := d.connect(firstClient), d.connect(secondClient)
	d.within(late, "the message that finds out", func() { d.send(first, "", alice, d.bounce()) })
	d.within(quick, "the next message", func() { d.send(second, "", alice, d.bounce()) })
	for range 2 {
		d.wantMark(d.claimFor(alice), "mark", "tag-missing", "unknown")
	}
	d.wantAskedAll(zones[:len(faults)], firstClient, true)
	d.wantAskedAll(zones, secondClient, false)
	for _, z := range zones[:len(faults)] {
		d.wantOutcome(z.name, outcomes[z.fault], 1)
		d.wantOutcome(z.name, "unhealthy", 1)
	}
	d.wantOutcome(gone.name, "failed", 1)
	d.awaitLog(zoneNotUsed, len(zones))

	misbehave(zones, false)
	d.awaitLog(zoneUsed, 1+len(zones)+len(faults))
	d.wantListed(firstClient)
	d.wantUnlisted(thirdClient)
	d.wantAskedAll(zones[:len(faults)], thirdClient, true)
	d.wantAskedAll(zones[len(faults):], thirdClient, false)
}

// Zones that are bad when the daemon begins to ask them are never asked about a
// client, list whom they like, and the daemon says why. A reload that changes how
// they are asked has them looked at again at once.
func dnsBadFromStart(d *desk) {
	right := map[mtatest.Fault]bool{mtatest.TooLong: true, mtatest.Giant: true, mtatest.Alias: true, mtatest.NoSOA: true}
	var faults []mtatest.Fault
	for _, fault := range mtatest.Faults() {
		if !right[fault] {
			faults = append(faults, fault)
		}
	}
	zones := d.badZones(faults...)
	misbehave(zones, true)
	client := d.connect(firstClient)
	d.ask(zones, "")
	d.within(quick, "a message during the first check", func() { d.send(client, "", alice, d.bounce()) })
	d.awaitLog(zoneNotUsed, len(zones))
	d.within(quick, "a message after it", func() { d.send(client, "", alice, d.bounce()) })
	for range 2 {
		d.wantMark(d.claimFor(alice), "mark", "tag-missing", "unknown")
	}
	d.wantAskedAll(zones, firstClient, false)
	status, err := d.daemon.Status()
	if err != nil {
		d.Fatal(err)
	}
	for _, z := range zones {
		if !strings.Contains(status, z.name+" NOT USED: ") {
			d.Errorf("status does not say that %s is not used:\n%s", z.name, status)
		}
	}
	if !strings.Contains(status, "lists-all.example.org NOT USED: it lists 127.0.0.1, as no list does") {
		d.Errorf("status does not say why:\n%s", status)
	}
	misbehave(zones, false)
	d.ask(zones, `timeout = "1900ms"`)
	d.awaitLog(zoneUsed, 1+len(zones))
	d.wantListed(firstClient)
}

// What is unusual but right is understood: an answer cut short by UDP is had by
// TCP.
func dnsOddButRight(d *desk) {
	zones := d.badZones(mtatest.TooLong, mtatest.Giant, mtatest.Alias, mtatest.NoSOA)
	misbehave(zones, true)
	d.ask(zones, "")
	d.awaitLog(zoneUsed, 1+len(zones))
	d.wantListed(firstClient)
	d.wantUnlisted(secondClient)
	for _, z := range zones {
		d.wantOutcome(z.name, "listed", 1)
		d.wantOutcome(z.name, "not-listed", 1)
		if n, byTCP := z.Counts().TCP, z.fault == mtatest.TooLong || z.fault == mtatest.Giant; (n > 0) != byTCP {
			d.Errorf("%s: %d questions by TCP", z.name, n)
		}
	}
}

// A resolver where nobody listens, no resolv.conf at all, and an odd one: mail
// passes, and what can be read of the odd one is used.
func dnsResolvConf(d *desk) {
	d.awaitLog(zoneUsed, 1)
	d.nowListed(firstClient)
	for _, c := range []struct{ text, logged string }{
		{"nameserver 192.0.2.99\n", "connection refused"},
		{daemon.NoResolvConf, "/etc/resolv.conf: no such file"},
		{"options rotate\nnameserver\nnameserver dns.example.org\n", `is no address`},
	} {
		d.resolve(c.text)
		d.within(quick, fmt.Sprintf("a message with %q", c.text), func() { d.wantUnlisted(firstClient) })
		d.awaitLog(c.logged, 1)
		if status, err := d.daemon.Status(); err != nil || !strings.Contains(status, rbldnsd.Zone+" NOT USED: ") {
			d.Errorf("%q: status: %v\n%s", c.text, err, status)
		}
	}
	d.resolve("# by hand\r\nsearch example.com\r\noptions timeout:30 attempts:9\nnameserver not-an-address\n\tnameserver  " + d.list.Address().String() + " # ours\n\n")
	d.awaitLog(zoneUsed, 2)
	d.wantListed(firstClient)
}

// resolve starts the daemon again with another /etc/resolv.conf.
func (d *desk) resolve(text string) {
	d.Helper()
	d.stop()
	if err := d.daemon.Resolve(text); err != nil {
		d.Fatal(err)
	}
	d.restart()
}
