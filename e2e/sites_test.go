//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/daemon"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/mta"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/smtp"
)

const (
	backupMX = "198.51.100.25" // in mta.OwnNetwork
	relayed  = "customer@" + mta.Relayed
)

func sitesCases() []testCase {
	behindFilter := settings{top: `inbound_relays = ["127.0.0.1"]`, tables: refuseMissing}
	return []testCase{
		{name: "relayed-domain", settings: refuseAtRcpt, run: relayedDomain},
		{name: "relayed-domain-not-learned", settings: settings{bare: true, tables: refuseMissing}, run: relayedNotLearned},
		{name: "behind-backup-mx", settings: settings{top: `inbound_relays = ["` + backupMX + `"]`, tables: refuseMissing}, run: behindBackupMX},
		{name: "filter-after-milter", only: "postfix", settings: refuseAtEnd, run: filterAfterMilter},
		{name: "filter-before-milter", only: "postfix", settings: behindFilter, run: filterBeforeMilter},
		{name: "filter-between-milters", only: "postfix", settings: behindFilter, run: filterBetweenMilters},
		{name: "filter-trusted", only: "postfix", settings: refuseAtEnd, run: filterTrusted},
		{name: "canonical-senders", only: "postfix", settings: settings{
			tables: "[[domain]]\nname = \"example.com\"\n[domain.batv]\nunsigned_senders = [\"" + bob + "\"]",
		}, run: canonicalSenders},
		{name: "masqueraded-senders", only: "postfix", settings: settings{
			domains: `["example.com", "*.example.com"]`, tables: refuseMissing + `
[[domain]]
name = "quiet.example.com"
[domain.batv]
sign = false
[[domain]]
name = "example.com"
[domain.policy]
tag-missing = "mark"`,
		}, run: masqueradedSenders},
		{name: "smtputf8", only: "postfix", settings: settings{domains: `["example.com", "` + mta.International + `"]`, tables: refuseMissing}, run: smtpUTF8},
		{name: "smtputf8-not-offered", only: "sendmail", run: smtpUTF8NotOffered},
		{name: "many-domains", settings: settings{domains: `["file:state/domains"]`, tables: refuseMissing, prepare: writeDomains}, run: manyDomains},
	}
}

// wantUntouched brings messages for a domain that is not ours, among them what
// would be refused and rewritten if it were.
func (d *desk) wantUntouched() {
	d.Helper()
	client := d.connect(outsideClient)
	for _, to := range []string{relayed, "prvs=0730576ed6=" + relayed, "customer+prvs=0730576ed6@" + mta.Relayed} {
		for _, from := range []string{"", stranger} {
			message := d.bounce()
			d.send(client, from, to, message)
			delivery := d.claimFor(to)
			if delivery.From.Address != from {
				d.Errorf("reverse-path <%s>, want <%s>", delivery.From.Address, from)
			}
			d.wantNoMark(delivery)
			d.wantBody(delivery, message)
		}
	}
	verdicts, err := d.daemon.Verdicts()
	if err != nil {
		d.Fatal(err)
	}
	for _, v := range verdicts {
		if strings.HasSuffix(v.To, mta.Relayed) {
			d.Errorf("judged: %+v", v)
		}
	}
}

// A domain that we are only a backup MX for is not ours to judge.
func relayedDomain(d *desk) { d.wantUntouched() }

// Nor does it become ours by the mail that comes in for it, while the domain
// that we send as does.
func relayedNotLearned(d *desk) {
	in, out := d.connect(outsideClient), d.connect(ownClient)
	for range 3 {
		d.send(in, stranger, relayed, d.ordinary(stranger, relayed))
		d.claimFor(relayed)
		d.send(in, stranger, alice, d.ordinary(stranger, alice))
		d.claimFor(alice)
		d.send(out, alice, relayed, d.ordinary(alice, relayed))
		d.claimFor(relayed)
	}
	d.want(in.Mail(""), "250")
	d.want(in.Rcpt(alice), "250")
	d.want(in.Data(d.bounce()), "550 5.7.1")
	d.wantUntouched()
}

