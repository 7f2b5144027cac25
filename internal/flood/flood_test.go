package flood

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// site is a Flood with a clock that is set by hand.
type site struct {
	*Flood
	t    testing.TB
	mu   sync.Mutex
	now  time.Time
	told []Change
}

func defaults() Rules {
	return Rules{
		Threshold: 400, Window: 2 * time.Minute,
		RecipientThreshold: 50, RecipientWindow: 10 * time.Minute,
		Block: 15 * time.Minute, MaxBlock: 4 * time.Hour,
		Surge: 200, ProvenAlarm: 100,
	}
}

func newSite(t testing.TB, change func(*Rules)) *site {
	s := &site{t: t, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	r := defaults()
	if change != nil {
		change(&r)
	}
	s.Flood = New(Options{Rules: r, Secret: [16]byte{1}, Now: func() time.Time { return s.now }, Report: func(c Change) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.told = append(s.told, c)
	}})
	return s
}

func (s *site) wait(d time.Duration) { s.now = s.now.Add(d) }

// flood sends n unproven recipients from a client within a time, each another.
func (s *site) flood(client netip.Addr, domain string, n int, within time.Duration) {
	for i := range n {
		s.Unproven(client, fmt.Sprintf("user%d@%s", i, domain))
		s.wait(within / time.Duration(n))
	}
}

func (s *site) expectBlocked(what string, client netip.Addr, recipient string, want Kind) {
	s.t.Helper()
	if b, blocked := s.Blocked(client, recipient); blocked != (want != None) || b.Kind != want {
		s.t.Errorf("%s: blocked %v, %+v, want %v", what, blocked, b, want)
	}
}

func (s *site) expectSurge(what string, client netip.Addr, recipient string, want Kind) {
	s.t.Helper()
	if k, surge := s.Surge(client, recipient); surge != (want != None) || k != want {
		s.t.Errorf("%s: surge %v of %v, want %v", what, surge, k, want)
	}
}

func (s *site) expectTold(want ...string) {
	s.t.Helper()
	var got []string
	for _, c := range s.told {
		got = append(got, fmt.Sprintf("%s: %s", c.Name, c.Event))
	}
	if d := cmp.Diff(want, got); d != "" {
		s.t.Errorf("reports (-want +got):\n%s", d)
	}
	s.told = nil
}

func host(net, n byte) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, net, n}) }

// client gives one of four thousand million client networks.
func client(n uint32) netip.Addr {
	var a [16]byte
	copy(a[:], "\x20\x01\x0d\xb8")
	binary.BigEndian.PutUint32(a[4:], n)
	return netip.AddrFrom16(a)
}

var other = netip.MustParseAddr("198.51.100.9")

// TestOneHost: more than 400 bounces of one host in two minutes are cut off,
// nobody else's are, and it ends by itself.
func TestOneHost(t *testing.T) {
	s := newSite(t, nil)
	s.flood(host(2, 1), "example.com", 199, time.Minute)
	s.expectSurge("after 199", host(2, 1), "new@example.com", None)
	s.flood(host(2, 2), "example.com", 1, 0)
	s.expectSurge("after 200 from the network", host(2, 3), "new@example.com", ByClient)
	s.expectSurge("meanwhile, others", other, "new@example.com", None)
	s.flood(host(2, 1), "example.com", 200, 59*time.Second)
	s.expectBlocked("after 400", host(2, 1), "new@example.com", None)
	s.Unproven(host(2, 1), "last@example.com")
	s.expectBlocked("after 401", host(2, 77), "new@example.com", ByClient)
	s.expectBlocked("meanwhile, others", other, "new@example.com", None)
	s.expectSurge("meanwhile, others", other, "new@example.com", None)
	s.expectSurge("blocked is no surge", host(2, 1), "new@example.com", None)
	s.wait(15*time.Minute - time.Nanosecond)
	s.expectBlocked("to the end", host(2, 1), "new@example.com", ByClient)
	s.wait(time.Nanosecond)
	s.expectBlocked("after it", host(2, 1), "new@example.com", None)
	s.Sweep()
	s.expectTold("client 192.0.2.0/24: surge began", "client 192.0.2.0/24: block began", "client 192.0.2.0/24: block ended")
}

