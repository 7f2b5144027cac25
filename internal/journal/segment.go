package journal

import "time"

// A kind of entries has a quota that is kept for it.
type kind int

const (
	refusals kind = iota // what was refused or held, or would have been
	others
	kinds
)

func (e *Entry) kind() kind {
	switch e.Outcome() {
	case Accepted, Marked:
		return others
	}
	return refusals
}

// shelf holds the entries of a kind as segments, the oldest first. What has to
// leave leaves by the segment, in memory as in the store.
type shelf struct {
	kind     kind
	segments []*segment
	next     uint64 // number of the next segment
	entries  int
	octets   int

	maxEntries, maxOctets int // its quota, which is left to it whatever the others have
}

// segment is what came one behind the other on one day (UTC).
type segment struct {
	number  uint64
	day     int64
	entries []Entry
	octets  int
}

const segmentsPerShelf = 20 // full ones

func dayOf(t time.Time) int64 { return t.Unix() / (24 * 60 * 60) }

// put appends an entry to the segment that is being filled, or to a new one.
func (s *shelf) put(e Entry) *segment {
	last := s.last()
	if last == nil || last.day != dayOf(e.At) || len(last.entries) >= max(1, s.maxEntries/segmentsPerShelf) {
		last = &segment{number: s.next, day: dayOf(e.At)}
		s.next++
		s.segments = append(s.segments, last)
	}
	s.add(last, e)
	return last
}

func (s *shelf) add(to *segment, e Entry) {
	n := e.octets()
	to.entries = append(to.entries, e)
	to.octets += n
	s.entries++
	s.octets += n
}

func (s *shelf) last() *segment {
	if len(s.segments) == 0 {
		return nil
	}
	return s.segments[len(s.segments)-1]
}

// outdated reports whether nothing of the oldest segment is newer than the horizon.
func (s *shelf) outdated(horizon time.Time) bool {
	if len(s.segments) == 0 {
		return false
	}
	oldest := s.segments[0].entries
	return len(oldest) == 0 || oldest[len(oldest)-1].At.Before(horizon)
}

// takeOldest takes the oldest segment out.
func (s *shelf) takeOldest() *segment {
	first := s.segments[0]
	s.segments = append([]*segment(nil), s.segments[1:]...)
	s.entries -= len(first.entries)
	s.octets -= first.octets
	return first
}

// overfull gives the shelf that is furthest over its quota, where all together
// hold more than they may; a shelf may have what the others leave. The latest
// segment of each stays. It gives nil where there is none.
func overfull(shelves []*shelf) (worst *shelf) {
	var entries, octets int
	for _, s := range shelves {
		entries += s.entries - s.maxEntries
		octets += s.octets - s.maxOctets
	}
	most := 0
	for _, s := range shelves {
		over := 0
		switch {
		case len(s.segments) < 2:
		case entries > 0:
			over = s.entries - s.maxEntries
		case octets > 0:
			over = s.octets - s.maxOctets
		}
		if over > most {
			worst, most = s, over
		}
	}
	return worst
}

// view is what a reader may look at while entries go on being added.
func (s *shelf) view() [][]Entry {
	all := make([][]Entry, len(s.segments))
	for i, seg := range s.segments {
		all[i] = seg.entries
	}
	return all
}
