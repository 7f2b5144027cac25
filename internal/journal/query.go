package journal

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Query says which entries are wanted; a zero field asks for all.
type Query struct {
	Reason, Action, Class, Origin string
	Outcome                       Outcome
	ID                            string // of the decision, or the MTA's queue id
	Client                        netip.Prefix
	Domain                        string              // of a recipient; compared without case, or as Fold has it
	Fold                          func(string) string // gives domains the form in which they are compared; nil: as they are
	Since, Until                  time.Time           // from this on, and before that
	Before                        uint64              // Seq of the entry that the page ends above; 0: of the newest
	After                         uint64              // Seq of the entry that the page ends right above; 0: it is not bounded so
	Limit                         int                 // entries a page: 1 to MaxLimit; 0: DefaultLimit
}

// How many entries a page has.
const (
	DefaultLimit = 50
	MaxLimit     = 1000
)

// Page is a part of the journal, the newest entries first. They must not be
// changed.
type Page struct {
	Entries []Entry
	Next    uint64 // Before of the page that follows; 0: there is none
	Newer   uint64 // After of the page before this one; 0: this is the first
}

// Find gives the entries of a query.
func (j *Journal) Find(q Query) Page {
	if q.Limit <= 0 {
		q.Limit = DefaultLimit
	}
	q.Limit = min(q.Limit, MaxLimit)
	if q.Fold == nil {
		q.Fold = func(domain string) string { return domain }
	}
	q.Domain = q.Fold(strings.TrimSuffix(q.Domain, "."))
	if horizon := j.horizon(); q.Since.Before(horizon) {
		q.Since = horizon
	}
	if q.After > 0 {
		return j.findAbove(&q)
	}
	page := Page{Entries: []Entry{}}
	j.newestFirst(func(e *Entry) bool {
		if !q.wants(e) {
			return true
		}
		if len(page.Entries) == q.Limit {
			page.Next = page.Entries[q.Limit-1].Seq
			return false
		}
		page.Entries = append(page.Entries, *e)
		return true
	})
	if q.Before > 0 {
		page.Newer = q.Before - 1 // which the page before this one ends with
		if len(page.Entries) > 0 {
			page.Newer = page.Entries[0].Seq
		}
	}
	return page
}

// findAbove gives the entries right above one.
func (j *Journal) findAbove(q *Query) Page {
	var last []Entry // newest first, at most twice as many as are wanted
	more := false
	j.newestFirst(func(e *Entry) bool {
		if e.Seq <= q.After {
			return false
		}
		if q.wants(e) {
			last = append(last, *e)
		}
		if len(last) == 2*q.Limit {
			last, more = append(last[:0], last[q.Limit:]...), true
		}
		return true
	})
	if len(last) > q.Limit {
		last, more = last[len(last)-q.Limit:], true
	}
	page := Page{Entries: append([]Entry{}, last...), Next: q.After + 1}
	if more {
		page.Newer = last[0].Seq
	}
	return page
}

func (q *Query) wants(e *Entry) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	return (q.Before == 0 || e.Seq < q.Before) && !e.At.Before(q.Since) && (q.Until.IsZero() || e.At.Before(q.Until)) &&
		is(q.Reason, e.Reason) && is(q.Action, e.Action) && is(q.Class, e.Class) && is(q.Origin, e.Origin) &&
		is(string(q.Outcome), string(e.Outcome())) &&
		(q.ID == "" || q.ID == e.ID || q.ID == e.QueueID) &&
		(!q.Client.IsValid() || q.Client.Contains(e.Client.Unmap().WithZone(""))) &&
		(q.Domain == "" || slices.ContainsFunc(e.To, q.inDomain))
}

// inDomain reports whether an address, or what privacy leaves of it, is in the
// domain.
func (q *Query) inDomain(address string) bool {
	return strings.EqualFold(q.Fold(address[strings.LastIndexByte(address, '@')+1:]), q.Domain)
}

