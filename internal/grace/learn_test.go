package grace

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestLearns(t *testing.T) {
	s := newSite(t)
	for range 50 {
		s.SawAccepted("relayed.example.net", s.now)
		s.SawSent("forwarded.example.org", s.now)
	}
	for range Sightings - 1 {
		s.SawSent("relayed.example.net", s.now)
	}
	for range Sightings {
		s.SawAccepted("Example.COM.", s.now)
		s.SawSent(example, s.now)
		s.SawAccepted("bücher.example.com", s.now)
		s.SawSent("xn--bcher-kva.example.com", s.now)
	}
	want := "example.com xn--bcher-kva.example.com"
	if got := strings.Join(s.Domains(), " "); got != want {
		t.Errorf("learned %q", got)
	}
	for name, want := range map[string]bool{"EXAMPLE.com": true, "BÜCHER.example.com": true, "relayed.example.net": false, "forwarded.example.org": false, "": false} {
		if s.Ours(name) != want {
			t.Errorf("%q ours: %v", name, !want)
		}
	}
	if _, kept := s.store.records[domainKey+"forwarded.example.org"]; kept {
		t.Error("a domain that is only forwarded is stored")
	}
	s.start()
	if got := strings.Join(s.Domains(), " "); got != want {
		t.Errorf("after a restart %q", got)
	}
	for range 80 {
		s.live(day)
		s.SawSent("xn--bcher-kva.example.com", s.now)
	}
	s.live(11 * day)
	if s.Ours("relayed.example.net") || !s.Ours("xn--bcher-kva.example.com") {
		t.Errorf("after 91 days %q", s.Domains())
	}
	if _, kept := s.store.records[domainKey+"relayed.example.net"]; kept {
		t.Error("what is forgotten stays in the store")
	}
}

// Outsiders who write to ever new names do not keep a domain of ours from being
// learned, nor do these names stay in the store.
func TestOutsidersDoNotFillTheTable(t *testing.T) {
	s := newSite(t)
	for i := range MaxDomains {
		s.SawAccepted(fmt.Sprintf("d%d.example.org", i), s.now)
		s.now = s.now.Add(time.Millisecond)
	}
	for range Sightings {
		s.SawSent(example, s.now)
		s.SawAccepted(example, s.now)
	}
	if !s.Ours(example) || s.Counts().NotLearned != 0 {
		t.Errorf("our domain was not learned: %+v", s.Counts())
	}
	if _, kept := s.store.records[domainKey+"d0.example.org"]; kept {
		t.Error("what made room stays in the store")
	}
}
