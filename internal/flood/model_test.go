package flood

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// within counts the events in the window that ends now.
func within(events []time.Time, now time.Time, window time.Duration) (n int) {
	for _, e := range events {
		if now.Sub(e) < window {
			n++
		}
	}
	return n
}

// TestCountModel holds a table to the exact number of events: never more than
// in the window, never fewer than in its last three quarters, and exact in the
// first window of a key that had been quiet.
func TestCountModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		window := time.Duration(rapid.Int64Range(4, int64(24*time.Hour)).Draw(t, "window")) / 4 * 4
		quarter := int64(window / 4)
		var (
			counts = newTable(1 << 10)
			begin  = time.Unix(0, 1)
			now    = begin
			events = map[uint64][]time.Time{}
			fresh  = map[uint64]time.Time{} // when its first window began
		)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(window)/rapid.Int64Range(1, 40).Draw(t, "slow")).Draw(t, "step")))
			key := rapid.Uint64Range(1, 8).Draw(t, "key")
			if within(events[key], now, window) == 0 {
				fresh[key] = now
			}
			events[key] = append(events[key], now)
			got := counts.add(key, now.UnixNano(), quarter)
			if peeked := counts.peek(key, now.UnixNano(), quarter); peeked != got {
				t.Fatalf("peek: %d, add: %d", peeked, got)
			}
			most, least := within(events[key], now, window), within(events[key], now, window*3/4)
			if now.Sub(fresh[key]) < window {
				least = most
			}
			if got > most || got < least {
				t.Fatalf("counted %d, want %d to %d (key %d, window %v, now %v)", got, least, most, key, window, now.Sub(begin))
			}
		}
	})
}

// exact is a client as a postmaster with unlimited memory would see it.
type exact struct {
	events []time.Time
	until  time.Time
	blocks int
	fresh  time.Time
}

// TestBlockModel holds blocks to an exact record of all events: one begins only
// with more events in the window than the threshold, and at once where there
// are more in its last three quarters; it lasts as long as it should.
func TestBlockModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := Rules{
			Threshold: rapid.IntRange(1, 12).Draw(t, "threshold"),
			Window:    time.Minute,
			Block:     time.Duration(rapid.IntRange(1, 300).Draw(t, "block")) * time.Second,
			MaxBlock:  10 * time.Minute,
		}
		begin := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
		now := begin
		f := New(Options{Rules: rules, Now: func() time.Time { return now }})
		clients := map[byte]*exact{}
		for i := range rapid.IntRange(1, 300).Draw(t, "steps") {
			pause := rapid.SampledFrom([]time.Duration{time.Second, 10 * time.Second, time.Minute, 15 * time.Minute}).Draw(t, "pause")
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(pause)).Draw(t, "step")))
			if rapid.IntRange(0, 9).Draw(t, "sweep") == 0 {
				f.Sweep()
			}
			n := byte(rapid.IntRange(0, 2).Draw(t, "client"))
			c := clients[n]
			if c == nil {
				c = &exact{}
				clients[n] = c
			}
			wasBlocked := now.Before(c.until)
			if b, blocked := f.Blocked(host(n, 1), "a@example.com"); blocked != wasBlocked || blocked && b.Left != c.until.Sub(now) {
				t.Fatalf("before: blocked %v, %+v, want %v for %v", blocked, b, wasBlocked, c.until.Sub(now))
			}
			f.Unproven(host(n, 1), fmt.Sprintf("user%d@example.com", i))
			if wasBlocked {
				continue
			}
			c.step(t, now, rules, f, n)
		}
	})
}

func (c *exact) step(t *rapid.T, now time.Time, rules Rules, f *Flood, n byte) {
	if within(c.events, now, rules.Window) == 0 {
		c.fresh = now
	}
	c.events = append(c.events, now)
	most, least := within(c.events, now, rules.Window), within(c.events, now, rules.Window*3/4)
	if now.Sub(c.fresh) < rules.Window {
		least = most
	}
	b, blocked := f.Blocked(host(n, 1), "a@example.com")
	if blocked && most <= rules.Threshold {
		t.Fatalf("blocked with %d events in the window, threshold %d", most, rules.Threshold)
	}
	if !blocked && least > rules.Threshold {
		t.Fatalf("not blocked with %d events, threshold %d", least, rules.Threshold)
	}
	if !blocked {
		return
	}
	if now.Sub(c.until) > rules.MaxBlock {
		c.blocks = 0
	}
	length := min(rules.Block<<c.blocks, rules.MaxBlock)
	if b.Left != length {
		t.Fatalf("block number %d lasts %v, want %v", c.blocks+1, b.Left, length)
	}
	c.until, c.events = now.Add(length), slices.Delete(c.events, 0, len(c.events))
	c.blocks = min(c.blocks+1, 20)
}

