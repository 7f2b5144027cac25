package dnsbl

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// clock is a time that stands still until it is moved.
type clock struct{ moved atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC).Add(time.Duration(c.moved.Load()))
}
func (c *clock) move(d time.Duration) { c.moved.Add(int64(d)) }

func serve(t testing.TB, zone string) *mtatest.DNS {
	t.Helper()
	d, err := mtatest.ListenDNS("127.0.0.1:0", zone)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// dead is the address of a server that is silent: a socket that nobody reads.
func dead(t testing.TB) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.LocalAddr().String()
}

// open makes a Client and has it check its zones once.
func open(t testing.TB, o Options) (*Client, *clock) {
	t.Helper()
	clk := &clock{}
	if o.Now == nil {
		o.Now = clk.now
	}
	c := New(o)
	t.Cleanup(c.Close)
	c.Check(t.Context())
	return c, clk
}

func zoneAt(d *mtatest.DNS, name string) Zone {
	return Zone{Name: name, Resolvers: []string{d.Addr()}, Timeout: 2 * time.Second}
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func addrs(list ...string) (all []netip.Addr) {
	for _, s := range list {
		all = append(all, ip(s))
	}
	return all
}

// asks gives the overall status, and those of the zones where they are several.
func asks(t testing.TB, c *Client, addr string) string {
	t.Helper()
	return says(c.Start(ip(addr)).Wait(t.Context()))
}

func says(r Result) string {
	var parts []string
	for _, a := range r.Answers {
		part := a.Status.String()
		if len(a.Codes) > 0 {
			part += fmt.Sprint(a.Codes)
		}
		parts = append(parts, part)
	}
	return r.Status.String() + ": " + strings.Join(parts, ", ")
}

func TestAnswers(t *testing.T) {
	one, two := serve(t, "one.example"), serve(t, "two.example")
	one.List("192.0.2.1")
	one.List("192.0.2.2", "127.0.0.9")
	one.List("192.0.2.3", "127.0.0.9", "127.0.0.2", "127.0.0.9")
	two.List("192.0.2.2", "127.0.0.9")
	two.List("2001:db8::1")
	z1, z2 := zoneAt(one, "one.example"), zoneAt(two, "Two.Example.")
	z1.Codes, z2.IPv6 = addrs("127.0.0.2", "127.0.0.4"), true
	c, _ := open(t, Options{Zones: []Zone{z1, z2}})
	for _, s := range c.Zones() {
		if !s.Healthy {
			t.Fatalf("%s is not healthy: %v", s.Zone, s.Why)
		}
	}
	for _, tt := range []struct{ addr, want string }{
		{"192.0.2.1", "listed: listed[127.0.0.2], not-listed"},
		{"::ffff:192.0.2.1", "listed: listed[127.0.0.2], not-listed"},
		{"192.0.2.2", "listed: not-listed[127.0.0.9], listed[127.0.0.9]"},
		{"192.0.2.3", "listed: listed[127.0.0.2 127.0.0.9], not-listed"},
		{"192.0.2.4", "not-listed: not-listed, not-listed"},
		{"2001:db8::1", "listed: not-asked, listed[127.0.0.2]"},
		{"2001:db8::1%eth0", "listed: not-asked, listed[127.0.0.2]"},
		{"2001:db8::2", "not-listed: not-asked, not-listed"},
		{"127.0.0.2", "not-asked: "}, {"10.1.2.3", "not-asked: "}, {"192.168.1.1", "not-asked: "}, {"169.254.0.1", "not-asked: "},
		{"::1", "not-asked: "}, {"fe80::1", "not-asked: "}, {"fd00::1", "not-asked: "}, {"0.0.0.0", "not-asked: "}, {"224.0.0.1", "not-asked: "},
	} {
		if got := asks(t, c, tt.addr); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.addr, got, tt.want)
		}
	}
	if got := c.Start(netip.Addr{}).Wait(t.Context()); got.Status != NotAsked {
		t.Errorf("no address: %v", got)
	}
	if n := two.Asked("2001:db8::1"); n != 1 {
		t.Errorf("asked %d times for an IPv6 address", n)
	}
	if n := one.Counts().Questions; n != 2+4 {
		t.Errorf("the zone without IPv6 was asked %d questions", n)
	}
}

