package grace

import (
	"sync"
	"time"
)

const (
	// MaxDomains is how many domains are known at once, candidates included,
	// and how many keys. Those beyond are not learned, and counted.
	MaxDomains = 10_000
	// Sightings is how often a domain must have been seen to receive, and how
	// often to send, before it is taken for ours: one forged or forwarded
	// message makes none of a domain that is merely relayed.
	Sightings = 3
	// MinDays is on how many days a domain must have signed (recorded) before
	// it is strict, however short the lifetime of tags.
	MinDays = 3
	// Hole is how long the daemon may be away, and how far the clock may step,
	// without a gap in the record.
	Hole = 15 * time.Minute
	// Memory is how long domains, keys and evidence that are not seen again
	// are remembered.
	Memory = 90 * 24 * time.Hour

	day       = 24 * time.Hour
	freshness = 5 * time.Minute // how exact times of last sightings are
	maxGaps   = 16              // kept of each record, the latest
	maxDays   = 128             // days of activity kept, the latest
)

// Store keeps small records by key. Put and Delete must not wait, and the value
// is not changed after Put. Each is used at the start only.
type Store interface {
	Each(func(key string, value []byte) error) error
	Put(key string, value []byte)
	Delete(key string)
}

// Rules are the settings that strictness depends on.
type Rules struct {
	Lifetime time.Duration // of tags
	// AllMailHere reports whether the postmaster says that all mail of the
	// domain leaves through this site. It must not call Grace. Nil: of none.
	AllMailHere func(domain string) bool
}

// Grace is the record. It is safe for concurrent use; the methods that a
// message's way leads through take a read lock where nothing new is to be
// noted, and allocate nothing for domains in lower-case ASCII.
type Grace struct {
	mu      sync.RWMutex
	store   Store // nil: memory only
	rules   Rules
	clock   clock
	domains map[string]*domain
	keys    map[KeyID]*key
	counts  Counts
	sharing sharing // with other hosts
}

// Counts are figures since the start.
type Counts struct {
	NotLearned int64 // sightings of domains for which there was no room
	Unreadable int64 // records of the store that made no sense
}

// New reads what the store remembers. The time since the last heartbeat in it
// becomes a gap where it is longer than Hole. With a nil store everything is
// new and nothing outlives the process. An error means that the store could
// not be read to its end: the Grace is valid, works with what was read and goes
// on writing.
func New(store Store, rules Rules, now time.Time) (*Grace, error) {
	g := &Grace{store: store, rules: rules, domains: map[string]*domain{}, keys: map[KeyID]*key{}}
	var err error
	if store != nil {
		err = store.Each(g.read)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.advance(now)
	g.beat(now)
	return g, err
}

// SetRules changes the rules, as a reload does.
func (g *Grace) SetRules(rules Rules, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rules = rules
	g.advance(now)
	g.judgeAll()
}

// Heartbeat is to be called each minute: it notes that the daemon is alive,
// notices when the clock has jumped, forgets what is too old, and finds out
// which domains have become strict.
func (g *Grace) Heartbeat(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.advance(now)
	g.beat(now)
}

func (g *Grace) beat(now time.Time) {
	g.forget(now)
	g.judgeAll()
	g.save(beatKey, &g.clock.record)
}

// Counts gives the figures of the moment.
func (g *Grace) Counts() Counts {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.counts
}

// forget drops domains and keys that have not been seen for long. A time of
// which the record knows nothing does not count as one in which they were not
// seen: neither downtime nor a clock a year ahead makes the site forget.
func (g *Grace) forget(now time.Time) {
	from := lastEnd(g.clock.record.Gaps)
	old := func(seen time.Time) bool { return now.Sub(later(seen, from)) > Memory }
	for name, d := range g.domains {
		if old(d.seen()) {
			delete(g.domains, name)
			g.remove(domainKey + name)
			continue
		}
		if d.Elsewhere.What != "" && old(d.Elsewhere.At) {
			d.Elsewhere = Evidence{}
			g.saveDomain(name, d)
		}
	}
	for id, k := range g.keys {
		if old(later(k.Last, k.Proven)) {
			delete(g.keys, id)
			g.remove(keyKey + id.String())
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
