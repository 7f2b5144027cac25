package dkim

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// zone is a Resolver whose answers a test sets.
type zone struct {
	mu      sync.Mutex
	asked   int
	records []string
	ttl     time.Duration
	err     error
	wait    chan struct{} // nil: none
}

func (z *zone) TXT(ctx context.Context, _ string) ([]string, time.Duration, error) {
	z.mu.Lock()
	z.asked++
	wait := z.wait
	z.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.err != nil && z.err.Error() == "panic" {
		panic("a panic")
	}
	return z.records, z.ttl, z.err
}

func (z *zone) count() int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked
}

// TestKept wants each answer kept for as long as it holds, within bounds.
func TestKept(t *testing.T) {
	good := ourKeys()["ed._domainkey.example.com"]
	for _, tt := range []struct {
		name string
		zone *zone
		kept time.Duration
		want string
	}{
		{"a key", &zone{records: []string{good}, ttl: time.Hour}, time.Hour, "<nil>"},
		{"for a second", &zone{records: []string{good}, ttl: time.Second}, time.Minute, "<nil>"},
		{"for a year", &zone{records: []string{good}, ttl: 365 * 24 * time.Hour}, 24 * time.Hour, "<nil>"},
		{"among others", &zone{records: []string{"v=spf1 -all", good, good}, ttl: time.Hour}, time.Hour, "<nil>"},
		{"none", &zone{ttl: 3 * time.Minute}, 3 * time.Minute, "there is no such key"},
		{"none, for a second", &zone{ttl: 0}, time.Minute, "there is no such key"},
		{"none, for a day", &zone{ttl: 24 * time.Hour}, 5 * time.Minute, "there is no such key"},
		{"revoked", &zone{records: []string{"p="}, ttl: time.Hour}, 5 * time.Minute, "the key is revoked"},
		{"junk", &zone{records: []string{"a", "b"}, ttl: time.Hour}, 5 * time.Minute, `key record: "b" is no tag`},
		{"behind ten others", &zone{records: append(strings.Split("abcdefghij", ""), good), ttl: time.Hour}, 5 * time.Minute, `key record: "j" is no tag`},
		{"failure", &zone{err: errors.New("down"), ttl: time.Hour}, time.Minute, "down"},
		{"panic", &zone{err: errors.New("panic")}, time.Minute, "asking for the key s._domainkey.example.com: panic: a panic"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
			c := NewCache(tt.zone, func() time.Time { return now })
			ask := func(after time.Duration, times int) {
				t.Helper()
				now = now.Add(after)
				k, err := c.Key(t.Context(), "s", "example.com")
				if fmt.Sprint(err) != tt.want || (k == nil) != (err != nil) || tt.zone.count() != times {
					t.Errorf("%v, %v; asked %d times, want %d", k, err, tt.zone.count(), times)
				}
			}
			ask(0, 1)
			ask(tt.kept-time.Second, 1)
			ask(time.Second, 2)
			ask(-48*time.Hour, 3) // the clock was set back
		})
	}
}

// TestShared: who comes while a question is under way waits for it, and who no
// longer waits does not end it.
func TestShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{records: []string{ourKeys()["ed._domainkey.example.com"]}, wait: make(chan struct{})}
		c := NewCache(z, time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		impatient := make(chan error)
		go func() { _, err := c.Key(ctx, "s", "example.com"); impatient <- err }()
		patient := make(chan error)
		for range 10 {
			go func() { _, err := c.Key(t.Context(), "s", "example.com"); patient <- err }()
		}
		synctest.Wait()
		cancel()
		if err := <-impatient; !errors.Is(err, context.Canceled) {
			t.Errorf("the impatient: %v", err)
		}
		close(z.wait)
		for range 10 {
			if err := <-patient; err != nil {
				t.Errorf("the patient: %v", err)
			}
		}
		if _, err := c.Key(ctx, "s", "example.com"); err != nil || z.count() != 1 {
			t.Errorf("afterwards: %v; asked %d times", err, z.count())
		}
	})
}

