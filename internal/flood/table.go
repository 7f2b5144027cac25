package flood

import (
	"math"
	"sync"
)

const (
	ways    = 8   // places that a key may be in
	stripes = 128 // parts of a table with a lock of their own
	spare   = 7   // bits of a sum that choose the stripe
)

// entry counts the events of one key in the last four quarters of a window.
type entry struct {
	sum   uint64 // of the key; 0: the place is free
	start int64  // of the newest quarter
	n     [4]uint32
}

type set [ways]entry

// table counts events by key in a bounded number of places. Its zero value
// needs max; it is safe for concurrent use.
type table struct {
	max     int // sets in a stripe, a power of two
	stripes [stripes]stripe
}

type stripe struct {
	mu   sync.Mutex
	sets []set // a power of two, or none yet
	last int64 // the latest event
	_    [24]byte
}

// newTable makes a table of so many places, a power of two of at least 1024.
func newTable(places int) *table { return &table{max: places / ways / stripes} }

// add counts an event and gives the number in the window of four quarters.
func (t *table) add(sum uint64, now, quarter int64) int { return t.addMany(sum, 1, now, quarter) }

func (t *table) addMany(sum uint64, events uint32, now, quarter int64) int {
	s := &t.stripes[sum%stripes]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = now
	e := s.find(sum)
	if e == nil {
		e = s.place(sum, now, quarter, t.max)
		*e = entry{sum: sum, start: now}
	}
	e.advance(now, quarter)
	e.n[0] += min(events, math.MaxUint32-e.n[0])
	return e.total()
}

// take takes an event back and gives the number that there was before.
func (t *table) take(sum uint64, now, quarter int64) int { return t.takeMany(sum, 1, now, quarter) }

// takeMany takes back the latest events.
func (t *table) takeMany(sum uint64, events uint32, now, quarter int64) int {
	return t.look(sum, now, quarter, func(e *entry) {
		for i := range e.n {
			n := min(events, e.n[i])
			e.n[i] -= n
			events -= n
		}
	})
}

// peek gives the number of events in the window.
func (t *table) peek(sum uint64, now, quarter int64) int {
	return t.look(sum, now, quarter, func(*entry) {})
}

// clear forgets a key.
func (t *table) clear(sum uint64, now, quarter int64) {
	t.look(sum, now, quarter, func(e *entry) { *e = entry{} })
}

func (t *table) look(sum uint64, now, quarter int64, do func(*entry)) int {
	s := &t.stripes[sum%stripes]
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(sum)
	if e == nil {
		return 0
	}
	e.advance(now, quarter)
	n := e.total()
	do(e)
	return n
}

// release gives back the memory of stripes without any event since then.
func (t *table) release(since int64) {
	for i := range t.stripes {
		s := &t.stripes[i]
		s.mu.Lock()
		if s.last < since {
			s.sets = nil
		}
		s.mu.Unlock()
	}
}

func (s *stripe) find(sum uint64) *entry {
	if len(s.sets) == 0 {
		return nil
	}
	set := s.set(sum)
	for i := range set {
		if set[i].sum == sum {
			return &set[i]
		}
	}
	return nil
}

func (s *stripe) set(sum uint64) *set { return &s.sets[sum>>spare&uint64(len(s.sets)-1)] }

// place finds room for a new key: a free place, one whose events are past, or
// that of the least.
func (s *stripe) place(sum uint64, now, quarter int64, most int) *entry {
	if len(s.sets) == 0 {
		s.sets = make([]set, 1)
	}
	for {
		e, n := s.set(sum).least(now, quarter)
		if n == 0 || len(s.sets) >= most {
			return e
		}
		s.grow()
	}
}

// least is the entry with the fewest events, of several the one whose latest
// event is longest ago.
func (s *set) least(now, quarter int64) (found *entry, fewest int) {
	var latest int64
	for i := range s {
		e := &s[i]
		if e.sum != 0 {
			e.advance(now, quarter)
		}
		n, last := e.total(), e.latest(quarter)
		if found == nil || n < fewest || n == fewest && last < latest {
			found, fewest, latest = e, n, last
		}
	}
	return found, fewest
}

// grow doubles the sets: each is split in two, by one bit more of the sums.
func (s *stripe) grow() {
	old := s.sets
	s.sets = make([]set, 2*len(old))
	for i := range old {
		for j, e := range old[i] {
			if e.sum != 0 {
				s.set(e.sum)[j] = e
			}
		}
	}
}

// advance lets quarters pass. When nothing is left of the window, a new one
// begins with now.
func (e *entry) advance(now, quarter int64) {
	steps := (now - e.start) / quarter
	if steps <= 0 {
		return
	}
	e.start += steps * quarter
	for ; steps > 0 && e.n != [4]uint32{}; steps-- {
		e.n = [4]uint32{0, e.n[0], e.n[1], e.n[2]}
	}
	if e.n == [4]uint32{} {
		e.start = now
	}
}

// latest is when the quarter of the latest event began.
func (e *entry) latest(quarter int64) int64 {
	for i, n := range e.n {
		if n > 0 {
			return e.start - int64(i)*quarter
		}
	}
	return 0
}

func (e *entry) total() int {
	return int(e.n[0]) + int(e.n[1]) + int(e.n[2]) + int(e.n[3])
}
