package journal

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// spread is the nth decision of a flood from as many networks.
func spread(c *clock, n int) Entry {
	e := refusal(c, n)
	e.Client = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), 15: 25})
	return e
}

// A flood from more networks than are counted one by one hides nothing of another
// matter, though that comes from ever new networks too, and is laid at no single
// network's door.
func TestFloodFromEverywhere(t *testing.T) {
	c := newClock()
	j := open(t, Options{Now: c.Now})
	for n := range 30_000 {
		j.add(spread(c, n))
	}
	if got := len(j.limit.networks); got != maxBudgets {
		t.Errorf("%d networks are counted one by one, want %d", got, maxBudgets)
	}
	rare := map[string]Entry{}
	for n, kind := range []struct {
		reason, action string
		enforced       bool
	}{
		{"tag-valid", "accept", true}, {"origin-proven", "accept", true}, {"tag-forged", "reject", true}, {"exempt", "accept", true},
		{"tag-missing", "accept", true}, {"tag-missing", "reject", false}, {"flood", "tempfail", true},
	} {
		for i := range 50 {
			e := spread(c, 40_000+100*n+i)
			e.Reason, e.Action, e.Enforced = kind.reason, kind.action, kind.enforced
			e.ID = fmt.Sprintf("RARE-%d-%d", n, i)
			rare[e.ID] = e
			j.add(e, spread(c, 100_000+n*100+i))
		}
	}
	for id, want := range rare {
		got := j.Find(Query{ID: id}).Entries
		if len(got) != 1 || got[0].Reason != want.Reason || got[0].Skipped != 0 {
			t.Fatalf("%s of %s %s: %+v", id, want.Reason, want.Action, got)
		}
	}
	for _, top := range j.Top(c.Now().Add(-time.Hour), 1000).Networks {
		if top.N > 1 {
			t.Errorf("%d decisions are laid at %s, which brought one", top.N, top.Name)
		}
	}
	s := j.Stats()
	if kept := uint64(s.Entries); kept+s.Skipped != 30_000+700 || kept > maxBudgets+perBeyond+350+2 {
		t.Errorf("%d are kept, %d only counted", kept, s.Skipped)
	}
}

// Networks beyond those that are counted one by one share a budget, from which
// one a second is left when it is used up.
func TestBeyondTrickles(t *testing.T) {
	c := newClock()
	j := open(t, Options{Now: c.Now})
	for n := range maxBudgets + perBeyond + 1000 {
		j.add(spread(c, n))
	}
	before := j.Stats().Entries
	for n := range 100 {
		c.move(200 * time.Millisecond)
		j.add(spread(c, 20_000+n))
	}
	if before > maxBudgets+perBeyond+1 {
		t.Errorf("%d of one moment are kept", before)
	}
	if kept := j.Stats().Entries - before; kept < 18 || kept > 21 {
		t.Errorf("%d are kept of 20 seconds, want one a second", kept)
	}
}

// More matters than there are share one budget.
func TestMatters(t *testing.T) {
	c := newClock()
	j := open(t, Options{Now: c.Now})
	for n := range 3 * maxBudgets {
		e := spread(c, n)
		e.Reason = fmt.Sprint(n)
		j.add(e)
	}
	l := &j.limit
	if len(l.matters) > maxBudgets+1 || len(l.networks) > maxBudgets || len(l.beyond) > maxBudgets+1 {
		t.Errorf("%d matters, %d networks, %d beyond", len(l.matters), len(l.networks), len(l.beyond))
	}
}