// TestSteadyFlood: whatever comes steadily above the threshold is caught within
// a window and a quarter of it, even from a source that was never quiet.
func TestSteadyFlood(t *testing.T) {
	s := newSite(t, func(r *Rules) { r.Surge = 0 })
	for i := range 13 * 90 { // below it for ever so long
		s.Unproven(host(2, 1), fmt.Sprintf("u%d@example.com", i))
		s.wait(time.Second)
	}
	s.expectBlocked("120 in two minutes", host(2, 1), "a@example.com", None)
	began := s.now
	for i := 0; ; i++ {
		if _, blocked := s.Blocked(host(2, 1), "a@example.com"); blocked {
			break
		}
		s.Unproven(host(2, 1), fmt.Sprintf("u%d@example.com", i))
		s.wait(2 * time.Minute / 405)
		if s.now.Sub(began) > 150*time.Second {
			t.Fatal("405 in two minutes are not caught after a window and a quarter")
		}
	}
}

func TestClock(t *testing.T) {
	for name, jump := range map[string]time.Duration{
		"back an hour": -time.Hour, "back a day": -24 * time.Hour, "back a second": -time.Second,
		"back a century": -100 * 365 * 24 * time.Hour, "as far back as it goes": math.MinInt64,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, nil)
			s.flood(other, "example.com", 401, time.Second)
			s.flood(host(2, 1), "example.com", 399, time.Second)
			s.wait(jump)
			s.expectBlocked("after the jump", other, "a@example.com", ByClient)
			s.wait(time.Second)
			s.flood(host(2, 1), "example.com", 2, time.Second)
			s.expectBlocked("counting goes on", host(2, 1), "a@example.com", ByClient)
			s.wait(15*time.Minute + time.Second)
			s.expectBlocked("15 minutes later", other, "a@example.com", None)
			s.expectBlocked("15 minutes later", host(2, 1), "a@example.com", None)
		})
	}
	for name, jump := range map[string]time.Duration{
		"forward an hour": time.Hour, "forward a century": 100 * 365 * 24 * time.Hour, "as far forward as it goes": math.MaxInt64,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, nil)
			s.flood(other, "example.com", 401, time.Second)
			s.wait(jump)
			s.expectBlocked("after the jump", other, "a@example.com", None)
			s.now = time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC)
			s.flood(host(2, 1), "example.com", 401, time.Second)
			s.expectBlocked("a flood after it was set right", host(2, 1), "a@example.com", ByClient)
			s.wait(15 * time.Minute)
			s.expectBlocked("15 minutes later", host(2, 1), "a@example.com", None)
		})
	}
}

// TestClockWild: a clock that leaps about keeps no block for longer than it is.
func TestClockWild(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c clock
		now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
		c.init(func() time.Time { return now })
		before := c.now()
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			step := time.Duration(rapid.Int64().Draw(t, "step")) >> rapid.IntRange(0, 40).Draw(t, "shift")
			now = now.Add(step)
			got := c.now()
			if got < before-coarse || got-before > farthest+unordered {
				t.Fatalf("a step of %v: from %d to %d", step, before, got)
			}
			before = got
		}
	})
}

// TestSiphash: vectors from the paper's appendix and the reference code.
func TestSiphash(t *testing.T) {
	var secret [16]byte
	var input []byte
	for i := range secret {
		secret[i] = byte(i)
	}
	want := map[int]uint64{0: 0x726fdb47dd0e0e31, 1: 0x74f839c593dc67fd, 15: 0xa129ca6149be45e5}
	for n := range 16 {
		if h, ok := want[n]; ok && sum(&secret, input) != h {
			t.Errorf("%d octets: %x, want %x", n, sum(&secret, input), h)
		}
		input = append(input, byte(n))
	}
}
