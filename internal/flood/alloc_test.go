//go:build !race

package flood

import (
	"testing"
	"time"
)

// TestAllocatesNothing keeps a flood from costing memory.
func TestAllocatesNothing(t *testing.T) {
	s := newSite(t, nil)
	s.flood(host(2, 1), "example.com", 401, 0)
	for range 401 {
		s.UnprovenSubject(host(3, 1), s.Subject("failure notice"))
		s.Unproven(other, "alice@example.com")
	}
	s.flood(host(4, 1), "example.com", 250, 0)
	s.flood(host(5, 1), "example.com", 100, 0)
	notice := s.Subject("failure notice")
	for name, do := range map[string]func(){
		"a blocked client":        func() { s.Blocked(host(2, 1), "bob@example.com") },
		"a blocked recipient":     func() { s.Blocked(host(5, 1), "alice@example.com") },
		"neither":                 func() { s.Blocked(host(5, 1), "Bob@Bücher.Example.com") },
		"a blocked subject":       func() { s.BlockedSubject(host(3, 1), notice) },
		"no blocked subject":      func() { s.BlockedSubject(host(4, 1), notice) },
		"refused":                 func() { s.Unproven(host(2, 1), "bob@example.com") },
		"refused for alice":       func() { s.Unproven(host(5, 1), "alice@example.com") },
		"a surge":                 func() { s.Surge(host(4, 1), "bob@example.com") },
		"a domain's surge":        func() { s.Surge(host(6, 1), "bob@example.com") },
		"a subject":               func() { s.Subject("Delivery failed: <alice@example.com> 您的邮件 Rückläufer 17") },
		"a subject counted":       func() { s.UnprovenSubject(host(6, 1), notice); s.wait(time.Second) },
		"a recipient counted":     func() { s.Unproven(host(6, 1), "bob@example.com"); s.wait(time.Minute) },
		"a hot client counted":    func() { s.Unproven(host(5, 1), ""); s.wait(time.Second) },
		"a recipient acquitted":   func() { s.Acquitted(host(6, 1), "bob@example.com") },
		"a proven bounce counted": func() { s.Proven("bob@example.com"); s.wait(time.Minute) },
	} {
		now := s.now
		if n := testing.AllocsPerRun(200, do); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		s.now = now
	}
}