// What a backup MX brings comes from outside, though it stands among our own
// hosts: it is judged, restored, and not signed.
func behindBackupMX(d *desk) {
	d.bringTagHome()
	client := d.connect(backupMX)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(d.forge(alice)), "550 5.7.1")
	d.want(client.Rcpt(alice), "250")
	d.want(client.Data(d.bounce()), "550 5.7.1")
	d.send(client, "", d.tag(alice), d.bounce())
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	d.send(client, stranger, d.tag(alice), d.ordinary(stranger, alice))
	d.wantNoMark(d.claimFor(alice))
	d.send(client, alice, bob, d.ordinary(alice, bob)) // says it is alice
	if delivery := d.claimFor(bob); delivery.From.Address != alice {
		d.Errorf("reverse-path <%s>, want it unsigned", delivery.From.Address)
	}
	d.send(d.connect(ownClient), alice, stranger, d.ordinary(alice, stranger))
	d.wantSigned(d.claimFor(stranger))
}

// filter is a content filter after the queue: what Postfix hands it can be taken
// out and brought back.
func (d *desk) filter(port uint16) *smtp.Sink {
	d.Helper()
	server := netip.MustParseAddrPort(d.mta.Door(mta.Front)).Addr().As4()
	server[3] += 100 // the sink's address
	sink, err := smtp.ListenSink(netip.AddrPortFrom(netip.AddrFrom4(server), port), mta.Domain)
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(sink.Close)
	return sink
}

// bringBack takes a message out of the filter and brings it to a door; the reply
// is that to the message, or the first that is not positive.
func (d *desk) bringBack(filter *smtp.Sink, door mta.Door) smtp.Reply {
	d.Helper()
	held, err := filter.Claim(d.token, arrival)
	if err != nil {
		d.Fatal(err)
	}
	if len(held.To) != 1 {
		d.Fatalf("the filter has a message for %v", held.To)
	}
	return firstRefusal(d.connectTo(door, "127.0.0.1"), held.From.Address, held.To[0].Address, held.Data)
}

// The milter sees mail before the content filter, and not again after it: tags
// come off and reverse-paths are signed once, and the verdict stays.
func filterAfterMilter(d *desk) {
	filter := d.filter(mta.FilterAfter)
	client := d.connectTo(mta.FilteredAfter, outsideClient)
	d.send(client, "", d.tag(alice), d.bounce())
	d.want(d.bringBack(filter, mta.Returned), "250")
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")

	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(alice), "250")
	d.want(client.Data(d.bounce()), "550 5.7.1")

	d.send(client, stranger, alice, d.ordinary(stranger, alice))
	d.want(d.bringBack(filter, mta.Returned), "250")
	d.wantNoMark(d.claimFor(alice))

	d.send(d.connectTo(mta.FilteredAfter, ownClient), alice, stranger, d.ordinary(alice, stranger))
	d.want(d.bringBack(filter, mta.Returned), "250")
	d.wantSigned(d.claimFor(stranger))
}

// The milter sees only what comes back from the filter, which is an inbound
// relay then. The door before the filter leaves the tag on.
func filterBeforeMilter(d *desk) {
	filter := d.filter(mta.FilterBefore)
	client := d.connectTo(mta.FilteredBefore, outsideClient)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(d.tag(nobody)), "550 5.1.1")
	d.want(client.Do("RSET"), "250")

	d.send(client, "", d.tag(alice), d.bounce())
	d.want(d.bringBack(filter, mta.ReturnedJudged), "250")
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")

	d.send(client, "", alice, d.bounce())
	d.want(d.bringBack(filter, mta.ReturnedJudged), "550 5.7.1")

	d.send(client, alice, bob, d.ordinary(alice, bob)) // says it is alice
	d.want(d.bringBack(filter, mta.ReturnedJudged), "250")
	if delivery := d.claimFor(bob); delivery.From.Address != alice {
		d.Errorf("reverse-path <%s>, want it unsigned", delivery.From.Address)
	}
}

// Asked on both sides of the filter, the milter meets bounces without their tags
// the second time. With the filter as an inbound relay genuine ones are refused
// then, which is why check warns of that.
func filterBetweenMilters(d *desk) {
	filter := d.filter(mta.FilterAfter)
	d.send(d.connectTo(mta.FilteredAfter, outsideClient), "", d.tag(alice), d.bounce())
	d.want(d.bringBack(filter, mta.ReturnedJudged), "550 5.7.1")
}

