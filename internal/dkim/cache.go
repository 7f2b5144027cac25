package dkim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	maxEntries = 1000
	maxFlights = 64 // questions under way
	maxTexts   = 10 // records looked at of one answer

	shortest    = time.Minute // that any answer is kept
	longestKey  = 24 * time.Hour
	longestNone = 5 * time.Minute // that there is no key
	questionFor = 2 * time.Second

	maxSilent = 1000             // domains of which it is noted
	silentFor = 10 * time.Second // that nobody asks anew
)

// Resolver asks the DNS for TXT records, each with its strings joined, and how
// long they hold. No such name and no such record are an empty list and no
// error; an error means: could not be asked.
type Resolver interface {
	TXT(ctx context.Context, name string) (records []string, ttl time.Duration, err error)
}

// Cache is a KeySource that asks the DNS and remembers the answers, at most
// 1000. A question goes on when nobody waits for it any more, so that the answer
// is there when it is next wanted. Where a domain's name servers gave no answer,
// keys of it that were never seen are not asked for in the next ten seconds:
// whoever writes a signature chooses its selector, and could have each message
// wait anew.
type Cache struct {
	resolver Resolver
	now      func() time.Time

	mu      sync.Mutex
	entries map[string]entry
	flights map[string]*flight
	silent  map[string]time.Time // domain: until when it is
}

// entry is an answer.
type entry struct {
	key   *Key
	err   error
	until time.Time
}

// flight is a question under way; the entry is set when done is closed.
type flight struct {
	done chan struct{}
	entry
}

// NewCache asks the resolver.
func NewCache(r Resolver, now func() time.Time) *Cache {
	return &Cache{resolver: r, now: now, entries: map[string]entry{}, flights: map[string]*flight{}, silent: map[string]time.Time{}}
}

// Key implements KeySource.
func (c *Cache) Key(ctx context.Context, selector, domain string) (*Key, error) {
	f, err := c.flight(keyName(selector, domain), domain)
	if err != nil {
		return nil, err
	}
	select {
	case <-f.done:
		return f.key, f.err
	default:
	}
	select {
	case <-f.done:
		return f.key, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the key %s: %w", keyName(selector, domain), ctx.Err())
	}
}

// flight gives the question for a name in a domain: one that is answered, one
// under way, or a new one.
func (c *Cache) flight(name, domain string) (*flight, error) {
	domain = strings.ToLower(domain)
	c.mu.Lock()
	defer c.mu.Unlock()
	e, known := c.entries[name]
	if known && e.fresh(c.now()) {
		f := &flight{done: make(chan struct{}), entry: e}
		close(f.done)
		return f, nil
	}
	if f := c.flights[name]; f != nil {
		return f, nil
	}
	if until, ok := c.silent[domain]; ok && e.key == nil && c.now().Before(until) && until.Sub(c.now()) <= silentFor {
		return nil, fmt.Errorf("no name server answered for %s a moment ago", domain)
	}
	if len(c.flights) >= maxFlights {
		return nil, errors.New("too many keys are being asked for")
	}
	f := &flight{done: make(chan struct{})}
	c.flights[name] = f
	go c.ask(name, domain, f)
	return f, nil
}

// fresh: still holds. A date far ahead is of before the clock was set back.
func (e entry) fresh(now time.Time) bool {
	return now.Before(e.until) && e.until.Sub(now) <= longestKey
}

func (c *Cache) ask(name, domain string, f *flight) {
	e := c.answer(name)
	c.mu.Lock()
	defer c.mu.Unlock()
	if late := net.Error(nil); errors.As(e.err, &late) && late.Timeout() {
		if len(c.silent) >= maxSilent {
			clear(c.silent)
		}
		c.silent[domain] = c.now().Add(silentFor)
	} else {
		delete(c.silent, domain)
	}
	f.entry = e
	delete(c.flights, name)
	c.makeRoom(name)
	c.entries[name] = e
	close(f.done)
}

// answer asks for a key and says how long the answer is kept.
func (c *Cache) answer(name string) (e entry) {
	keep := shortest
	defer func() {
		if p := recover(); p != nil {
			e = entry{err: fmt.Errorf("asking for the key %s: panic: %v", name, p)}
		}
		e.until = c.now().Add(keep)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), questionFor)
	defer cancel()
	records, ttl, err := c.resolver.TXT(ctx, name)
	if err != nil {
		return entry{err: err}
	}
	e.key, e.err = firstKey(records)
	longest := longestKey
	if e.err != nil {
		longest = longestNone
	}
	keep = min(max(ttl, shortest), longest)
	return e
}

// firstKey reads the records of a name, of which there should be one (RFC 6376,
// section 3.6.2.2): the first that is a key, or else what is wrong with one.
func firstKey(records []string) (k *Key, err error) {
	err = ErrNoKey
	for i, record := range records {
		if i == maxTexts {
			break
		}
		if k, err = ParseKey(record); err == nil {
			return k, nil
		}
	}
	return nil, err
}

// makeRoom drops an entry where a new one would be too many: one that no longer
// holds, or else one without a key, or else the one that will end first. So
// questions for keys that never were cannot drive out those that are.
func (c *Cache) makeRoom(name string) {
	if _, ok := c.entries[name]; ok || len(c.entries) < maxEntries {
		return
	}
	now := c.now()
	victim, rank := "", 0
	for n, e := range c.entries {
		r := 1
		switch {
		case !e.fresh(now):
			r = 3
		case e.key == nil:
			r = 2
		}
		if r > rank || r == rank && e.until.Before(c.entries[victim].until) {
			victim, rank = n, r
		}
	}
	delete(c.entries, victim)
}
