package ledger

import "time"

// margin is by how much the ledger covers less than it keeps.
const margin = 2 * day

// Covers reports whether a message of the domain that is dated t would be in
// the ledger, had it left through this site: t is after the domain's first
// entry, in no gap, not older than the lifetime less two days, not in the
// future, and nothing of that time was dropped. Dates are taken to be exact to
// Skew, always on the side of no.
func (l *Ledger) Covers(domain string, t time.Time) bool {
	var room [maxAddress]byte
	name := appendAddress(room[:0], domain)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.peek(l.options.Now())
	latest := now.Add(Skew)
	if now.Sub(l.clock.high) > hole { // a gap that is not noted yet
		latest = l.clock.high.Add(-Skew)
	}
	first, ok := l.sharing.first(string(name), l.first)
	return ok && l.sharing.covers(t, now) && t.After(first.Add(Skew)) && !t.Before(l.floor.Add(Skew)) &&
		!t.Before(now.Add(margin-l.lifetime)) && !t.After(latest) &&
		l.lostFrom.IsZero() && !l.gaps.holds(t)
}

// Gaps are the times for which the ledger is not complete, in order.
func (l *Ledger) Gaps() []Gap {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Gap(nil), l.gaps...)
}

// begin notes the first entry of a domain.
func (l *Ledger) begin(domain string) {
	if domain == "" {
		return
	}
	var room [maxAddress]byte
	name := appendAddress(room[:0], domain)
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.first[string(name)]; ok || len(name) == 0 {
		return
	}
	if len(l.first) >= MaxDomains {
		l.counts.domains++
		return
	}
	l.first[string(name)] = l.clock.peek(l.options.Now())
	l.unsaved = append(l.unsaved, string(name))
}

// SetLifetime changes how long entries are kept, as a reload does. What is
// then too old goes at once.
func (l *Ledger) SetLifetime(lifetime time.Duration) {
	l.mu.Lock()
	longer := lifetime > l.lifetime
	l.lifetime = lifetime
	l.mu.Unlock()
	if !longer {
		l.Heartbeat()
	}
}
