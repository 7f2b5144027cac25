package flood

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestConcurrent(t *testing.T) {
	f := New(Options{Rules: defaults(), Now: time.Now, Report: func(Change) {}})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 3000 {
				client, r := host(byte(i%7), byte(g)), fmt.Sprintf("user%d@example.com", i%300)
				f.Blocked(client, r)
				f.Surge(client, r)
				s := f.Subject(r)
				f.BlockedSubject(client, s)
				f.Unproven(client, r)
				f.UnprovenSubject(client, s)
				f.Proven(r)
				switch i % 500 {
				case 0:
					f.Sweep()
				case 100:
					f.Hottest(10)
				case 200:
					f.Unblock("192.0.3.1")
				case 300:
					rules := defaults()
					rules.Window += time.Duration(g) * time.Second
					f.SetRules(rules)
				case 400:
					f.Blocks()
					f.Acquitted(client, r)
				}
			}
		})
	}
	wg.Wait()
	for kind := ByClient; kind < kinds; kind++ {
		b := &f.watch[kind].book
		var blocked, surging int64
		for i := range b.shards {
			for _, r := range b.shards[i].m {
				if r.blocked {
					blocked++
				}
				if r.surging {
					surging++
				}
			}
		}
		if blocked != b.blocked.Load() || surging != b.surging.Load() {
			t.Errorf("%v: %d blocked and %d surging, counted %d and %d", kind, blocked, surging, b.blocked.Load(), b.surging.Load())
		}
	}
	if n := f.Blocks(); n[ByClient]+n[ByRecipient] == 0 {
		t.Errorf("blocks %v, want some", n)
	}
}

// TestConcurrentCount: no event of many goroutines is lost.
func TestConcurrentCount(t *testing.T) {
	s := newSite(t, func(r *Rules) { r.Threshold, r.Surge = 8000, 0 })
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 1000 {
				s.Unproven(host(2, byte(g)), fmt.Sprintf("u%d@example.com", i))
			}
		})
	}
	wg.Wait()
	s.expectBlocked("after 8000", host(2, 1), "new@example.com", None)
	s.Unproven(host(2, 1), "new@example.com")
	s.expectBlocked("after 8001", host(2, 1), "new@example.com", ByClient)
	if slices.ContainsFunc(s.told, func(c Change) bool { return c.Kind != ByClient }) {
		t.Errorf("reports: %+v", s.told)
	}
}
