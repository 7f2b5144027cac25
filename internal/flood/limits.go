package flood

import "time"

// limits are Rules as the counting needs them. A change makes new ones.
type limits struct {
	of              [kinds]limit
	block, maxBlock int64 // how long
	surge           int
}

// limit is what holds for the keys of one kind; zero: off.
type limit struct {
	block   int   // more events in four quarters are a flood
	quarter int64 // of the window for floods, in nanoseconds
	surge   int   // so many events in four recent quarters are a surge
	recent  int64 // of the window for surges
	hot     int   // so many events make a key worth a name; 0: nothing is counted
}

func newLimits(r Rules) *limits {
	l := &limits{block: int64(r.Block), maxBlock: int64(max(r.Block, r.MaxBlock)), surge: r.Surge}
	if r.Block <= 0 {
		r.Threshold, r.RecipientThreshold = 0, 0
	}
	short, long := quarterOf(r.Window), quarterOf(r.RecipientWindow)
	l.of[ByClient] = newLimit(r.Threshold, short, r.Surge, short)
	l.of[BySubject] = newLimit(r.Threshold, short, 0, 0)
	l.of[ByDomain] = newLimit(0, short, r.Surge, short)
	l.of[BySender] = newLimit(0, quarterOf(provenWindow), r.ProvenAlarm, quarterOf(provenWindow))

	surge := r.Surge
	if r.RecipientThreshold > 0 && r.RecipientThreshold < surge && 3*long >= 4*short {
		surge = 0 // the block always comes first
	}
	l.of[ByRecipient] = newLimit(r.RecipientThreshold, long, surge, short)
	return l
}

func quarterOf(window time.Duration) int64 {
	if window <= 0 {
		return 0
	}
	return max(int64(window/4), 1)
}

func newLimit(block int, quarter int64, surge int, recent int64) limit {
	l := limit{block: max(block, 0), quarter: quarter, surge: max(surge, 0), recent: recent}
	if quarter == 0 {
		l.block = 0
	}
	if l.surge == 0 || recent == 0 {
		l.surge, l.recent = 0, 0
	}
	if l.block == 0 && l.surge == 0 {
		return limit{}
	}
	least := l.block
	if least == 0 || l.surge > 0 && l.surge < least {
		least = l.surge
	}
	l.hot = max(least/10, min(least, 2))
	return l
}

// countsForDomain: an event counts for the domain unless its client, or its
// recipient, has made up half of a surge by itself.
func (l *limits) countsForDomain(fromOne, forOne int) bool {
	return max(fromOne, forOne) <= max(l.surge/2, 1)
}

// length of a block that so many others came before.
func (l *limits) length(before int) int64 {
	d := l.block
	for range before {
		if d > l.maxBlock/2 {
			return l.maxBlock
		}
		d *= 2
	}
	return d
}
