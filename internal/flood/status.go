package flood

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Event is what happened to a key.
type Event uint8

// The events. Of senders, surges are alarms. A surge that grows into a block ends
// with it, without an event of its own.
const (
	BlockBegan Event = iota + 1
	BlockEnded
	SurgeBegan
	SurgeEnded
)

// String is the event as a plain phrase: "block began".
func (e Event) String() string {
	return [...]string{"nothing", "block began", "block ended", "surge began", "surge ended"}[min(e, SurgeEnded)]
}

// Change is the beginning or the end of a block, of a surge or, where Kind is
// BySender, of an alarm.
type Change struct {
	Event   Event
	Kind    Kind
	Name    string        // of the key, see [Hot]
	Count   int           // events in the window when it began
	For     time.Duration // of a block that began: how long
	Refused int64         // of a block that ended: how many it refused
}

// changes are collected while a lock is held, and reported after.
type changes []Change

func (c *changes) add(change Change) { *c = append(*c, change) }

func (c *changes) report(f *Flood) {
	for _, change := range *c {
		f.report(change)
	}
}

func (w *watch) change(e Event, r *record, now int64) Change {
	c := Change{Event: e, Kind: w.kind, Name: r.name, Count: r.count}
	switch e {
	case BlockBegan:
		c.For = time.Duration(r.until - now)
	case BlockEnded:
		c.Refused = r.refused
	}
	return c
}

// Hot is a key that is blocked, has a surge, or a tenth of what leads to either.
type Hot struct {
	Kind Kind
	// Name is what Unblock takes: "client 192.0.2.0/24", "client 2001:db8::/64",
	// "recipient alice@example.com", "subject 192.0.2.0/24 " and sixteen
	// hexadecimal digits, "domain example.com" or "sender alice@example.com".
	// Whatever came from outside is printable, has no spaces, and is cut after
	// 120 octets.
	Name string
	// Subject is the beginning of a normalised subject: not for logs.
	Subject string
	Count   int // events in the window; of a blocked key, those that had it blocked
	Limit   int // more (for surges: as many) are too many
	Surge   bool
	Blocked bool
	Until   time.Time     // the end of the block; zero: not blocked
	Left    time.Duration // until then
	Refused int64         // by the block so far
	Blocks  int           // in a row, with those before
}

// Hottest lists so many keys (0: all): the blocked ones that refused most, those
// with a surge, and then the ones closest to their limits.
func (f *Flood) Hottest(n int) []Hot {
	now, l := f.clock.now(), f.limits.Load()
	var all []Hot
	f.each(func(w *watch, s *shard) {
		for _, r := range s.m {
			if h := w.hot(r, l, now); h.Blocked || h.Count > 0 {
				all = append(all, h)
			}
		}
	})
	slices.SortFunc(all, hotter)
	if n > 0 && len(all) > n {
		all = slices.Clone(all[:n])
	}
	return all
}

