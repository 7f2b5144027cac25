package ledger

import "time"

// counts are figures since the start.
type counts struct {
	overflows, domains, refused, dropped, damaged int64
}

func (l *Ledger) count(fn func(*counts)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fn(&l.counts)
}

// DayStats are the entries that were recorded last on a day.
type DayStats struct {
	Day     time.Time // its beginning, UTC
	Entries int
}

// Stats are figures of the moment, and counts since the start.
type Stats struct {
	Entries    int // fingerprints
	MessageIDs int // of these
	QueueIDs   int
	Addresses  int
	Domains    int
	WithoutID  int
	Days       []DayStats // the latest first
	Octets     int        // of memory that the index takes

	Queued     int       // fingerprints that wait
	Overflows  int64     // fingerprints dropped because too many waited
	Refused    int64     // times that a day was full
	Dropped    int64     // days that left before their time
	Damaged    int64     // records of the store that made no sense
	NotCovered int64     // messages of domains beyond MaxDomains
	StoreLost  int64     // records that the store dropped
	Gaps       int       // see Ledger.Gaps
	LastBeat   time.Time // the latest time that was taken note of
	Lifetime   time.Duration
}

// Stats gives the figures. It may wait for the background work of a moment.
func (l *Ledger) Stats() Stats {
	l.work.mu.Lock()
	defer l.work.mu.Unlock()
	s := Stats{Entries: l.index.total, Octets: l.index.octets(), StoreLost: l.work.lost}
	for _, day := range l.index.sorted() {
		n := l.index.days[day]
		s.Days = append(s.Days, DayStats{startOf(day), n[kindID] + n[kindQueue] + n[kindAddress] + n[kindDomain] + n[kindWithoutID]})
		s.MessageIDs += n[kindID]
		s.QueueIDs += n[kindQueue]
		s.Addresses += n[kindAddress]
		s.Domains += n[kindDomain]
		s.WithoutID += n[kindWithoutID]
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Queued, s.Gaps, s.LastBeat, s.Lifetime = len(l.pending), len(l.gaps), l.clock.high, l.lifetime
	s.Overflows, s.Refused, s.Dropped = l.counts.overflows, l.counts.refused, l.counts.dropped
	s.Damaged, s.NotCovered = l.counts.damaged, l.counts.domains
	return s
}
