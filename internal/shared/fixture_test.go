package shared

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/backscatter-milter/backscatter-milter/internal/flood"
	"github.com/backscatter-milter/backscatter-milter/internal/grace"
	"github.com/backscatter-milter/backscatter-milter/internal/ledger"
)

const (
	day      = 24 * time.Hour
	lifetime = 21 * day
	alice    = "alice@example.com"
	bob      = "bob@example.net"
)

// clock is the machine's, set to another date and moved by tests.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// host is one daemon's part in sharing.
type host struct {
	*Link
	t      *testing.T
	name   string
	clock  *clock
	ledger *ledger.Ledger
	grace  *grace.Grace
	flood  *flood.Flood
	id     string
	stop   context.CancelFunc

	mu     sync.Mutex
	events []Event
}

func TestMain(m *testing.M) {
	Quiet()
	os.Exit(m.Run())
}

func startServer(t *testing.T) *miniredis.Miniredis {
	t.Helper()
	s := miniredis.NewMiniRedis()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// start begins a host.
func start(t *testing.T, name, url string, now *clock) *host {
	t.Helper()
	h := &host{t: t, name: name, clock: now}
	var err error
	if h.ledger, err = ledger.Open(ledger.Options{Now: h.clock.now, Lifetime: lifetime, Report: func(err error) { t.Errorf("%s: %v", name, err) }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.ledger.Close)
	rules := grace.Rules{Lifetime: 10 * day}
	if h.grace, err = grace.New(nil, rules, h.clock.now()); err != nil {
		t.Fatal(err)
	}
	h.flood = flood.New(flood.Options{Now: h.clock.now, Rules: flood.Rules{
		Threshold: 40, Window: 2 * time.Minute, RecipientThreshold: 1000, RecipientWindow: 10 * time.Minute,
		Block: 15 * time.Minute, MaxBlock: 4 * time.Hour,
	}})
	h.share(url)
	return h
}

// live lets hosts record and sign for so long.
func live(age time.Duration, hosts ...*host) {
	for _, h := range hosts {
		h.ledger.Record(message("first-" + h.name))
	}
	for left := age; left > 0; left -= 2 * time.Minute {
		hosts[0].clock.jump(2 * time.Minute)
		for _, h := range hosts {
			h.ledger.Heartbeat()
			h.grace.Heartbeat(h.clock.now())
			if left%(10*time.Minute) == 0 {
				h.sign()
			}
		}
	}
	for _, h := range hosts {
		h.grace.SetSPF("example.com", "", h.clock.now())
		h.sign()
	}
}

func (h *host) sign() {
	h.grace.Signed("example.com", grace.KeyID{1}, h.clock.now())
	h.grace.Recorded("example.com", h.clock.now())
}

func (h *host) share(setting string) {
	h.t.Helper()
	u, err := ParseURL(setting)
	if err != nil {
		h.t.Fatal(err)
	}
	h.Link = New(Options{
		URL: u, Host: h.name, Ledger: h.ledger, Grace: h.grace, Flood: h.flood, Now: h.clock.now,
		Lifetime: func() time.Duration { return lifetime }, ID: h.id, SetID: func(id string) { h.id = id },
		Report: func(e Event) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.events = append(h.events, e)
		},
	})
	var ctx context.Context
	ctx, h.stop = context.WithCancel(context.Background())
	go h.Run(ctx)
	h.t.Cleanup(h.leave)
}

func (h *host) leave() {
	h.stop()
	<-h.Done()
}

func (h *host) told(text string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if e.Text == text || e.Err != nil && e.Text+": "+e.Err.Error() == text {
			n++
		}
	}
	return n
}

// until waits for something to become true.
func until(t *testing.T, what string, is func() bool) time.Duration {
	t.Helper()
	begun := time.Now()
	for !is() {
		if time.Since(begun) > 10*time.Second {
			t.Fatalf("after 10 s still not: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(begun)
}

func (h *host) inState(state string) {
	h.t.Helper()
	until(h.t, h.name+" is "+state, func() bool { return h.Status().State == state })
}

// knows waits until another host has been heard of.
func (h *host) knows(others int) {
	h.t.Helper()
	until(h.t, fmt.Sprintf("%s knows %d hosts", h.name, others), func() bool { return len(h.Status().Hosts) == others })
}

func message(id string) ledger.Entry {
	return ledger.Entry{Sender: alice, MessageID: id, Recipients: []string{bob}}
}

func (h *host) proves(id string) bool { return h.ledger.Sent(alice, id) }

func (h *host) waitFor(id string) time.Duration {
	h.t.Helper()
	return until(h.t, h.name+" proves "+id, func() bool { return h.proves(id) })
}

func (h *host) bounce(from string, n int) {
	for i := range n {
		h.flood.Unproven(netip.MustParseAddr(from), fmt.Sprintf("user%d@example.com", i))
	}
}

func (h *host) blocks(from string) bool {
	_, blocked := h.flood.Blocked(netip.MustParseAddr(from), bob)
	return blocked
}