// TestSlowHost: what keeps below the threshold in every window is not blocked,
// however long it goes on.
func TestSlowHost(t *testing.T) {
	s := newSite(t, nil)
	for i := range 60 {
		s.flood(host(2, 1), fmt.Sprintf("example%d.org", i), 198, 2*time.Minute)
	}
	s.expectBlocked("two hours of 198 in two minutes", host(2, 1), "a@example.com", None)
	s.expectTold()
}

func TestClientNetworks(t *testing.T) {
	for _, c := range []struct {
		flooder, asked string
		want           Kind
	}{
		{"192.0.2.1", "192.0.2.255", ByClient},
		{"192.0.2.1", "192.0.3.1", None},
		{"192.0.2.1", "::ffff:192.0.2.9", ByClient},
		{"::ffff:192.0.2.9", "192.0.2.1", ByClient},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", ByClient},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", None},
		{"fe80::1%eth0", "fe80::2%eth1", ByClient},
		{"c000:200::1", "192.0.2.0", None}, // the same octets
	} {
		s := newSite(t, nil)
		s.flood(netip.MustParseAddr(c.flooder), "example.com", 401, time.Second)
		s.expectBlocked(c.flooder, netip.MustParseAddr(c.asked), "new@example.com", c.want)
	}
}

func TestRecipient(t *testing.T) {
	s := newSite(t, nil)
	for i := range 50 {
		s.Unproven(host(byte(i), 1), "Alice@Example.COM")
		s.wait(11 * time.Second)
	}
	s.expectBlocked("after 50", other, "alice@example.com", None)
	s.Unproven(host(99, 1), "ALICE@example.com")
	s.expectBlocked("after 51 in ten minutes", other, "alice@example.com", ByRecipient)
	s.expectBlocked("others", host(1, 1), "bob@example.com", None)
	for range 1000 {
		s.Unproven(other, "alice@example.com")
	}
	s.expectBlocked("attempts during a block count for nobody", other, "bob@example.com", None)
	s.expectSurge("nor for the domain", other, "bob@example.com", None)
	s.expectTold("recipient alice@example.com: block began")
	if h := s.Hottest(1); len(h) != 1 || h[0].Refused != 1000 {
		t.Errorf("refused: %+v", h)
	}
}

// TestNoClient: what relays of ours bring counts for recipients and domains only.
func TestNoClient(t *testing.T) {
	s := newSite(t, nil)
	s.flood(netip.Addr{}, "example.com", 1000, time.Second)
	s.expectBlocked("the relay", netip.Addr{}, "new@example.com", None)
	s.expectSurge("the domain", netip.Addr{}, "new@example.com", ByDomain)
	subject := s.Subject("failure notice")
	for range 1000 {
		s.UnprovenSubject(netip.Addr{}, subject)
	}
	if _, blocked := s.BlockedSubject(netip.Addr{}, subject); blocked {
		t.Error("the relay's subject is blocked")
	}
	s.Unproven(other, "")
	s.Unproven(other, "nowhere@")
	s.Unproven(other, "@")
}

func TestDoubling(t *testing.T) {
	s := newSite(t, nil)
	again := func(want time.Duration) {
		t.Helper()
		s.flood(host(2, 1), "example.com", 401, time.Second)
		b, blocked := s.Blocked(host(2, 1), "a@example.com")
		if !blocked || b.Left.Round(time.Second) != want || b.Name != "client 192.0.2.0/24" || b.Count != 401 {
			t.Errorf("block %+v, want one of %v", b, want)
		}
		s.wait(want / 2)
		s.flood(host(2, 1), "example.com", 2000, 0) // neither extends nor doubles
		s.wait(want - want/2 - time.Second)
		s.expectBlocked("just before the end", host(2, 1), "a@example.com", ByClient)
		s.wait(time.Second)
		s.expectBlocked("at the end", host(2, 1), "a@example.com", None)
		s.flood(host(2, 1), "example.com", 400, 0) // zero, and 400
		s.expectBlocked("from zero", host(2, 1), "a@example.com", None)
		s.wait(2 * time.Minute)
		s.Sweep()
	}
	for _, minutes := range []int{15, 30, 60, 120, 240, 240} {
		again(time.Duration(minutes) * time.Minute)
	}
	s.wait(4*time.Hour - 5*time.Minute)
	s.Sweep()
	again(4 * time.Hour)
	s.wait(4*time.Hour + time.Second)
	again(15 * time.Minute) // forgotten MaxBlock after its end
}

