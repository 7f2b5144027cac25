package flood

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// TestDomainSurge: a flood from many to many is the domain's, and ends.
func TestDomainSurge(t *testing.T) {
	s := newSite(t, nil)
	send := func(n int, within time.Duration) {
		for i := range n {
			s.Unproven(host(byte(i), 1), fmt.Sprintf("user%d@Example.com", i))
			s.wait(within / time.Duration(n))
		}
	}
	send(199, time.Minute)
	s.expectSurge("after 199", other, "a@example.com", None)
	send(1, 0)
	s.expectSurge("after 200", other, "a@EXAMPLE.com", ByDomain)
	s.expectSurge("another domain", other, "a@example.org", None)
	for range 5 {
		send(140, 2*time.Minute)
	}
	s.expectSurge("at two thirds of the rate", other, "a@example.com", ByDomain)
	send(60, 2*time.Minute)
	send(60, 2*time.Minute)
	s.expectSurge("below half the rate", other, "a@example.com", None)
	s.expectTold("domain example.com: surge began", "domain example.com: surge ended")
	send(100, 0)
	s.expectSurge("below the whole again", other, "a@example.com", None)
}

// TestShareOfDomain: neither one client nor one recipient makes a domain surge.
func TestShareOfDomain(t *testing.T) {
	s := newSite(t, func(r *Rules) { r.RecipientThreshold = 1000 })
	s.flood(host(2, 1), "example.com", 400, time.Second)
	s.expectSurge("one client", other, "a@example.com", None)
	for i := range 250 {
		s.Unproven(host(3, byte(i)).Next(), "alice@example.org")
		s.Unproven(netip.AddrFrom4([4]byte{198, 51, byte(i), 1}), "alice@example.org")
	}
	s.expectSurge("one recipient", other, "alice@example.org", ByRecipient)
	s.expectSurge("its domain", other, "bob@example.org", None)
	for i := range 100 {
		s.Unproven(netip.AddrFrom4([4]byte{203, 0, byte(i), 1}), fmt.Sprintf("u%d@example.com", i))
	}
	s.expectSurge("half of it one client's, half from everywhere", other, "a@example.com", ByDomain)
}

// TestRecipientSurge: where a recipient's window is shorter than that of surges,
// what is no flood for it may yet be a surge.
func TestRecipientSurge(t *testing.T) {
	s := newSite(t, func(r *Rules) {
		r.RecipientThreshold, r.RecipientWindow = 50, time.Minute
		r.Surge, r.Window = 100, 10*time.Minute
	})
	for i := range 100 {
		s.expectSurge("before", other, "alice@example.com", None)
		s.Unproven(host(byte(i), 1), "alice@example.com")
		s.wait(2 * time.Second)
	}
	s.expectBlocked("30 a minute", other, "alice@example.com", None)
	s.expectSurge("100 in ten minutes", other, "alice@example.com", ByRecipient)
	s.expectSurge("of its domain", other, "bob@example.com", None)
	for i := range 51 {
		s.Unproven(host(byte(i), 1), "alice@example.com")
	}
	s.expectBlocked("51 more", other, "alice@example.com", ByRecipient)
	s.wait(15 * time.Minute)
	s.expectSurge("after the block", other, "alice@example.com", None)
}

func TestProvenAlarm(t *testing.T) {
	s := newSite(t, nil)
	prove := func(n int) {
		for range n {
			s.Proven("Alice@example.com")
			s.wait(time.Second)
		}
	}
	prove(99)
	s.expectTold()
	prove(500)
	s.expectTold("sender alice@example.com: surge began")
	s.wait(20 * time.Minute)
	s.Sweep()
	s.expectTold("sender alice@example.com: surge ended")
	prove(100)
	s.expectTold("sender alice@example.com: surge began")
	s.expectSurge("the sender as recipient", other, "alice@example.com", None)
}
