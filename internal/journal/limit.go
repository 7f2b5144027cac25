package journal

import (
	"net/netip"
	"time"
)

// How many entries an hour has room for before it keeps but one a second.
const (
	perMatter  = 10_000
	perBeyond  = 5_000 // of these from networks that there is no room to count
	perNetwork = 2_000 // of these from one network
	trickle    = time.Second
	maxBudgets = 1 << 12
)

// matter is what decisions are alike in.
type matter struct {
	reason  string
	outcome Outcome
}

// source is where decisions on a matter come from.
type source struct {
	network netip.Prefix
	matter
}

// limiter decides which decisions of an hour are kept and which are only
// counted. What is rare is kept, whatever else there is much of: each matter has
// room of its own, also among the networks beyond those that are counted one by
// one.
type limiter struct {
	hour     int64
	matters  map[matter]*budget
	networks map[source]*budget
	beyond   map[matter]*budget // of all networks that networks has no room for
}

type budget struct {
	kept    int
	last    time.Time // that one was kept
	skipped uint64    // since then, of one network
}

// admit reports whether an entry is kept, and tells it how many of its network
// were not. Of networks that are not counted one by one nobody is told that.
func (l *limiter) admit(e *Entry) bool {
	if hour := hourOf(e.At); hour != l.hour || l.matters == nil {
		*l = limiter{hour: hour, matters: make(map[matter]*budget), networks: make(map[source]*budget), beyond: make(map[matter]*budget)}
	}
	of := matter{e.Reason, e.Outcome()}
	if !hasRoom(l.matters, of) {
		of = matter{} // of all that are too many
	}
	all, known := find(l.matters, of), source{Network(e.Client), of}
	if !hasRoom(l.networks, known) {
		return keepBoth(all, find(l.beyond, of), perBeyond, e.At)
	}
	from := find(l.networks, known)
	if !keepBoth(all, from, perNetwork, e.At) {
		from.skipped++
		return false
	}
	e.Skipped, from.skipped = from.skipped, 0
	return true
}

// hasRoom reports whether a key has a budget or may get one.
func hasRoom[K comparable](budgets map[K]*budget, key K) bool {
	return budgets[key] != nil || len(budgets) < maxBudgets
}

func find[K comparable](budgets map[K]*budget, key K) *budget {
	b := budgets[key]
	if b == nil {
		b = &budget{}
		budgets[key] = b
	}
	return b
}

// keepBoth counts an entry in the budget of its matter and of where it is from,
// if both have room.
func keepBoth(all, from *budget, limit int, now time.Time) bool {
	if !all.room(perMatter, now) || !from.room(limit, now) {
		return false
	}
	all.keep(now)
	from.keep(now)
	return true
}

func (b *budget) room(limit int, now time.Time) bool {
	return b.kept < limit || now.Sub(b.last) >= trickle || now.Before(b.last)
}

func (b *budget) keep(now time.Time) {
	b.kept++
	b.last = now
}