// newestFirst shows the entries until fn returns false.
func (j *Journal) newestFirst(fn func(*Entry) bool) {
	var left [kinds]backwards
	j.mu.RLock()
	for k, s := range j.shelves {
		left[k] = backwards{segments: s.view()}
	}
	j.mu.RUnlock()
	for {
		newest := &left[0]
		for k := range left {
			if e := left[k].peek(); e != nil && (newest.entry == nil || e.Seq > newest.entry.Seq) {
				newest = &left[k]
			}
		}
		if newest.entry == nil || !fn(newest.entry) {
			return
		}
		newest.entry = nil
	}
}

// backwards walks through segments from their end.
type backwards struct {
	segments [][]Entry
	entry    *Entry // the one that peek has shown; nil: the next is due
}

func (b *backwards) peek() *Entry {
	for n := len(b.segments); b.entry == nil && n > 0; n-- {
		if last := b.segments[n-1]; len(last) > 0 {
			b.entry, b.segments[n-1] = &last[len(last)-1], last[:len(last)-1]
			break
		}
		b.segments = b.segments[:n-1]
	}
	return b.entry
}

// Count is how often something was seen.
type Count struct {
	Name string `json:"name"`
	N    uint64 `json:"count"`
}

// Tops are what unproven notifications came from and went to, the most first.
type Tops struct {
	Networks   []Count `json:"networks"`
	Recipients []Count `json:"recipients"`
}

// maxCounted is how many recipients are counted at most: more than there are
// entries.
const maxCounted = 1 << 16

// Top counts, of the entries since a time that were not accepted as they were,
// client networks and recipients, and gives the n of each that stand for most
// decisions. Where decisions have many recipients each, the latest maxCounted of
// all are counted.
func (j *Journal) Top(since time.Time, n int) Tops {
	counted := 0
	networks, recipients := make(map[netip.Prefix]uint64), make(map[string]uint64)
	if horizon := j.horizon(); since.Before(horizon) {
		since = horizon
	}
	j.newestFirst(func(e *Entry) bool {
		if e.At.Before(since) || e.Outcome() == Accepted {
			return true
		}
		networks[Network(e.Client)] += e.Weight()
		for _, to := range e.To {
			if counted++; counted > maxCounted {
				break
			}
			recipients[untagged(to)] += e.Weight()
		}
		return true
	})
	return Tops{
		Networks:   most(networks, n, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) }, networkName),
		Recipients: most(recipients, n, strings.Compare, func(s string) string { return s }),
	}
}

func networkName(network netip.Prefix) string {
	if !network.IsValid() {
		return "unknown"
	}
	return network.String()
}

// untagged is an address without what looks like a tag before it, since forged
// tags of one address are many.
func untagged(address string) string {
	const tag = "prvs=KDDDSSSSSS="
	if len(address) > len(tag) && strings.EqualFold(address[:5], tag[:5]) && address[len(tag)-1] == '=' {
		return address[len(tag):]
	}
	return address
}

// most gives the n largest counts, the largest first, in the order of their keys
// where they are equal.
func most[K comparable](counts map[K]uint64, n int, compare func(a, b K) int, name func(K) string) []Count {
	type counted struct {
		key K
		n   uint64
	}
	order := func(a, b counted) int { return cmp.Or(cmp.Compare(b.n, a.n), compare(a.key, b.key)) }
	var largest []counted
	for key, count := range counts {
		c := counted{key, count}
		if len(largest) >= n && (n <= 0 || order(c, largest[n-1]) > 0) {
			continue
		}
		at, _ := slices.BinarySearchFunc(largest, c, order)
		largest = slices.Insert(largest, at, c)
		largest = largest[:min(n, len(largest))]
	}
	all := make([]Count, 0, len(largest))
	for _, c := range largest {
		all = append(all, Count{name(c.key), c.n})
	}
	return all
}
