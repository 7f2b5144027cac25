package journal

import (
	"net/netip"
	"time"
)

// How many entries an hour has room for before it keeps but one a second.
const (
	perReason  = 10_000
	perNetwork = 2_000 // and reason
	trickle    = time.Second
	maxBudgets = 1 << 12
)

// limiter decides which decisions of an hour are kept and which are only
// counted.
type limiter struct {
	hour     int64
	reasons  map[string]*budget
	networks map[networkReason]*budget
}

type networkReason struct {
	network netip.Prefix
	reason  string
}

type budget struct {
	kept    int
	last    time.Time // that one was kept
	skipped uint64    // since then
}

// admit reports whether an entry is kept, and tells it how many like it were not.
func (l *limiter) admit(e *Entry) bool {
	if hour := hourOf(e.At); hour != l.hour || l.reasons == nil {
		*l = limiter{hour: hour, reasons: make(map[string]*budget), networks: make(map[networkReason]*budget)}
	}
	reason := find(l.reasons, e.Reason, "")
	network := find(l.networks, networkReason{Network(e.Client), e.Reason}, networkReason{})
	if !reason.room(perReason, e.At) || !network.room(perNetwork, e.At) {
		network.skipped++
		return false
	}
	e.Skipped, network.skipped = network.skipped, 0
	reason.keep(e.At)
	network.keep(e.At)
	return true
}

// find gives the budget of a key; when there are too many, that of others.
func find[K comparable](budgets map[K]*budget, key, others K) *budget {
	if b := budgets[key]; b != nil {
		return b
	}
	if len(budgets) >= maxBudgets {
		key = others
	}
	b := budgets[key]
	if b == nil {
		b = &budget{}
		budgets[key] = b
	}
	return b
}

func (b *budget) room(limit int, now time.Time) bool {
	return b.kept < limit || now.Sub(b.last) >= trickle || now.Before(b.last)
}

func (b *budget) keep(now time.Time) {
	b.kept++
	b.last = now
}
