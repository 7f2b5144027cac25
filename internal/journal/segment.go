package journal

import "time"

// A kind of entries has a quota of its own.
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

	maxEntries, maxOctets int
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

// trim takes out the oldest segments while there is too much, and those of which
// nothing is newer than the horizon. The latest segment stays while it is young.
func (s *shelf) trim(horizon time.Time) (gone []*segment) {
	for len(s.segments) > 0 {
		first := s.segments[0]
		tooMuch := len(s.segments) > 1 && (s.entries > s.maxEntries || s.octets > s.maxOctets)
		tooOld := len(first.entries) == 0 || first.entries[len(first.entries)-1].At.Before(horizon)
		if !tooMuch && !tooOld {
			break
		}
		s.segments = append([]*segment(nil), s.segments[1:]...)
		s.entries -= len(first.entries)
		s.octets -= first.octets
		gone = append(gone, first)
	}
	return gone
}

// view is what a reader may look at while entries go on being added.
func (s *shelf) view() [][]Entry {
	all := make([][]Entry, len(s.segments))
	for i, seg := range s.segments {
		all[i] = seg.entries
	}
	return all
}
