package shared

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/backscatter-milter/backscatter-milter/internal/grace"
)

// TestEmptied: a store that loses everything while hosts are connected is told
// anew, under the secrets that they have, before a new host finds it empty.
func TestEmptied(t *testing.T) {
	s, a, b := two(t, 0)
	a.ledger.Record(message("before"))
	b.waitFor("before")
	key := grace.KeyID{7}
	a.grace.Prove(key, a.clock.now())
	until(t, "b knows the key", func() bool { return b.grace.Proven(key) })
	secret := string(a.ledger.Secret())
	s.FlushAll()
	until(t, "the secrets are there again", func() bool { return s.Exists(siteKey) })
	c := start(t, "c", "redis://"+s.Addr(), a.clock)
	c.waitFor("before")
	until(t, "c knows the key", func() bool { return c.grace.Proven(key) })
	for _, h := range []*host{a, b, c} {
		if string(h.ledger.Secret()) != secret {
			t.Errorf("%s has another secret", h.name)
		}
	}
	c.ledger.Record(message("c"))
	a.waitFor("c")
	b.waitFor("c")
}

// TestOtherSecrets: what a host of another record has put in the place of what
// was lost is what all agree on.
func TestOtherSecrets(t *testing.T) {
	s, a, b := two(t, 0)
	stranger := start(t, "c", "redis://192.0.2.1:1", &clock{})
	s.Close()
	a.inState("away")
	b.inState("away")
	s.FlushAll()
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	a.inState("shared")
	b.inState("shared")
	secret := stranger.ledger.Secret()
	flood := stranger.flood.Secret()
	stranger.leave()
	if err := s.Set(siteKey, siteOf(t, secret, flood[:])); err != nil {
		t.Fatal(err)
	}
	until(t, "both have it", func() bool {
		return string(a.ledger.Secret()) == string(secret) && string(b.ledger.Secret()) == string(secret)
	})
	a.ledger.Record(message("after"))
	b.waitFor("after")
}

// TestOtherServer: a connection that was lost and made anew without an error may
// lead to a server that has less.
func TestOtherServer(t *testing.T) {
	s, now := startServer(t), &clock{}
	a := start(t, "a", "redis://"+s.Addr(), now)
	a.inState("shared")
	a.ledger.Record(message("before"))
	until(t, "it is told", func() bool { return a.Status().Told > 0 })
	joined := a.Status().Joined
	a.redialed.Store(true)
	until(t, "a has compared everything", func() bool { return a.Status().Joined > joined })
	if a.Status().State != "shared" || a.Status().Failures > 0 {
		t.Errorf("%+v", a.Status())
	}
}

// TestAsleep: a host that was not there while news came and went compares
// everything.
func TestAsleep(t *testing.T) {
	_, a, b := two(t, 0)
	joined := a.Status().Joined
	a.clock.jump(liveKept)
	for _, h := range []*host{a, b} {
		until(t, h.name+" compares", func() bool { return h.Status().Joined > joined })
	}
}

// narrow is a way to a server on which octets take their time: a tenth of a
// second for each 100 KB.
func narrow(t *testing.T, to string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
			go func() {
				defer func() { _ = in.Close() }()
				for buf := make([]byte, 10_000); ; {
					n, err := out.Read(buf)
					if _, errWrite := in.Write(buf[:n]); err != nil || errWrite != nil {
						return
					}
					time.Sleep(time.Duration(n) * time.Microsecond)
				}
			}()
		}
	}()
	return l.Addr().String()
}

func fingerprints(n int) []uint64 {
	fps := make([]uint64, n)
	for i := range fps {
		fps[i] = 1<<61 | rand.Uint64()>>3
	}
	return fps
}

// TestNarrow: a record that does not come in large parts within the time that an
// operation may take comes in smaller ones; and what is new is proven in the
// meantime, in both directions.
func TestNarrow(t *testing.T) {
	s, now := startServer(t), &clock{}
	a := start(t, "a", "redis://"+s.Addr(), now)
	a.inState("shared")
	fps := fingerprints(20 * groupSize)
	yesterday := dayNumber(now.now()) - 1
	a.ledger.Merge(yesterday, fps)
	a.leave()
	a.share("redis://" + s.Addr()) // and adds them to the store
	until(t, "all is there", func() bool {
		entries, err := s.Stream(dayStream(yesterday))
		return err == nil && len(entries) >= 20
	})
	b := start(t, "b", "redis://"+narrow(t, s.Addr()), now)
	until(t, "b has begun to read", func() bool { return b.ledger.Stats().Entries > groupSize })
	a.ledger.Record(message("from a"))
	if took := b.waitFor("from a"); took > time.Second {
		t.Errorf("b proves it after %v", took)
	}
	b.ledger.Record(message("from b"))
	if took := a.waitFor("from b"); took > time.Second {
		t.Errorf("a proves it after %v", took)
	}
	if n := b.ledger.Stats().Entries; n > len(fps) || b.Status().State == "shared" {
		t.Errorf("b was through too early to tell, with %d entries", n)
	}
	until(t, "b has all", func() bool { return b.ledger.Stats().Entries > len(fps) })
	b.inState("shared")
}

