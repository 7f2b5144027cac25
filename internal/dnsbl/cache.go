package dnsbl

import (
	"net/netip"
	"time"
)

// Bounds on how long an answer is kept.
const (
	minTTL     = time.Second
	maxTTL     = 24 * time.Hour
	failureTTL = 5 * time.Second // of an answer without opinion, or without a TTL
)

// entry is what the zones said of an address.
type entry struct {
	result  Result
	until   time.Time // when the first of the answers ends
	changes int       // of the Client, when it was made
}

func newEntry(r Result, now time.Time, changes int) *entry {
	e := &entry{result: r, until: now.Add(maxTTL), changes: changes}
	for _, a := range r.Answers {
		if a.until.Before(e.until) {
			e.until = a.until
		}
	}
	return e
}

// fresh reports whether the whole entry still holds.
func (e *entry) fresh(now time.Time, changes int) bool {
	return e != nil && e.changes == changes && holds(e.until, now)
}

// good reports whether the answer of one zone still holds.
func (a Answer) good(now time.Time) bool {
	return a.Status != NotAsked && a.Status != Unhealthy && holds(a.until, now)
}

// holds is wary of clocks that were set back.
func holds(until, now time.Time) bool { return now.Before(until) && until.Sub(now) <= maxTTL }

// cache remembers the addresses seen last, at most so many: when the young are
// half of them, they become the old, and the old are forgotten.
type cache struct {
	half       int
	young, old map[netip.Addr]*entry
}

func newCache(size int) cache {
	return cache{half: max(size/2, 1), young: map[netip.Addr]*entry{}}
}

func (c *cache) get(addr netip.Addr) *entry {
	if e := c.young[addr]; e != nil {
		return e
	}
	e := c.old[addr]
	if e != nil {
		c.add(addr, e)
	}
	return e
}

// put keeps an entry that has any time to live.
func (c *cache) put(addr netip.Addr, e *entry, now time.Time) {
	if e.until.After(now) {
		c.add(addr, e)
	}
}

func (c *cache) add(addr netip.Addr, e *entry) {
	if _, known := c.young[addr]; !known && len(c.young) >= c.half {
		c.young, c.old = make(map[netip.Addr]*entry, c.half), c.young
	}
	delete(c.old, addr)
	c.young[addr] = e
}
