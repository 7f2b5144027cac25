package ledger

import (
	"math/bits"
	"sync/atomic"
)

const (
	firstSlots = 1024
	slotOctets = 8
)

// table is a set of fingerprints: open addressing with linear probing, half to
// three quarters full once it has grown, so 11 to 16 octets an entry. One
// goroutine at a time adds; any number may ask meanwhile, without a lock: slots
// only ever go from empty to filled, and a larger array is filled before it
// takes the smaller one's place.
type table struct {
	slots atomic.Pointer[[]atomic.Uint64]
	used  int // of the one that adds
}

func newTable() *table {
	t := &table{}
	slots := make([]atomic.Uint64, firstSlots)
	t.slots.Store(&slots)
	return t
}

// place is where the search for a fingerprint begins among n slots: by its
// hash, without the kind.
func place(fp uint64, n int) int {
	hi, _ := bits.Mul64(fp<<(64-kindShift), uint64(n))
	return int(hi)
}

// find returns where fp is, or the empty slot where it would be.
func find(slots []atomic.Uint64, fp uint64) (at int, found bool) {
	for at = place(fp, len(slots)); ; at++ {
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

func (t *table) has(fp uint64) bool {
	_, found := find(*t.slots.Load(), fp)
	return found
}

// add reports whether fp was not there yet.
func (t *table) add(fp uint64) bool {
	slots := *t.slots.Load()
	at, found := find(slots, fp)
	if found {
		return false
	}
	if t.used+1 > len(slots)/4*3 {
		slots = t.grow(slots)
		at, _ = find(slots, fp)
	}
	slots[at].Store(fp)
	t.used++
	return true
}

func (t *table) grow(old []atomic.Uint64) []atomic.Uint64 {
	slots := make([]atomic.Uint64, len(old)/2*3)
	for i := range old {
		if fp := old[i].Load(); fp != 0 {
			at, _ := find(slots, fp)
			slots[at].Store(fp)
		}
	}
	t.slots.Store(&slots)
	return slots
}

// each shows all fingerprints.
func (t *table) each(fn func(fp uint64)) {
	slots := *t.slots.Load()
	for i := range slots {
		if fp := slots[i].Load(); fp != 0 {
			fn(fp)
		}
	}
}

func (t *table) octets() int { return len(*t.slots.Load()) * slotOctets }
