//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/daemon"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/mta"
)

// mixedAlice is alice as people and programs write her, too.
const mixedAlice = "Alice@Example.COM"

// sharedSecret gives the daemon the key that Exim has, and a lifetime as short
// as Exim's, which cannot be set: Exim reads a longer one right as well, but for
// some days of every thousand.
var sharedSecret = settings{lifetime: "7d", prepare: func(t *testing.T, state string) {
	key := fmt.Sprintf("[[key]]\nnumber = %d\nsecret = %q\nsigning = true\n", mta.EximKey, "text:"+mta.Secret)
	if err := os.WriteFile(filepath.Join(state, "keys.toml"), []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
}}

func eximCases() []testCase {
	return []testCase{
		{name: "exim-signs", settings: sharedSecret, run: eximSigns},
		{name: "exim-verifies", settings: sharedSecret, run: eximVerifies},
		{name: "exim-addresses", settings: sharedSecret, run: eximAddresses},
	}
}

// exim starts a second server of the site, one without the milter.
func (d *desk) exim() *mta.Exim {
	d.Helper()
	b, err := box.New("exim", here.Packages["exim"])
	if err != nil {
		d.Fatal(err)
	}
	server, err := mta.StartExim(b, netip.AddrFrom4([4]byte{192, 0, 2, 10 + d.number}), d.sinkAt)
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() {
		server.Stop()
		if d.Failed() {
			d.Logf("log of exim:\n%s", server.Log())
		}
	})
	return server
}

// What Exim signs comes home through the milter, in lower case and as it was
// typed, and its forgeries do not.
func eximSigns(d *desk) {
	exim := d.exim()
	own, outside := d.connectAt(exim.Address(), ownClient), d.connect(outsideClient)
	for _, sender := range []string{alice, mixedAlice} {
		d.send(own, sender, stranger, d.ordinary(sender, stranger))
		signed := d.claimFor(stranger).From.Address
		if tag, address, ok := cutTag(signed); !ok || !strings.HasPrefix(tag, fmt.Sprint(mta.EximKey)) || !strings.EqualFold(address, alice) {
			d.Fatalf("Exim sent it as <%s>", signed)
		}
		if v, err := d.daemon.Verify(signed); err != nil || v.Result != "valid" || !strings.EqualFold(v.Bare, alice) {
			d.Errorf("verify says %+v, %v of <%s>", v, err, signed)
		}
		d.send(outside, "", signed, d.bounce())
		delivery := d.claim()
		if len(delivery.To) != 1 || !strings.EqualFold(delivery.To[0].Address, alice) {
			d.Errorf("delivered to %v", delivery.To)
		}
		d.wantMark(delivery, "accept", "tag-valid", "tag")

		wrong := changeSignature(signed)
		d.want(outside.Mail(""), "250")
		d.want(outside.Rcpt(wrong), "550 5.7.1")
		d.want(outside.Do("RSET"), "250")
	}
	d.wantVerdict(daemon.Verdict{Client: outsideClient, To: changeSignature(d.tag(alice)), Stage: "rcpt", Action: "reject", Reason: "tag-forged", Enforced: true})
}

// What the milter signs, on real mail and by the command, is taken by Exim from
// the null sender and reaches the plain address; other tags and none are not.
func eximVerifies(d *desk) {
	exim := d.exim()
	own, outside := d.connect(ownClient), d.connectAt(exim.Address(), outsideClient)
	tagged := []string{d.tag(alice), d.tag(mixedAlice)}
	for _, sender := range []string{alice, mixedAlice} {
		d.send(own, sender, stranger, d.ordinary(sender, stranger))
		tagged = append(tagged, d.claimFor(stranger).From.Address)
	}
	for _, address := range tagged {
		if _, plain, ok := cutTag(address); !ok || !strings.EqualFold(plain, alice) {
			d.Fatalf("signed as <%s>", address)
		}
		d.send(outside, "", address, d.bounce())
		if delivery := d.claim(); len(delivery.To) != 1 || delivery.To[0].Address != alice {
			d.Errorf("<%s>: Exim delivered to %v", address, delivery.To)
		}
		d.want(outside.Mail(""), "250")
		if reply := outside.Rcpt(changeSignature(address)); !reply.Is("550") || !strings.Contains(string(reply), "Invalid reverse path signature") {
			d.Errorf("a changed signature: %q", reply)
		}
		d.want(outside.Do("RSET"), "250")
	}
	d.want(outside.Mail(""), "250")
	if reply := outside.Rcpt(alice); !reply.Is("550") || !strings.Contains(string(reply), "unsigned reverse path") {
		d.Errorf("no tag: %q", reply)
	}
}

// Both make the same tag of the same address and take each other's, whatever is
// in the local part.
func eximAddresses(d *desk) {
	exim := d.exim()
	for _, address := range []string{
		alice, "a=b=c@example.com", "alice+detail@example.com", "prvs@example.com", "o'neill@example.com",
		"first.last_%#!x@example.com", "x@sub.example.com", strings.Repeat("a", 47) + "@example.com",
	} {
		theirs, err := exim.Expand(fmt.Sprintf(`${prvs{\N%s\N}{%s}{%d}}`, address, mta.Secret, mta.EximKey))
		if err != nil {
			d.Fatal(err)
		}
		if ours := d.tag(address); ours != theirs {
			d.Errorf("<%s>: Exim makes <%s> of it, sign <%s>", address, theirs, ours)
		}
		if v, err := d.daemon.Verify(theirs); err != nil || v.Result != "valid" || v.Bare != address {
			d.Errorf("verify says %+v, %v of <%s>", v, err, theirs)
		}
		check := fmt.Sprintf(`${prvscheck{\N%s\N}{${if eq{$prvscheck_keynum}{%d}{%s}}}}=$prvscheck_result`, d.tag(address), mta.EximKey, mta.Secret)
		if got, err := exim.Expand(check); err != nil || got != address+"=1" {
			d.Errorf("Exim says %q, %v of our tag for <%s>", got, err, address)
		}
	}
	// Our signature is that of the address in lower case, Exim's that of the
	// address as it stands. We take both; Exim takes ours, since in mail it has
	// put the recipient into lower case before it checks (exim-verifies).
	theirs, err := exim.Expand(fmt.Sprintf(`${prvs{%s}{%s}{%d}}`, mixedAlice, mta.Secret, mta.EximKey))
	if err != nil {
		d.Fatal(err)
	}
	if v, err := d.daemon.Verify(theirs); err != nil || v.Result != "valid" || v.Bare != mixedAlice {
		d.Errorf("verify says %+v, %v of <%s>", v, err, theirs)
	}
	ours := d.tag(mixedAlice)
	if theirs == ours {
		d.Errorf("both make <%s> of <%s>", ours, mixedAlice)
	}
}

// cutTag splits prvs=TAG=ADDRESS.
func cutTag(tagged string) (tag, address string, ok bool) {
	rest, ok := strings.CutPrefix(tagged, "prvs=")
	tag, address, found := strings.Cut(rest, "=")
	return tag, address, ok && found
}