func TestNothing(t *testing.T) {
	var c *Client
	q := c.Start(ip("192.0.2.1"))
	if r := q.Wait(t.Context()); r.Status != NotAsked {
		t.Errorf("%v", r)
	}
	if r, ok := c.Cached(ip("192.0.2.1")); ok {
		t.Errorf("cached %v", r)
	}
	c.Run(t.Context())
	if len(c.Check(t.Context())) != 0 || len(c.Lookup(t.Context(), ip("192.0.2.1"))) != 0 {
		t.Error("a zone")
	}
	c.Close()
	c, _ = open(t, Options{})
	if got := asks(t, c, "192.0.2.1"); got != "not-asked: " {
		t.Error(got)
	}
	if r := (Question{}).Wait(t.Context()); r.Status != NotAsked {
		t.Errorf("%v", r)
	}
}

// TestFaults has a healthy zone turn bad.
func TestFaults(t *testing.T) {
	want := map[mtatest.Fault]string{
		mtatest.Silent: "timeout: timeout", mtatest.ServFail: "failed: failed", mtatest.Refusing: "failed: failed",
		mtatest.TooLong: "listed: listed[127.0.0.2]", mtatest.CutShort: "failed: failed", mtatest.TCPSilent: "timeout: timeout",
		mtatest.WrongID: "timeout: timeout", mtatest.WrongName: "failed: failed", mtatest.WrongType: "failed: failed",
		mtatest.OtherPort: "timeout: timeout", mtatest.ListsAll: "unhealthy: unhealthy",
		mtatest.OverQuota: "invalid: invalid[127.255.255.254]", mtatest.Parked: "invalid: invalid[203.0.113.7]",
		mtatest.ParkedAmong: "invalid: invalid[127.0.0.2 127.0.0.3 203.0.113.7]",
		mtatest.AliasLoop:   "failed: failed", mtatest.AliasNowhere: "failed: failed", mtatest.Alias: "listed: listed[127.0.0.2]",
		mtatest.Referral: "failed: failed", mtatest.Garbage: "failed: failed", mtatest.Noise: "timeout: timeout",
		mtatest.Stub: "failed: failed", mtatest.NoSOA: "listed: listed[127.0.0.2]",
	}
	for _, f := range mtatest.Faults() {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			bad, good := serve(t, "list.example"), serve(t, "list.example")
			for _, d := range []*mtatest.DNS{bad, good} {
				d.List("192.0.2.1")
			}
			z := zoneAt(bad, "list.example")
			z.Timeout = time.Second
			c, clk := open(t, Options{Zones: []Zone{z}})
			z.Resolvers = append(z.Resolvers, good.Addr())
			both, _ := open(t, Options{Zones: []Zone{z}})
			bad.SetFault(f)
			clk.move(time.Minute)
			got := asks(t, c, "192.0.2.1")
			if f == mtatest.Giant {
				if !strings.HasPrefix(got, "listed: listed[127.0.0.2 127.1.0.0 127.1.0.1 ") || strings.Count(got, ".") != 3*maxCodes {
					t.Error(got)
				}
			} else if got != want[f] {
				t.Errorf("alone: %s, want %s", got, want[f])
			}
			opinion := strings.HasPrefix(got, "listed")
			if next := asks(t, c, "192.0.2.2"); !opinion && next != "unhealthy: unhealthy" {
				t.Errorf("and then: %s", next)
			}
			if got := asks(t, both, "192.0.2.1"); !strings.HasPrefix(got, "listed: ") {
				t.Errorf("with a good server behind: %s", got)
			}
		})
	}
}

func TestNotListedByFaults(t *testing.T) {
	for _, f := range []mtatest.Fault{mtatest.NoFault, mtatest.TooLong, mtatest.Alias, mtatest.NoSOA, mtatest.Giant} {
		d := serve(t, "list.example")
		c, _ := open(t, Options{Zones: []Zone{zoneAt(d, "list.example")}})
		d.SetFault(f)
		if got := asks(t, c, "192.0.2.1"); got != "not-listed: not-listed" {
			t.Errorf("%s: %s", f, got)
		}
	}
}

func TestSharedQuestion(t *testing.T) {
	d := serve(t, "list.example")
	d.List("192.0.2.1")
	var told atomic.Int64
	c, _ := open(t, Options{
		Zones: []Zone{zoneAt(d, "list.example")},
		Asked: func(zone string, s Status) {
			if zone == "list.example" && s == Listed {
				told.Add(1)
			}
		},
	})
	d.SetDelay(300 * time.Millisecond)
	left := c.Start(ip("192.0.2.1"))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if r := left.Wait(gone); r.Status != Timeout {
		t.Errorf("who left got %s", says(r))
	}
	if _, ok := c.Cached(ip("192.0.2.1")); ok {
		t.Error("cached while under way")
	}
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if got := says(c.Start(ip("192.0.2.1")).Wait(context.Background())); got != "listed: listed[127.0.0.2]" {
				t.Error(got)
			}
		})
	}
	wg.Wait()
	if got := says(left.Wait(gone)); got != "listed: listed[127.0.0.2]" {
		t.Errorf("who left may look again, and got %s", got)
	}
	if n := d.Asked("192.0.2.1"); n != 1 {
		t.Errorf("%d questions", n)
	}
	c.Close() // after which all has been told
	if n := told.Load(); n != 1 {
		t.Errorf("told %d times", n)
	}
	if s := c.Zones()[0]; len(s.Asked) != 1 || s.Asked[Listed] != 1 {
		t.Errorf("counted %v", s.Asked)
	}
}

