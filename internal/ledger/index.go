package ledger

import (
	"slices"
	"sync/atomic"
	"time"
)

const day = 24 * time.Hour

// dayOf numbers the days (UTC) since 1970-01-01.
func dayOf(t time.Time) int {
	seconds := t.Unix()
	n := int(seconds / 86400)
	if seconds%86400 < 0 {
		n--
	}
	return n
}

func startOf(day int) time.Time { return time.Unix(int64(day)*86400, 0).UTC() }

// bucket is the entries of one day.
type bucket struct {
	day   int
	table *table
	kinds [kinds]int // entries of each kind
}

// index is all days in memory. One goroutine at a time changes it; any number
// may ask meanwhile.
type index struct {
	days  atomic.Pointer[[]*bucket] // the latest first; never changed, only replaced
	total int                       // entries
}

func newIndex() *index {
	x := &index{}
	x.days.Store(&[]*bucket{})
	return x
}

// has asks the days, the latest first.
func (x *index) has(fp uint64) bool {
	for _, b := range *x.days.Load() {
		if b.table.has(fp) {
			return true
		}
	}
	return false
}

// at returns the bucket of a day, and makes it where there is none.
func (x *index) at(day int) *bucket {
	days := *x.days.Load()
	at, found := slices.BinarySearchFunc(days, day, func(b *bucket, day int) int { return day - b.day })
	if found {
		return days[at]
	}
	b := &bucket{day: day, table: newTable()}
	days = slices.Insert(slices.Clone(days), at, b)
	x.days.Store(&days)
	return b
}

// add reports whether fp is new to the bucket.
func (x *index) add(b *bucket, fp uint64) bool {
	if !b.table.add(fp) {
		return false
	}
	b.kinds[kindOf(fp)]++
	x.total++
	return true
}

// drop takes a day out.
func (x *index) drop(day int) {
	var kept []*bucket
	for _, b := range *x.days.Load() {
		if b.day == day {
			x.total -= b.table.used
			continue
		}
		kept = append(kept, b)
	}
	x.days.Store(&kept)
}

// oldest is the earliest day, if there is any.
func (x *index) oldest() (day int, ok bool) {
	days := *x.days.Load()
	if len(days) == 0 {
		return 0, false
	}
	return days[len(days)-1].day, true
}

func (x *index) octets() (n int) {
	for _, b := range *x.days.Load() {
		n += b.table.octets()
	}
	return n
}
