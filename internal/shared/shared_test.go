package shared

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/backscatter-milter/backscatter-milter/internal/grace"
)

// two starts two hosts that have been there for so long.
func two(t *testing.T, age time.Duration) (s *miniredis.Miniredis, a, b *host) {
	t.Helper()
	s, now := startServer(t), &clock{}
	now.jump(-age)
	a = start(t, "a", "redis://"+s.Addr(), now)
	a.inState("shared")
	b = start(t, "b", "redis://"+s.Addr(), now)
	a.knows(1)
	b.knows(1)
	if age > 0 {
		live(age, a, b)
		for _, h := range []*host{a, b} {
			until(t, "both have caught up", func() bool { return h.clock.now().Sub(h.Status().Hosts[0].Heard) < time.Minute })
		}
	}
	return s, a, b
}

// TestRecordedThereProvenHere: within a second, in both directions, and what was
// recorded before too.
func TestRecordedThereProvenHere(t *testing.T) {
	s, now := startServer(t), &clock{}
	a := start(t, "a", "redis://"+s.Addr(), now)
	a.inState("shared")
	a.ledger.Record(message("early"))
	b := start(t, "b", "redis://"+s.Addr(), now)
	b.waitFor("early")
	for i := range 5 {
		id := fmt.Sprint("a", i)
		a.ledger.Record(message(id))
		if took := b.waitFor(id); took > time.Second {
			t.Errorf("b proves it after %v", took)
		}
		id = fmt.Sprint("b", i)
		b.ledger.Record(message(id))
		if took := a.waitFor(id); took > time.Second {
			t.Errorf("a proves it after %v", took)
		}
	}
	if a.proves("nobody's") || b.proves("nobody's") {
		t.Error("proves what nobody sent")
	}
	for _, key := range s.Keys() {
		if s.TTL(key) <= 0 || !strings.HasPrefix(key, prefix) {
			t.Errorf("%s lives for %v", key, s.TTL(key))
		}
	}
}

// TestOneFlood: 25 events on each host are over a threshold of 40.
func TestOneFlood(t *testing.T) {
	_, a, b := two(t, 0)
	const from = "203.0.113.7"
	a.bounce(from, 25)
	time.Sleep(5 * tick)
	if a.blocks(from) || b.blocks(from) {
		t.Fatal("blocked by 25")
	}
	b.bounce(from, 25)
	if !b.blocks(from) {
		t.Error("not blocked by 25 and 25")
	}
	if took := until(t, "a blocks, too", func() bool { return a.blocks(from) }); took > time.Second {
		t.Errorf("a blocks after %v", took)
	}
	if !a.flood.Unblock("203.0.113.7") {
		t.Error("nothing to unblock")
	}
	until(t, "b unblocks, too", func() bool { return !b.blocks(from) })
	if a.blocks(from) {
		t.Error("blocked again")
	}
}

// TestJoinInFlood: a host that starts in the middle knows the blocks that run.
func TestJoinInFlood(t *testing.T) {
	s, a, _ := two(t, 0)
	a.bounce("203.0.113.7", 50)
	time.Sleep(3 * tick)
	c := start(t, "c", "redis://"+s.Addr(), a.clock)
	c.inState("shared")
	until(t, "c blocks, too", func() bool { return c.blocks("203.0.113.7") })
}

// TestAway: the store dies, hosts go on by themselves, and find together again,
// whether it has kept its data or not.
func TestAway(t *testing.T) {
	for _, loses := range []bool{false, true} {
		t.Run(fmt.Sprint("loses ", loses), func(t *testing.T) {
			s, a, b := two(t, 0)
			a.ledger.Record(message("before"))
			b.waitFor("before")
			s.Close()
			a.inState("away")
			b.inState("away")
			a.ledger.Record(message("a meanwhile"))
			b.ledger.Record(message("b meanwhile"))
			a.bounce("203.0.113.7", 50)
			if !a.blocks("203.0.113.7") || b.blocks("203.0.113.7") {
				t.Error("they do not act alone")
			}
			until(t, "a proves its own", func() bool { return a.proves("a meanwhile") })
			if loses {
				s.FlushAll()
			}
			if err := s.Restart(); err != nil {
				t.Fatal(err)
			}
			b.waitFor("a meanwhile")
			a.waitFor("b meanwhile")
			until(t, "b blocks, too", func() bool { return b.blocks("203.0.113.7") })
			c := start(t, "c", "redis://"+s.Addr(), a.clock)
			c.waitFor("before")
			c.waitFor("a meanwhile")
			c.waitFor("b meanwhile")
			for _, h := range []*host{a, b} {
				if n := h.told("the shared store is in use, by this host alone so far") + h.told("the shared store is in use"); n != 2 {
					t.Errorf("%s: reported %v", h.name, h.events)
				}
			}
		})
	}
}

