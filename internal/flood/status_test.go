package flood

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHottest(t *testing.T) {
	s := newSite(t, nil)
	s.flood(other, "example.org", 401, 0)                              // blocked
	s.flood(netip.MustParseAddr("2001:db8::1"), "example.net", 250, 0) // a surge
	s.flood(host(2, 1), "example.com", 20, 0)                          // a tenth
	s.flood(host(3, 1), "example.com", 19, 0)                          // less
	for range 30 {
		s.Unproven(netip.Addr{}, "alice@example.com")
	}
	s.Unproven(other, "alice@example.com") // refused
	var got []string
	for _, h := range s.Hottest(0) {
		got = append(got, fmt.Sprintf("%s: %d of %d, %v %v, refused %d, %v", h.Name, h.Count, h.Limit, h.Blocked, h.Surge, h.Refused, h.Left))
		if h.Blocked != h.Until.Equal(s.now.Add(h.Left)) {
			t.Errorf("%+v: until %v", h, h.Until)
		}
	}
	want := []string{
		"client 198.51.100.0/24: 401 of 400, true false, refused 1, 15m0s",
		"client 2001:db8::/64: 250 of 400, false true, refused 0, 0s",
		"recipient alice@example.com: 30 of 50, false false, refused 0, 0s",
		"domain example.net: 100 of 200, false false, refused 0, 0s",
		"domain example.org: 100 of 200, false false, refused 0, 0s",
		"domain example.com: 69 of 200, false false, refused 0, 0s",
		"client 192.0.2.0/24: 20 of 400, false false, refused 0, 0s",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if h := s.Hottest(2); len(h) != 2 || h[1].Name != "client 2001:db8::/64" {
		t.Errorf("the first two: %+v", h)
	}
	s.wait(5 * time.Hour)
	if h := s.Hottest(0); len(h) != 0 {
		t.Errorf("after hours: %+v", h)
	}
}

func TestBlocks(t *testing.T) {
	s := newSite(t, nil)
	want := map[Kind]int{ByClient: 0, ByRecipient: 0, BySubject: 0}
	if d := cmp.Diff(want, s.Blocks()); d != "" {
		t.Errorf("at first: -want +got:\n%s", d)
	}
	for i := range 3 {
		s.flood(host(byte(i), 1), "example.com", 401, 0)
	}
	for range 51 {
		s.Unproven(netip.Addr{}, "alice@example.com")
	}
	for range 401 {
		s.UnprovenSubject(other, s.Subject("x"))
	}
	want = map[Kind]int{ByClient: 3, ByRecipient: 1, BySubject: 1}
	if d := cmp.Diff(want, s.Blocks()); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestUnblock(t *testing.T) {
	subject := func(s *site) string {
		for _, h := range s.Hottest(0) {
			if h.Kind == BySubject {
				return h.Name
			}
		}
		return "none"
	}
	named := func(name string) func(*site) string { return func(*site) string { return name } }
	for _, c := range []struct {
		name                       func(*site) string
		client, recipient, subject bool // stay blocked
		found                      bool
	}{
		{named("client 192.0.2.0/24"), false, true, true, true},
		{named("client 192.0.2.7"), false, true, true, true},
		{named(" 192.0.2.7 "), false, true, false, true},
		{named("192.0.2.0/24"), false, true, false, true},
		{named("192.0.2.128/25"), false, true, false, true},
		{named("::ffff:192.0.2.7"), false, true, false, true},
		{named("alice@example.com"), true, false, true, true},
		{named("Alice@Example.com"), true, false, true, true},
		{named("recipient Alice@example.com"), true, false, true, true},
		{subject, true, true, false, true},
		{named("192.0.0.0/16"), true, true, true, false},
		{named("192.0.3.7"), true, true, true, false},
		{named("domain alice@example.com"), true, true, true, false},
		{named("client"), true, true, true, false},
		{named(""), true, true, true, false},
		{named("nonsense \x00 of any kind"), true, true, true, false},
	} {
		s := newSite(t, nil)
		x := s.Subject("x")
		for range 401 {
			s.UnprovenSubject(host(2, 1), x)
			s.Unproven(netip.Addr{}, "alice@example.com")
		}
		s.flood(host(2, 1), "example.com", 401, 0)
		s.told = nil
		name := c.name(s)
		if got := s.Unblock(name); got != c.found || len(s.told) > 0 != c.found {
			t.Errorf("%q: %v, reports %+v", name, got, s.told)
		}
		_, client := s.Blocked(host(2, 1), "b@example.com")
		_, recipient := s.Blocked(other, "alice@example.com")
		_, subject := s.BlockedSubject(host(2, 1), x)
		if client != c.client || recipient != c.recipient || subject != c.subject {
			t.Errorf("%q leaves client %v, recipient %v, subject %v", name, client, recipient, subject)
		}
	}
}

// TestUnblockedStartsAnew: from zero, without a surge, and with the first block.
func TestUnblockedStartsAnew(t *testing.T) {
	s := newSite(t, nil)
	for i := range 3 {
		s.flood(other, fmt.Sprintf("example%d.org", i), 401, 0)
		if b, _ := s.Blocked(other, "a@example.com"); b.Left != 15*time.Minute || !s.Unblock(b.Name) {
			t.Errorf("block: %+v", b)
		}
	}
	s.flood(other, "example.com", 399, 0)
	s.expectSurge("before", other, "a@example.com", ByClient)
	if !s.Unblock("198.51.100.9") {
		t.Error("no surge found")
	}
	s.expectSurge("after", other, "a@example.com", None)
	s.flood(other, "example.net", 199, 0)
	s.expectSurge("from zero", other, "a@example.com", None)
}

// TestNames: what outsiders write is made safe, and short.
func TestNames(t *testing.T) {
	s := newSite(t, nil)
	for address, want := range map[string]string{
		"a b\r\nc\x00\x1b[0m@example.com":           "recipient a?b??c??[0m@example.com",
		"MÜLLER@example.com":                        "recipient müller@example.com",
		"\xff\u202e@example.com":                    "recipient ??@example.com",
		strings.Repeat("x", 1<<20) + "@example.com": "recipient " + strings.Repeat("x", 117) + "…",
	} {
		for range 51 {
			s.Unproven(netip.Addr{}, address)
		}
		b, blocked := s.Blocked(netip.Addr{}, address)
		if !blocked || b.Name != want {
			t.Errorf("%.40q: %v, %q, want %q", address, blocked, b.Name, want)
		}
		if !s.Unblock(address) {
			t.Errorf("%.40q cannot be unblocked", address)
		}
	}
}

func TestStrings(t *testing.T) {
	if got := fmt.Sprint(None, ByClient, ByRecipient, BySubject, ByDomain, BySender, Kind(99)); got != "none client recipient subject domain sender sender" {
		t.Error(got)
	}
	if got := fmt.Sprint(BlockBegan, BlockEnded, SurgeBegan, SurgeEnded); got != "block began block ended surge began surge ended" {
		t.Error(got)
	}
}

func TestReports(t *testing.T) {
	s := newSite(t, nil)
	s.flood(other, "example.com", 450, 0)
	s.wait(time.Hour)
	s.Sweep()
	want := []Change{
		{Event: SurgeBegan, Kind: ByClient, Name: "client 198.51.100.0/24", Count: 200},
		{Event: BlockBegan, Kind: ByClient, Name: "client 198.51.100.0/24", Count: 401, For: 15 * time.Minute},
		{Event: BlockEnded, Kind: ByClient, Name: "client 198.51.100.0/24", Count: 401, Refused: 49},
	}
	if d := cmp.Diff(want, s.told); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}