// TestStopWhileComparing: nobody waits for the end of a comparison, and nothing
// goes on afterwards.
func TestStopWhileComparing(t *testing.T) {
	s, now := startServer(t), &clock{}
	before := runtime.NumGoroutine()
	a := start(t, "a", "redis://"+s.Addr(), now)
	a.ledger.Merge(dayNumber(now.now())-1, fingerprints(50*groupSize))
	a.leave()
	a.share("redis://" + narrow(t, s.Addr()))
	time.Sleep(300 * time.Millisecond)
	begun := time.Now()
	a.leave()
	if took := time.Since(begun); took > 3*Timeout {
		t.Errorf("the end took %v", took)
	}
	a.ledger.Close()
	until(t, "all goroutines end", func() bool { return runtime.NumGoroutine() <= before+3 }) // those of the narrow way
}

// TestFarewell: what was recorded last is told before the end.
func TestFarewell(t *testing.T) {
	_, a, b := two(t, 0)
	a.ledger.Record(message("last"))
	a.leave()
	b.waitFor("last")
}

// TestComesAndGoes: a store that comes and goes is not told of each time, and
// one that stays away is.
func TestComesAndGoes(t *testing.T) {
	now := &clock{}
	a := start(t, "a", "redis://192.0.2.1:1", now)
	a.leave()
	a.events = nil
	l := New(Options{URL: a.options.URL, Ledger: a.ledger, Grace: a.grace, Flood: a.flood, Now: now.now, Lifetime: a.options.Lifetime, Report: a.options.Report})
	for range 50 {
		l.away(io.EOF)
		l.back()
		now.jump(time.Second)
	}
	if n := len(a.events); n > 3 {
		t.Errorf("%d reports: %v", n, a.events)
	}
	a.events = nil
	now.jump(quiet)
	l.away(io.EOF)
	l.away(io.EOF)
	l.back()
	if n := len(a.events); n != 2 {
		t.Errorf("%d reports: %v", n, a.events)
	}
	l.away(io.EOF) // too soon to say
	now.jump(2 * quiet)
	l.away(io.EOF)
	if n := len(a.events); n != 3 {
		t.Errorf("%d reports: %v", n, a.events)
	}
}

// TestFaultOverEntry: an entry over which this daemon fails is passed over, for
// it would come up again at every attempt; its time is in doubt.
func TestFaultOverEntry(t *testing.T) {
	_, a, b := two(t, 0)
	b.leave()
	a.leave()
	m := redis.XMessage{ID: "1-1", Values: map[string]any{hostField: b.id}}
	if err := a.outlive(m, func() error { panic("oh") }); err != nil {
		t.Error(err)
	}
	if a.Status().Damaged != 1 || len(a.doubts) != 1 {
		t.Errorf("%d damaged, doubts %v", a.Status().Damaged, a.doubts)
	}
}

// TestDoubts are bounded, and about the time that could not be read.
func TestDoubts(t *testing.T) {
	s, a, _ := two(t, 12*day)
	early := a.clock.now().Add(-5 * day)
	until(t, "covered before", func() bool { return a.ledger.Covers("example.com", early) })
	c := redis.NewClient(&redis.Options{Addr: s.Addr()})
	defer func() { _ = c.Close() }()
	number := dayNumber(early)
	ctx := t.Context()
	if err := c.XAdd(ctx, &redis.XAddArgs{Stream: dayStream(number), Values: []any{hostField, "x", groupField, "12345"}}).Err(); err != nil {
		t.Fatal(err)
	}
	if err := c.XAdd(ctx, &redis.XAddArgs{Stream: liveKey, Values: []any{hostField, "x", dayField, number}}).Err(); err != nil {
		t.Fatal(err)
	}
	until(t, "the day is not covered", func() bool { return !a.ledger.Covers("example.com", early) })
	if !a.ledger.Covers("example.com", early.Add(2*day)) || !a.ledger.Covers("example.com", early.Add(-2*day)) {
		t.Error("nor are others")
	}
	a.leave()
	for i := range 10 * maxDoubts {
		a.doubt(early.Add(time.Duration(i)*time.Second), early.Add(time.Duration(i)*time.Minute))
	}
	if len(a.doubts) > maxDoubts || !a.doubts[0].To.After(early) {
		t.Errorf("%d doubts", len(a.doubts))
	}
}

// TestBackSoon: a store that was away for a moment is asked again in half a
// second.
func TestBackSoon(t *testing.T) {
	s, a, _ := two(t, 0)
	s.Close()
	a.inState("away")
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if took := until(t, "a is back", func() bool { return a.Status().State == "shared" }); took > firstWait+4*tick {
		t.Errorf("after %v", took)
	}
	if n := a.Status().Failures; n != 1 {
		t.Errorf("%d failures", n)
	}
}

// TestSlowEnd: the store is away when the host stops.
func TestSlowEnd(t *testing.T) {
	s, a, _ := two(t, 0)
	s.Close()
	a.inState("away")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	a.stop()
	select {
	case <-a.Done():
	case <-ctx.Done():
		t.Error("does not end")
	}
}

func siteOf(t *testing.T, ledger, flood []byte) string {
	t.Helper()
	text, err := encodeSite(ledger, flood)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestStaleRecords of grace are taken away, without a moment in which others
// could not read those that hold.
func TestStaleRecords(t *testing.T) {
	s, now := startServer(t), &clock{}
	a := start(t, "a", "redis://"+s.Addr(), now)
	a.inState("shared")
	a.leave()
	s.HSet(graceHash(a.id), "domain/old.example.com", "{}")
	a.share("redis://" + s.Addr())
	a.inState("shared")
	fields, err := s.HKeys(graceHash(a.id))
	if err != nil || strings.Join(fields, " ") != "beat" {
		t.Errorf("%v, %v", fields, err)
	}
}