// TestDoublingUnswept is what the book does by itself.
func TestDoublingUnswept(t *testing.T) {
	s := newSite(t, nil)
	s.flood(host(2, 1), "example.com", 401, time.Second)
	s.wait(20 * time.Minute)
	s.flood(host(2, 1), "example.com", 401, time.Second)
	s.expectTold("client 192.0.2.0/24: surge began", "client 192.0.2.0/24: block began",
		"client 192.0.2.0/24: surge began", "client 192.0.2.0/24: block ended", "client 192.0.2.0/24: block began")
	if n := s.Blocks()[ByClient]; n != 1 || s.watch[ByClient].book.blocked.Load() != 1 {
		t.Errorf("%d blocks", n)
	}
	s.wait(10 * time.Hour)
	s.flood(host(2, 1), "example.com", 401, 0)
	if b, _ := s.Blocked(host(2, 1), "a@example.com"); b.Left != 15*time.Minute {
		t.Errorf("after ten hours: %+v", b)
	}
}

func TestSubject(t *testing.T) {
	s := newSite(t, nil)
	notice, strange := s.Subject("Delivery failed: <alice@example.com> #17"), s.Subject("Lieferung fehlgeschlagen")
	for i := range 401 {
		s.UnprovenSubject(host(2, byte(i)), s.Subject(fmt.Sprintf("Delivery failed: <u%d@example.com> #%d", i, i)))
	}
	blocked := func(client netip.Addr, subject Subject) bool {
		_, is := s.BlockedSubject(client, subject)
		return is
	}
	if !blocked(host(2, 9), notice) {
		t.Error("the subject is not blocked")
	}
	if blocked(other, notice) || blocked(host(2, 9), strange) || blocked(host(2, 9), Subject{}) {
		t.Error("another host's, another or no subject is blocked")
	}
	s.expectBlocked("the host", host(2, 9), "a@example.com", None)
	h := s.Hottest(0)
	if len(h) != 1 || h[0].Subject != "delivery failed" || !strings.HasPrefix(h[0].Name, "subject 192.0.2.0/24 ") {
		t.Errorf("hottest: %+v", h)
	}
	for range 500 {
		s.UnprovenSubject(other, Subject{})
	}
	if blocked(other, Subject{}) {
		t.Error("what is not known is blocked")
	}
	for range 401 {
		s.UnprovenSubject(other, s.Subject(""))
	}
	if !blocked(other, s.Subject(" ")) || blocked(other, notice) {
		t.Error("messages without a subject are counted as such")
	}
	s.wait(15 * time.Minute)
	if blocked(host(2, 9), notice) {
		t.Error("it does not end")
	}
}

// TestSubjectOfBlocked: what a blocked client sends makes no block of its subject.
func TestSubjectOfBlocked(t *testing.T) {
	s := newSite(t, nil)
	s.flood(other, "example.com", 401, 0)
	for range 1000 {
		s.UnprovenSubject(other, s.Subject("x"))
	}
	if n := s.Blocks(); n[BySubject] != 0 || n[ByClient] != 1 {
		t.Errorf("blocks: %v", n)
	}
}

func TestAcquitted(t *testing.T) {
	s := newSite(t, nil)
	for i := range 5000 {
		r := fmt.Sprintf("user%d@example.com", i%20)
		s.Unproven(host(2, 1), r)
		s.Acquitted(host(2, 1), r)
		s.wait(10 * time.Millisecond)
	}
	s.expectBlocked("all acquitted", host(2, 1), "user1@example.com", None)
	s.expectTold()
	for range 500 {
		s.Acquitted(host(2, 1), "user1@example.com") // more than there were
	}
	s.flood(host(2, 1), "example.com", 401, 0)
	s.expectBlocked("never below zero", host(2, 1), "new@example.com", ByClient)
}

