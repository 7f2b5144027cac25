package journal

import "time"

// Key is what decisions and other events are counted by.
type Key struct {
	Event    string // EventVerdict, or another
	Action   string // of verdicts
	Reason   string // of verdicts; what became of an outgoing message; what a block or surge is of
	Class    string // of verdicts
	Origin   string // of verdicts
	Enforced bool   // of verdicts
}

// The events that are counted.
const (
	EventVerdict    = ""
	EventOutgoing   = "outgoing"    // a message of ours, by what became of its reverse-path
	EventOutscatter = "outscatter"  // a bounce of our own MTA's to somebody elsewhere
	EventCallout    = "callout"     // a site asked whether a sender exists
	EventBlock      = "block"       // a block of the flood control began, by what is blocked
	EventSurge      = "surge"       // so did a surge
	EventAlarm      = "alarm"       // many proven bounces for one sender
	EventTagRefused = "tag-refused" // the MTA refused a genuine bounce
)

// Outcome is what became of the mail that the key counts.
func (k Key) Outcome() Outcome { return OutcomeOf(k.Action, k.Enforced) }

const maxKeys = 500 // of one hour

func hourOf(t time.Time) int64 { return t.Unix() / (60 * 60) }

// hours are counts by the hour since 1970 and by key.
type hours struct {
	counts map[int64]map[Key]uint64
	dirty  map[int64]bool // not handed to the store yet
}

func (h *hours) add(hour int64, k Key, n uint64) {
	of := h.counts[hour]
	if of == nil {
		of = make(map[Key]uint64)
		h.counts[hour] = of
	}
	if _, known := of[k]; !known && len(of) >= maxKeys-1 {
		k = Key{Event: k.Event}
	}
	of[k] += n
	h.dirty[hour] = true
}

// expire takes out the hours before one.
func (h *hours) expire(first int64) (gone []int64) {
	for hour := range h.counts {
		if hour < first {
			delete(h.counts, hour)
			delete(h.dirty, hour)
			gone = append(gone, hour)
		}
	}
	return gone
}

// EachHour shows every count of the hours that begin at from or later, and before
// to, in no order.
func (j *Journal) EachHour(from, to time.Time, fn func(hour time.Time, k Key, n uint64)) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	for hour, counts := range j.hours.counts {
		start := time.Unix(hour*60*60, 0).UTC()
		if start.Before(from) || !start.Before(to) {
			continue
		}
		for k, n := range counts {
			fn(start, k, n)
		}
	}
}