// Where the filter counts as one of us, as this machine does by itself, nothing
// is lost or signed twice; but mail from outside that claims to be ours becomes
// signed.
func filterTrusted(d *desk) {
	filter := d.filter(mta.FilterAfter)
	outside, own := d.connectTo(mta.FilteredAfter, outsideClient), d.connectTo(mta.FilteredAfter, ownClient)
	d.send(outside, "", d.tag(alice), d.bounce())
	d.want(d.bringBack(filter, mta.ReturnedJudged), "250")
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	d.send(own, alice, stranger, d.ordinary(alice, stranger))
	d.want(d.bringBack(filter, mta.ReturnedJudged), "250")
	d.wantSigned(d.claimFor(stranger))
	d.send(outside, alice, bob, d.ordinary(alice, bob)) // says it is alice
	d.want(d.bringBack(filter, mta.ReturnedJudged), "250")
	d.wantSigned(d.claimFor(bob))
}

// lotOfDomains is more than most sites have.
const lotOfDomains = 10_000

func domainNumber(i int) string { return fmt.Sprintf("customer%d.example.net", i) }

func writeDomains(t *testing.T, state string) {
	var list strings.Builder
	for i := range lotOfDomains {
		fmt.Fprintln(&list, domainNumber(i))
	}
	list.WriteString("example.com # and this one\n")
	if err := os.WriteFile(filepath.Join(state, "domains"), []byte(list.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Ten thousand domains are no burden.
func manyDomains(d *desk) {
	d.stop()
	began := time.Now()
	d.restart()
	took := time.Since(began)
	client := d.connect(ownClient)
	for _, i := range []int{0, lotOfDomains - 1} {
		from := "user@" + domainNumber(i)
		d.send(client, from, stranger, d.ordinary(from, stranger))
		signed := d.claimFor(stranger).From.Address
		if v, err := d.daemon.Verify(signed); err != nil || v.Result != "valid" || v.Bare != from {
			d.Errorf("reverse-path <%s>: %+v, %v", signed, v, err)
		}
	}
	d.send(client, alice, stranger, d.ordinary(alice, stranger))
	d.wantSigned(d.claimFor(stranger))
	d.send(d.connect(outsideClient), "", d.tag(alice), d.bounce())
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	d.wantVerdict(daemon.Verdict{Client: outsideClient, To: d.tag(alice), Action: "accept", Reason: "tag-valid", Enforced: true})
	peak, err := d.daemon.PeakMemory()
	if err != nil {
		d.Fatal(err)
	}
	d.Logf("started in %v, at most %d MiB", took, peak>>20)
	if took > 5*time.Second || peak > 128<<20 {
		d.Errorf("started in %v with %d octets of memory", took, peak)
	}
}

// A canonical map that knows senders by their full address does not know the
// signed ones: the reverse-path is as if there were no map, and bounces come
// home. For senders that are not signed the map works as ever.
func canonicalSenders(d *desk) {
	client := d.connectTo(mta.Canonical, ownClient)
	d.send(client, alice, stranger, d.ordinary(alice, stranger))
	delivery := d.claimFor(stranger)
	d.wantSigned(delivery)
	d.send(d.connect(outsideClient), "", delivery.From.Address, d.bounce())
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	d.send(client, bob, stranger, d.ordinary(bob, stranger))
	if from := d.claimFor(stranger).From.Address; from != "bob.smith@example.com" {
		d.Errorf("reverse-path <%s>, want it mapped", from)
	}
}

// Masquerading strips the host from signed senders, and the signature no longer
// fits: hosts below masquerade_domains must not be signed for. Their bounces come
// home to the domain itself, untagged.
func masqueradedSenders(d *desk) {
	client := d.connectTo(mta.Masquerade, ownClient)
	leavesAs := func(from string) string {
		d.send(client, from, stranger, d.ordinary(from, stranger))
		return d.claimFor(stranger).From.Address
	}
	broken := leavesAs("alice@host.example.com")
	if v, err := d.daemon.Verify(broken); err != nil || !signedAlice.MatchString(broken) || v.Result != "forged" {
		d.Errorf("reverse-path <%s>: %+v, %v; want the host stripped and the signature wrong", broken, v, err)
	}
	if from := leavesAs("alice@quiet.example.com"); from != alice {
		d.Errorf("reverse-path <%s>, want <%s>", from, alice)
	}
	d.send(d.connect(outsideClient), "", alice, d.bounce())
	d.wantMark(d.claimFor(alice), "mark", "tag-missing", "unknown")
	from := leavesAs(alice)
	if v, err := d.daemon.Verify(from); err != nil || v.Result != "valid" {
		d.Errorf("reverse-path <%s>: %+v, %v", from, v, err)
	}
}

// Internationalized addresses (RFC 6531) are signed and restored as they are; a
// domain in U-labels and in A-labels is one.
func smtpUTF8(d *desk) {
	const joerg = "jörg@" + mta.International
	out, in := d.connectTo(mta.Anybody, ownClient), d.connectTo(mta.Anybody, outsideClient)
	bring := func(client *smtp.Client, from, to, message string) *smtp.Delivery {
		d.Helper()
		d.want(client.Mail(from, "SMTPUTF8"), "250")
		d.want(client.Rcpt(to), "250")
		d.want(client.Data(message), "250")
		return d.claimFor(to)
	}
	for _, from := range []string{joerg, "jörg@example.com", "alice@" + mta.International, "alice@" + mta.InternationalASCII, "\"jö rg\"@example.com"} {
		for _, to := range []string{stranger, "grüße@example.net", "user@grüße.example.net"} {
			delivery := bring(out, from, to, d.ordinary(from, to))
			if v, err := d.daemon.Verify(delivery.From.Address); err != nil || v.Result != "valid" || v.Bare != from {
				d.Errorf("from <%s> to <%s>: reverse-path <%s>: %+v, %v", from, to, delivery.From.Address, v, err)
			}
		}
	}
	for _, to := range []string{joerg, "jörg@example.com", "alice@" + mta.International} {
		tagged := d.tag(to)
		for _, from := range []string{"", stranger, "grüße@example.net"} {
			d.want(in.Mail(from, "SMTPUTF8"), "250")
			d.want(in.Rcpt(tagged), "250")
			d.want(in.Data(d.bounce()), "250")
			delivery := d.claimFor(to)
			if delivery.From.Address != from {
				d.Errorf("reverse-path <%s>, want <%s>", delivery.From.Address, from)
			}
			if from == "" {
				d.wantMark(delivery, "accept", "tag-valid", "tag")
			}
		}
		d.want(in.Mail("", "SMTPUTF8"), "250")
		d.want(in.Rcpt(to), "250")
		d.want(in.Data(d.bounce()), "550 5.7.1")
	}
	// A hop on the way back may have written the domain in A-labels.
	tag, _, _ := strings.Cut(d.tag("alice@"+mta.International), "@")
	d.send(in, "", tag+"@"+mta.InternationalASCII, d.bounce())
	d.wantMark(d.claimFor("alice@"+mta.InternationalASCII), "accept", "tag-valid", "tag")
}

// Debian's Sendmail does not offer SMTPUTF8. Such addresses pass as they come
// all the same, and so they do with a tag; users of that kind are unknown with a
// tag as they are without.
func smtpUTF8NotOffered(d *desk) {
	const joerg, moeller = "jörg@example.com", "möller@example.net" // not ß, which it refuses itself
	client := d.connect(ownClient)
	if reply := client.Hello(); strings.Contains(string(reply), "SMTPUTF8") {
		d.Fatalf("EHLO: %q", reply)
	}
	for from, to := range map[string]string{joerg: stranger, alice: moeller} {
		d.send(client, from, to, d.ordinary(from, to))
		delivery := d.claimFor(to)
		if v, err := d.daemon.Verify(delivery.From.Address); err != nil || v.Result != "valid" || v.Bare != from {
			d.Errorf("from <%s> to <%s>: reverse-path <%s>: %+v, %v", from, to, delivery.From.Address, v, err)
		}
	}
	client = d.connect(outsideClient)
	d.send(client, moeller, d.tag(alice), d.ordinary(moeller, alice))
	if delivery := d.claimFor(alice); delivery.From.Address != moeller {
		d.Errorf("reverse-path <%s>, want <%s>", delivery.From.Address, moeller)
	}
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(joerg), "550 5.1.1")
	d.want(client.Rcpt(d.tag(joerg)), "550 5.1.1")
}