// TestUnknownIsNotForeign: what is not known of another host is not covered, and
// if it lasts not strict.
func TestUnknownIsNotForeign(t *testing.T) {
	_, a, b := two(t, 12*day)
	early := a.clock.now().Add(-5 * day)
	until(t, "both hosts cover", func() bool {
		return a.ledger.Covers("example.com", early) && b.ledger.Covers("example.com", early) &&
			a.grace.Strict("example.com", a.clock.now()) && b.grace.StrictByRecord("example.com", b.clock.now())
	})
	if a.ledger.Covers("example.com", a.clock.now()) {
		t.Error("covers what another host may be recording")
	}
	gone := b.clock.now()
	b.leave()
	time.Sleep(3 * tick)
	minutes(14, a)
	if !a.grace.Strict("example.com", a.clock.now()) {
		t.Error("not strict after a pause as short as a restart")
	}
	minutes(10, a)
	until(t, "not strict while b is silent", func() bool { return !a.grace.Strict("example.com", a.clock.now()) })
	if !a.ledger.Covers("example.com", gone.Add(-10*time.Minute)) || a.ledger.Covers("example.com", gone.Add(10*time.Minute)) {
		t.Error("covers the wrong times")
	}
}

// TestStartAlone: a host that starts while the store is away knows nothing of
// the others, even if there are none.
func TestStartAlone(t *testing.T) {
	s, now := startServer(t), &clock{}
	url := "redis://" + s.Addr()
	s.Close()
	now.jump(-12 * day)
	c := start(t, "c", url, now)
	live(12*day, c)
	c.inState("away")
	early := c.clock.now().Add(-5 * day)
	if c.ledger.Covers("example.com", early) || c.grace.Strict("example.com", c.clock.now()) {
		t.Error("strict or covering without having heard of the others")
	}
	if !c.proves("first-c") {
		t.Error("does not prove what is its own")
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	until(t, "it is alone, and covers", func() bool {
		return c.ledger.Covers("example.com", early) && c.grace.Strict("example.com", c.clock.now())
	})
}

// minutes lets time pass on a host, its heart beating.
func minutes(n int, h *host) {
	for range n / 2 {
		h.clock.jump(2 * time.Minute)
		h.ledger.Heartbeat()
		h.grace.Heartbeat(h.clock.now())
	}
	time.Sleep(3 * tick)
}

// TestGapThereIsGapHere, and a host that joins is one for all.
func TestGapThereIsGapHere(t *testing.T) {
	s, a, b := two(t, 12*day)
	until(t, "a is strict", func() bool { return a.grace.Strict("example.com", a.clock.now()) })
	b.grace.Unsigned("example.com", "signing was switched off", b.clock.now())
	until(t, "a is not strict for b's gap", func() bool { return !a.grace.Strict("example.com", a.clock.now()) })
	if !a.grace.StrictByRecord("example.com", a.clock.now()) {
		t.Error("a gap of signing is none of recording")
	}
	early := a.clock.now().Add(-5 * day)
	if !a.ledger.Covers("example.com", early) {
		t.Error("not covered before c joins")
	}
	c := start(t, "c", "redis://"+s.Addr(), a.clock)
	c.knows(2)
	until(t, "what c recorded before it joined is not known", func() bool {
		return !a.ledger.Covers("example.com", early) && !a.grace.StrictByRecord("example.com", a.clock.now())
	})
}

// TestKeysOfOthers: what another host's keys have signed and proven is known.
func TestKeysOfOthers(t *testing.T) {
	_, a, b := two(t, 0)
	key := grace.KeyID{7}
	a.grace.Signed("example.com", key, a.clock.now())
	a.grace.Prove(key, a.clock.now())
	until(t, "b knows the key", func() bool { return b.grace.Proven(key) && len(b.grace.Keys()) == 1 })
	for range grace.Sightings {
		a.grace.SawAccepted("example.org", a.clock.now())
		b.grace.SawSent("example.org", b.clock.now())
	}
	until(t, "both have learned the domain", func() bool { return a.grace.Ours("example.org") && b.grace.Ours("example.org") })
}

// TestDowntimeThereIsDowntimeHere.
func TestDowntimeThereIsDowntimeHere(t *testing.T) {
	_, a, b := two(t, 12*day)
	until(t, "a is strict", func() bool { return a.grace.StrictByRecord("example.com", a.clock.now()) })
	b.grace.Heartbeat(b.clock.now().Add(time.Hour)) // as after an hour's sleep
	until(t, "a is not strict for b's downtime", func() bool { return !a.grace.StrictByRecord("example.com", a.clock.now()) })
}

// TestToldLate: what one host could not tell when it was new is taken in by
// those that were there all the time.
func TestToldLate(t *testing.T) {
	s, a, b := two(t, 0)
	a.leave()
	a.ledger.Record(message("late"))
	until(t, "it is recorded", func() bool {
		fps, _, _ := a.ledger.Fresh() // and lost on the way
		return len(fps) > 0
	})
	time.Sleep(3 * tick)
	if b.proves("late") {
		t.Fatal("told already")
	}
	a.share("redis://" + s.Addr())
	b.waitFor("late")
}
