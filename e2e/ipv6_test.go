//go:build linux

package e2e

import (
	"fmt"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/daemon"
)

func ipv6Cases() []testCase {
	return []testCase{
		{name: "ipv6", run: overIPv6},
		{name: "ipv6-flood", settings: settings{tables: flooding(offLimit, offLimit)}, run: floodOverIPv6},
	}
}

// Clients in box.Networks6: one of ours, two of one network and one of another.
const (
	ownClient6     = "2001:db8:a::7"
	outsideClient6 = "2001:db8:b::5"
	neighbour6     = "2001:db8:b::e"
	otherHost6     = "2001:db8:b:1::7"
)

// What comes over IPv6 is signed, restored, marked and refused like any other.
func overIPv6(d *desk) {
	d.send(d.connect(ownClient6), alice, stranger, d.ordinary(alice, stranger))
	d.wantSigned(d.claimFor(stranger))
	d.host(outsideClient6).wantUntouched(alice)
	client := d.connect(outsideClient6)
	d.want(client.Mail(""), "250")
	forged := changeSignature(d.tag(alice))
	d.want(client.Rcpt(forged), "550 5.7.1")
	d.wantVerdict(daemon.Verdict{Client: outsideClient6, To: forged, Stage: "rcpt", Action: "reject", Reason: "tag-forged", Enforced: true})
}

// Hosts of one /64 flood together, those of the next do not.
func floodOverIPv6(d *desk) {
	const network = "client 2001:db8:b::/64"
	d.host(outsideClient6).bounces(floodLimit/2, alice, bob)
	d.host(neighbour6).bounces(floodLimit-floodLimit/2+1, alice, bob)
	d.awaitLog(fmt.Sprintf(blockBegan, network, floodLimit+1, floodBlock), 1)
	d.wantStatus(network, "BLOCKED")
	h := d.host(outsideClient6)
	h.wantBlocked(alice, "451 4.7.1", later)
	h.wantProvenAndOrdinary(alice)
	d.host(otherHost6).wantUntouched(alice)
	d.unblock(neighbour6)
	h.wantUntouched(alice)
}
