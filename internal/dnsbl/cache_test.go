package dnsbl

import (
	"net/netip"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

func TestCacheTime(t *testing.T) {
	d := serve(t, "list.example")
	d.List("192.0.2.1")
	d.List("192.0.2.3", "127.0.0.7")
	d.SetTTL(100*time.Second, 40*time.Second)
	z := zoneAt(d, "list.example")
	z.Codes = addrs("127.0.0.2")
	c, clk := open(t, Options{Zones: []Zone{z}})
	at := func(when time.Duration, addr, want string, questions int) {
		t.Helper()
		clk.moved.Store(int64(when))
		if got := asks(t, c, addr); got != want {
			t.Errorf("%s after %v: %s, want %s", addr, when, got, want)
		}
		if n := d.Asked(addr); n != questions {
			t.Errorf("%s after %v: %d questions, want %d", addr, when, n, questions)
		}
	}
	at(0, "192.0.2.1", "listed: listed[127.0.0.2]", 1)
	at(0, "192.0.2.2", "not-listed: not-listed", 1)
	at(0, "192.0.2.3", "not-listed: not-listed[127.0.0.7]", 1)
	d.Unlist("192.0.2.1")
	d.List("192.0.2.2")
	d.Unlist("192.0.2.3")
	at(39*time.Second, "192.0.2.2", "not-listed: not-listed", 1)
	at(40*time.Second, "192.0.2.2", "listed: listed[127.0.0.2]", 2) // SOA MINIMUM, not the SOA's TTL
	at(99*time.Second, "192.0.2.1", "listed: listed[127.0.0.2]", 1)
	at(99*time.Second, "192.0.2.3", "not-listed: not-listed[127.0.0.7]", 1)
	at(100*time.Second, "192.0.2.1", "not-listed: not-listed", 2)
	d.SetTTL(0, 0) // a second at least
	at(200*time.Second, "192.0.2.4", "not-listed: not-listed", 1)
	at(200*time.Second+999*time.Millisecond, "192.0.2.4", "not-listed: not-listed", 1)
	at(201*time.Second, "192.0.2.4", "not-listed: not-listed", 2)
	d.SetTTL(1000*time.Hour, 1000*time.Hour) // a day at most
	at(300*time.Second, "192.0.2.5", "not-listed: not-listed", 1)
	at(300*time.Second+maxTTL-1, "192.0.2.5", "not-listed: not-listed", 1)
	at(300*time.Second+maxTTL, "192.0.2.5", "not-listed: not-listed", 2)
	at(0, "192.0.2.5", "not-listed: not-listed", 3) // a clock set back
}

func TestFailuresAreRemembered(t *testing.T) {
	d := serve(t, "list.example")
	c, clk := open(t, Options{Zones: []Zone{zoneAt(d, "list.example")}})
	d.SetFault(mtatest.ServFail)
	for range 3 { // within a second of the check, so that the zone is used on
		if got := asks(t, c, "192.0.2.1"); got != "failed: failed" {
			t.Error(got)
		}
	}
	if n := d.Asked("192.0.2.1"); n != 1 {
		t.Errorf("%d questions", n)
	}
	d.SetFault(mtatest.NoFault)
	clk.move(failureTTL)
	if got := asks(t, c, "192.0.2.1"); got != "not-listed: not-listed" {
		t.Error(got)
	}
}

// TestOneZoneFails asks again only where there was no opinion.
func TestOneZoneFails(t *testing.T) {
	one, two := serve(t, "one.example"), serve(t, "two.example")
	c, clk := open(t, Options{Zones: []Zone{zoneAt(one, "one.example"), zoneAt(two, "two.example")}})
	two.SetFault(mtatest.ServFail)
	if got := asks(t, c, "192.0.2.1"); got != "failed: not-listed, failed" {
		t.Error(got)
	}
	two.SetFault(mtatest.NoFault)
	clk.move(failureTTL)
	if got := asks(t, c, "192.0.2.1"); got != "not-listed: not-listed, not-listed" {
		t.Error(got)
	}
	if a, b := one.Asked("192.0.2.1"), two.Asked("192.0.2.1"); a != 1 || b != 2 {
		t.Errorf("%d and %d questions", a, b)
	}
	one.List("192.0.2.2")
	two.SetFault(mtatest.ServFail)
	if got := asks(t, c, "192.0.2.2"); got != "listed: listed[127.0.0.2], failed" {
		t.Error(got)
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache(10)
	now := time.Unix(0, 0)
	kept := newEntry(Result{}, now, 0)
	for i := range 1000 {
		c.put(netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), newEntry(Result{}, now, 0), now)
		if i == 0 {
			c.put(ip("2001:db8::1"), kept, now)
		}
		if c.get(ip("2001:db8::1")) != kept {
			t.Fatalf("what is asked for all the time was forgotten after %d others", i)
		}
		if n := len(c.young) + len(c.old); n > 10 {
			t.Fatalf("%d entries", n)
		}
	}
	if c.get(ip("192.0.3.231")) == nil || c.get(ip("192.0.2.0")) != nil {
		t.Error("the latest was forgotten, or the first was not")
	}
	if c.put(ip("192.0.2.0"), &entry{until: now}, now); c.get(ip("192.0.2.0")) != nil {
		t.Error("what has no time to live was kept")
	}
}