// TestSlow: a question that gets no answer ends after two seconds, by itself.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{wait: make(chan struct{})}
		c := NewCache(z, time.Now)
		begun := time.Now()
		if _, err := c.Key(t.Context(), "s", "example.com"); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

// TestSilence: where a domain has no answer, a new selector does not buy a new wait.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{records: []string{ourKeys()["ed._domainkey.example.com"]}, ttl: time.Minute}
		c := NewCache(z, time.Now)
		asks := func(what, selector, domain string, waits time.Duration, times int) {
			t.Helper()
			begun, before := time.Now(), z.count()
			_, _ = c.Key(t.Context(), selector, domain)
			if took, asked := time.Since(begun), z.count()-before; took != waits || asked != times {
				t.Errorf("%s: %v, asked %d times, want %v, %d", what, took, asked, waits, times)
			}
		}
		asks("while there are answers", "known", "example.com", 0, 1)
		time.Sleep(2 * time.Minute)
		z.wait = make(chan struct{}) // nobody answers any more
		asks("the first", "a", "Example.com", questionFor, 1)
		asks("one with another selector", "b", "example.COM", 0, 0)
		asks("another domain", "a", "example.net", questionFor, 1)
		asks("a key that there was", "known", "example.com", questionFor, 1)
		time.Sleep(silentFor)
		asks("later", "c", "example.com", questionFor, 1)
		close(z.wait)
		time.Sleep(silentFor)
		asks("after it all", "d", "example.com", 0, 1)
		asks("at once", "e", "example.com", 0, 1)
		for i := range maxSilent + 1 {
			c.silent[fmt.Sprint(i, ".example")] = time.Now()
		}
		z.wait = make(chan struct{})
		asks("with no room", "f", "example.com", questionFor, 1)
		if len(c.silent) != 1 {
			t.Errorf("%d domains noted", len(c.silent))
		}
	})
}

// TestFlights: so many questions at once, and no more.
func TestFlights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{wait: make(chan struct{})}
		c := NewCache(z, time.Now)
		for i := range 64 {
			go c.Key(t.Context(), fmt.Sprint(i), "example.com")
		}
		synctest.Wait()
		if _, err := c.Key(t.Context(), "another", "example.com"); err == nil || statusOf(err) != KeyUnavailable {
			t.Errorf("one more: %v", err)
		}
		close(z.wait)
		synctest.Wait()
		if _, err := c.Key(t.Context(), "another", "example.com"); !errors.Is(err, ErrNoKey) || len(c.flights) != 0 {
			t.Errorf("afterwards: %v, %d under way", err, len(c.flights))
		}
	})
}

// TestRoom: names that never were do not drive keys out, and the cache is
// bounded whatever it holds.
func TestRoom(t *testing.T) {
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	z := &zone{records: []string{ourKeys()["ed._domainkey.example.com"]}, ttl: 2 * time.Minute}
	c := NewCache(z, func() time.Time { return now })
	get := func(selector string) { c.Key(t.Context(), selector, "example.com") }
	get("real")
	z.records, z.ttl = nil, 5*time.Minute
	for i := range 3000 {
		get(fmt.Sprint("fake", i))
	}
	asked := z.count()
	get("real")
	if len(c.entries) != 1000 || z.count() != asked {
		t.Errorf("%d entries; the key was asked for again: %v", len(c.entries), z.count() != asked)
	}
	z.records, z.ttl = []string{ourKeys()["ed._domainkey.example.com"]}, time.Hour
	for i := range 1500 {
		now = now.Add(time.Millisecond)
		get(fmt.Sprint("true", i))
	}
	asked = z.count()
	get("true1499")
	if len(c.entries) != 1000 || z.count() != asked {
		t.Errorf("%d entries; the last was asked for again: %v", len(c.entries), z.count() != asked)
	}
	get("real")
	if z.count() != asked+1 {
		t.Error("the one that ends first was kept")
	}
	now = now.Add(24 * time.Hour)
	get("after a day")
	z.records = nil
	get("none")
	get("none2")
	get("after a day")
	if len(c.entries) != 1000 || z.count() != asked+4 {
		t.Errorf("%d entries; asked %d times", len(c.entries), z.count()-asked)
	}
}