func TestSetRules(t *testing.T) {
	s := newSite(t, nil)
	s.flood(host(2, 1), "example.com", 300, 0)
	r := defaults()
	r.Threshold, r.Surge = 300, 1000
	s.SetRules(r)
	s.Unproven(host(2, 1), "a@example.com")
	s.expectBlocked("a lower threshold", host(2, 1), "a@example.com", ByClient)
	s.flood(other, "example.com", 300, 0)
	r.Window = time.Hour
	s.SetRules(r)
	s.Unproven(other, "a@example.com")
	s.expectBlocked("another window", other, "a@example.com", None)
	s.expectBlocked("a block that ran", host(2, 1), "a@example.com", ByClient)
	s.flood(other, "example.com", 300, 0)
	s.expectBlocked("the new window", other, "a@example.com", ByClient)

	for range 2 {
		for range 40 {
			s.Unproven(netip.Addr{}, "alice@example.com")
		}
		r.RecipientWindow = time.Hour
		s.SetRules(r)
	}
	s.expectBlocked("its window changed once", host(77, 1), "alice@example.com", None)
	for range 11 {
		s.Unproven(netip.Addr{}, "alice@example.com")
	}
	s.expectBlocked("and then stayed", host(77, 1), "alice@example.com", ByRecipient)
	for range 40 {
		s.Unproven(netip.Addr{}, "bob@example.com")
	}
	r.RecipientWindow = time.Minute
	s.SetRules(r)
	for range 40 {
		s.Unproven(netip.Addr{}, "bob@example.com")
	}
	s.expectBlocked("another window for recipients", host(77, 1), "bob@example.com", None)
}

// TestOff: with a rule switched off nothing comes of it.
func TestOff(t *testing.T) {
	for name, off := range map[string]func(*Rules){
		"all":     func(r *Rules) { *r = Rules{} },
		"counts":  func(r *Rules) { r.Threshold, r.RecipientThreshold, r.Surge, r.ProvenAlarm = 0, -1, 0, -5 },
		"windows": func(r *Rules) { r.Window, r.RecipientWindow, r.ProvenAlarm = 0, -1, 0 },
		"blocks":  func(r *Rules) { r.Block, r.MaxBlock, r.Surge, r.ProvenAlarm = 0, 0, 0, 0 },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, off)
			for range 1000 {
				s.Unproven(other, "alice@example.com")
				s.UnprovenSubject(other, s.Subject("x"))
				s.Proven("alice@example.com")
				s.Acquitted(netip.Addr{}, "bob@example.com")
			}
			s.expectBlocked("blocked", other, "alice@example.com", None)
			s.expectSurge("surge", other, "alice@example.com", None)
			s.Sweep()
			s.Hottest(0)
			s.Unblock("alice@example.com")
			s.expectTold()
		})
	}
}

// TestSurgeSwitchedOff: a surge does not outlive its rule.
func TestSurgeSwitchedOff(t *testing.T) {
	s := newSite(t, nil)
	s.flood(other, "example.com", 250, 0)
	s.expectSurge("before", other, "a@example.com", ByClient)
	r := defaults()
	r.Surge = 0
	s.SetRules(r)
	s.expectSurge("after", other, "a@example.com", None)
}

func TestThresholdOfOne(t *testing.T) {
	s := newSite(t, func(r *Rules) { r.Threshold, r.Surge, r.RecipientThreshold = 1, 1, 1 })
	s.Unproven(other, "a@example.com")
	s.expectSurge("one", other, "b@example.com", ByClient)
	s.expectBlocked("one", other, "a@example.com", None)
	s.Unproven(other, "a@example.com")
	s.expectBlocked("two", other, "a@example.com", ByClient)
	s.expectBlocked("two", host(1, 1), "a@example.com", ByRecipient)
}
