package ledger

import (
	"maps"
	"math/bits"
	"slices"
	"sync/atomic"
	"time"
)

const (
	day    = 24 * time.Hour
	maxDay = 1<<16 - 1 // 2149-06-06: days are kept in two octets

	shardBits  = 8
	firstSlots = 16
	slotOctets = 8 + 2
)

// dayOf numbers the days (UTC) since 1970-01-01.
func dayOf(t time.Time) int { return int(min(max(t.Unix()/86400, 0), maxDay)) }

func startOf(day int) time.Time { return time.Unix(int64(day)*86400, 0).UTC() }

// index is a set of fingerprints, each with the latest day on which it was
// recorded. It is one set rather than one for each day, so that a question is
// one look into memory. One goroutine at a time changes it; any number may ask
// meanwhile, without a lock.
type index struct {
	shards [1 << shardBits]shard
	days   map[int]*[kinds]int // how many entries of each kind have that day
	total  int                 // entries
}

// shard is the part of the set that the upper bits of the hash lead to: open
// addressing with linear probing, 64 to 80 % full once it has grown, so 13 to
// 16 octets an entry. In an array that is in place slots only go from empty to
// filled; a new one is filled before it takes the place of the old.
type shard struct {
	slots atomic.Pointer[[]atomic.Uint64]
	days  []uint16 // beside the slots; only for the one that changes
	used  int
}

func newIndex() *index {
	x := &index{days: map[int]*[kinds]int{}}
	for i := range x.shards {
		x.shards[i].replace(firstSlots, nil)
	}
	return x
}

// reserve makes an empty index large enough for so many entries.
func (x *index) reserve(entries int) {
	for i := range x.shards {
		x.shards[i].replace(entries>>shardBits/3*4+firstSlots, nil)
	}
}

// locate tells the shard of a fingerprint and the bits of its hash that count
// there; the kind does not.
func (x *index) locate(fp uint64) (s *shard, hash uint64) {
	hash = fp << (64 - kindShift)
	return &x.shards[hash>>(64-shardBits)], hash << shardBits
}

// find returns where fp is, or the empty slot where it would be.
func find(slots []atomic.Uint64, fp, hash uint64) (at int, found bool) {
	hi, _ := bits.Mul64(hash, uint64(len(slots)))
	for at = int(hi); ; at++ {
		if at == len(slots) {
			at = 0
		}
		switch slots[at].Load() {
		case fp:
			return at, true
		case 0:
			return at, false
		}
	}
}

func (x *index) has(fp uint64) bool {
	s, hash := x.locate(fp)
	_, found := find(*s.slots.Load(), fp, hash)
	return found
}

// add reports whether fp was not known of this day or a later one.
func (x *index) add(fp uint64, day int) bool {
	s, hash := x.locate(fp)
	slots := *s.slots.Load()
	at, found := find(slots, fp, hash)
	if found {
		before := int(s.days[at])
		if before >= day {
			return false
		}
		x.at(before)[kindOf(fp)]--
	} else {
		if (s.used+1)*5 > len(slots)*4 {
			s.replace(len(slots)/4*5+firstSlots, nil)
			slots = *s.slots.Load()
			at, _ = find(slots, fp, hash)
		}
		slots[at].Store(fp)
		s.used++
		x.total++
	}
	s.days[at] = uint16(day)
	x.at(day)[kindOf(fp)]++
	return true
}

// at returns the counts of a day, which exists from then on.
func (x *index) at(day int) *[kinds]int {
	counts, ok := x.days[day]
	if !ok {
		counts = &[kinds]int{}
		x.days[day] = counts
	}
	return counts
}

// replace puts the entries, or those of days that drop does not name, into new
// arrays.
func (s *shard) replace(size int, drop func(day int) bool) {
	slots, days := make([]atomic.Uint64, size), make([]uint16, size)
	used := 0
	if old := s.slots.Load(); old != nil {
		for i := range *old {
			fp := (*old)[i].Load()
			if fp == 0 || drop != nil && drop(int(s.days[i])) {
				continue
			}
			at, _ := find(slots, fp, fp<<(64-kindShift+shardBits))
			slots[at].Store(fp)
			days[at] = s.days[i]
			used++
		}
	}
	s.days, s.used = days, used
	s.slots.Store(&slots)
}

// dropBefore forgets what has no later day. It goes through all entries.
func (x *index) dropBefore(day int) {
	x.total = 0
	for i := range x.shards {
		s := &x.shards[i]
		kept := 0
		for at, d := range s.days {
			if int(d) >= day && (*s.slots.Load())[at].Load() != 0 {
				kept++
			}
		}
		if kept < s.used {
			s.replace(kept/3*4+firstSlots, func(d int) bool { return d < day })
		}
		x.total += s.used
	}
	maps.DeleteFunc(x.days, func(d int, _ *[kinds]int) bool { return d < day })
}

// bringBack gives the entries of later days this one, and shows them.
func (x *index) bringBack(day int, fn func(fp uint64)) {
	for i := range x.shards {
		s := &x.shards[i]
		for at, d := range s.days {
			if int(d) > day {
				fp := (*s.slots.Load())[at].Load()
				s.days[at] = uint16(day)
				x.at(day)[kindOf(fp)]++
				fn(fp)
			}
		}
	}
	maps.DeleteFunc(x.days, func(d int, _ *[kinds]int) bool { return d > day })
}

// known days, the latest first.
func (x *index) sorted() []int {
	days := slices.Sorted(maps.Keys(x.days))
	slices.Reverse(days)
	return days
}

func (x *index) octets() (n int) {
	for i := range x.shards {
		n += len(x.shards[i].days) * slotOctets
	}
	return n
}