func hotter(a, b Hot) int {
	rank := func(h Hot) int {
		switch {
		case h.Blocked:
			return 2
		case h.Surge:
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(rank(b), rank(a)),
		cmp.Compare(b.Refused, a.Refused),
		cmp.Compare(b.share(), a.share()),
		cmp.Compare(a.Name, b.Name),
	)
}

func (h Hot) share() float64 { return float64(h.Count) / float64(max(h.Limit, 1)) }

func (w *watch) hot(r *record, l *limits, now int64) Hot {
	limit := &l.of[w.kind]
	h := Hot{Kind: w.kind, Name: r.name, Subject: r.subject, Limit: limit.block}
	if limit.block == 0 {
		h.Limit = limit.surge
	}
	if r.runs(now) {
		h.Blocked, h.Count, h.Refused, h.Blocks = true, r.count, r.refused, r.blocks
		h.Left, h.Until = w.flood.clock.left(r.until, now)
		return h
	}
	recent := w.surges(r.sum, limit, now)
	h.Surge = r.surging && 2*recent >= limit.surge
	h.Count = recent
	if limit.block > 0 {
		h.Count = w.counts.peek(r.sum, now, limit.quarter)
	}
	return h
}

// Blocks counts the blocks that run, by the kinds that can be blocked.
func (f *Flood) Blocks() map[Kind]int {
	now := f.clock.now()
	n := map[Kind]int{ByClient: 0, ByRecipient: 0, BySubject: 0}
	f.each(func(w *watch, s *shard) {
		for _, r := range s.m {
			if r.runs(now) {
				n[w.kind]++
			}
		}
	})
	return n
}

// Sweep is to be called every few seconds: what has ended is reported, what is
// past is forgotten, and memory not needed any more given back. Without it
// nothing is blocked for longer, and no more memory taken.
func (f *Flood) Sweep() {
	now, l := f.clock.now(), f.limits.Load()
	var told changes
	f.each(func(w *watch, s *shard) {
		s.floor = 0
		for _, r := range s.m {
			w.settle(r, l, now, &told)
			if w.past(r, l, now) {
				w.book.drop(s, r)
			}
		}
	})
	told.report(f)
	for kind := ByClient; kind < kinds; kind++ {
		w, limit := f.watch[kind], &l.of[kind]
		w.counts.release(now - 4*max(limit.quarter, limit.recent))
		if w.recent != w.counts {
			w.recent.release(now - 4*limit.recent)
		}
	}
}

// past reports whether nothing of the record is needed any more.
func (w *watch) past(r *record, l *limits, now int64) bool {
	if r.blocked || r.surging || r.until > 0 && now-r.until <= l.maxBlock {
		return false
	}
	limit := &l.of[w.kind]
	n := w.surges(r.sum, limit, now)
	if limit.block > 0 {
		n = max(n, w.counts.peek(r.sum, now, limit.quarter))
	}
	return n < max(limit.hot, 1)
}

// each shows all shards, locked.
func (f *Flood) each(do func(*watch, *shard)) {
	for _, w := range f.watch[ByClient:] {
		for i := range w.book.shards {
			s := &w.book.shards[i]
			s.mu.Lock()
			do(w, s)
			s.mu.Unlock()
		}
	}
}

// Unblock ends the block and the surge of a key, which starts from zero and is
// not blocked for longer next time. It takes the name of a key ([Hot]), an
// address of mail, or an address or network of a client: these stand for the
// client's network and all subjects from there. It reports whether there was
// anything to end.
func (f *Flood) Unblock(name string) bool {
	found := f.unblock(name)
	if found {
		f.outbox.unblock(name)
	}
	return found
}

func (f *Flood) unblock(name string) bool {
	now, l := f.clock.now(), f.limits.Load()
	match := matcher(strings.TrimSpace(name))
	var told changes
	found := false
	f.each(func(w *watch, s *shard) {
		for _, r := range s.m {
			if match(r.name) && (r.runs(now) || r.surging) {
				found = true
				r.until = min(r.until, now)
				w.forget(r.sum, &l.of[w.kind], now)
				w.settle(r, l, now, &told)
				w.book.drop(s, r)
			}
		}
	})
	told.report(f)
	return found
}

// matcher tells the names of the keys that are meant.
func matcher(given string) func(string) bool {
	if p, err := parseNetwork(given); err == nil {
		client, subjects := "client "+p.String(), "subject "+p.String()+" "
		return func(name string) bool { return name == client || strings.HasPrefix(name, subjects) }
	}
	switch kind, rest, _ := strings.Cut(given, " "); kind {
	case ByClient.String():
		if p, err := parseNetwork(rest); err == nil {
			given = kind + " " + p.String()
		}
		return func(name string) bool { return name == given }
	case BySubject.String():
		return func(name string) bool { return name == given }
	case ByRecipient.String(), ByDomain.String(), BySender.String():
		given = kind + " " + shown(rest)
		return func(name string) bool { return name == given }
	}
	given = shown(given)
	return func(name string) bool {
		_, text, _ := strings.Cut(name, " ")
		return text == given
	}
}

// parseNetwork reads an address or a network of a client, which may be narrower
// than those that are counted.
func parseNetwork(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		counted := network(p.Addr())
		if p.Bits() >= counted.Bits() {
			return counted, nil
		}
	}
	a, err := netip.ParseAddr(s)
	return network(a), err
}