func TestBusy(t *testing.T) {
	d := serve(t, "list.example")
	var busy atomic.Int64
	c, _ := open(t, Options{Zones: []Zone{zoneAt(d, "list.example")}, MaxAsking: 3, Asked: func(_ string, s Status) {
		if s == Busy {
			busy.Add(1)
		}
	}})
	d.SetDelay(200 * time.Millisecond)
	var questions []Question
	for i := range 10 {
		questions = append(questions, c.Start(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})))
	}
	for i, q := range questions {
		want := "not-listed: not-listed"
		if i >= 3 {
			want = "busy: busy"
		}
		if got := says(q.Wait(t.Context())); got != want {
			t.Errorf("question %d: %s", i, got)
		}
	}
	if n := busy.Load(); n != 7 || c.Zones()[0].Asked[Busy] != 7 {
		t.Errorf("%d times busy, %v", n, c.Zones()[0].Asked)
	}
	if got := asks(t, c, "192.0.2.9"); got != "not-listed: not-listed" {
		t.Errorf("when there is room again: %s", got)
	}
}

func TestClose(t *testing.T) {
	silent := dead(t)
	c := New(Options{Zones: []Zone{{Name: "list.example", Resolvers: []string{silent}}}, Now: (&clock{}).now})
	c.zones[0].state = healthy
	before := runtime.NumGoroutine()
	ran := make(chan struct{})
	go func() { c.Run(t.Context()); close(ran) }()
	q := c.Start(ip("192.0.2.1"))
	c.Close()
	if r := q.Wait(t.Context()); r.Status != Failed || !errors.Is(r.Answers[0].Err, context.Canceled) {
		t.Errorf("%s, %v", says(r), r.Answers[0].Err)
	}
	<-ran
	if r := c.Start(ip("192.0.2.2")).Wait(t.Context()); r.Status != Failed {
		t.Errorf("after the end: %s", says(r))
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

func TestPanics(t *testing.T) {
	d := serve(t, "list.example")
	var survived []any
	var mu sync.Mutex
	c, _ := open(t, Options{
		Zones: []Zone{zoneAt(d, "list.example")}, Asked: func(string, Status) { panic("in Asked") },
		Panicked: func(v any, stack []byte) {
			mu.Lock()
			defer mu.Unlock()
			if len(stack) > 0 {
				survived = append(survived, v)
			}
		},
	})
	if got := asks(t, c, "192.0.2.1"); got != "not-listed: not-listed" {
		t.Error(got)
	}
	c.zones[0].servers = nil
	if got := asks(t, c, "192.0.2.2"); got != "failed: failed" {
		t.Error(got)
	}
	c.Check(t.Context())
	c.Close()
	if !slices.Contains(survived, any("in Asked")) || len(survived) != 4 {
		t.Errorf("survived %v", survived)
	}
}

func TestStatus(t *testing.T) {
	seen := map[string]bool{}
	for s := range statuses {
		if seen[s.String()] || s.String() == "" || s.String() == "unknown" {
			t.Errorf("%d is %q", s, s)
		}
		seen[s.String()] = true
		if s.Opinion() != (s == Listed || s == NotListed) {
			t.Errorf("%s: an opinion: %v", s, s.Opinion())
		}
	}
	if statuses.String() != "unknown" {
		t.Error(statuses)
	}
	for _, tt := range []struct {
		want Status
		of   []Status
	}{
		{NotAsked, nil}, {NotListed, []Status{NotAsked, NotListed, NotAsked}}, {Listed, []Status{Timeout, NotListed, Listed}},
		{Busy, []Status{NotListed, Busy, Failed, NotListed}}, {Invalid, []Status{Invalid, NotListed, NotAsked}}, {NotAsked, []Status{NotAsked}},
	} {
		var answers []Answer
		for _, s := range tt.of {
			answers = append(answers, Answer{Status: s})
		}
		if got := combine(answers).Status; got != tt.want {
			t.Errorf("%v: %s, want %s", tt.of, got, tt.want)
		}
	}
}
