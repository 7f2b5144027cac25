package flood

import (
	"math"
	"sync"
	"sync/atomic"
)

const shards = 64 // parts of a book with a lock of their own

// book holds a record of each key of a kind that is blocked, surging or hot:
// the first and the second always find room, the third where there is any.
type book struct {
	max     int // records in a shard
	blocked atomic.Int64
	surging atomic.Int64
	shards  [shards]shard
}

type shard struct {
	mu    sync.RWMutex
	m     map[uint64]*record
	floor int // keys that are merely hot, with fewer events, find no room; 0: not known
	_     [24]byte
}

// record is what is kept of a key exactly.
type record struct {
	sum     uint64
	name    string
	subject string
	count   int   // when last counted
	until   int64 // the end of the latest block; 0: never blocked
	blocked bool  // a block runs, or its end has not been reported
	blocks  int   // in a row
	refused int64 // in the latest block
	surging bool
}

// runs reports whether the record's block runs.
func (r *record) runs(now int64) bool { return r.blocked && now < r.until }

func (b *book) shard(sum uint64) *shard { return &b.shards[sum>>spare%shards] }

// open finds the record of a key or makes one. With the shard's lock held. It is
// nil where there is no room: must says that there has to be.
func (b *book) open(s *shard, k *key, n int, must bool, now int64) *record {
	if r := s.m[k.sum]; r != nil {
		return r
	}
	if len(s.m) >= b.max {
		if !must && n < s.floor {
			return nil
		}
		r, class := s.least(now)
		if class > idle {
			s.floor = math.MaxInt
		} else {
			s.floor = r.count + 1
		}
		if !must && n < s.floor {
			return nil
		}
		b.drop(s, r)
	}
	if s.m == nil {
		s.m = map[uint64]*record{}
	}
	r := &record{sum: k.sum, name: k.name()}
	if k.subject != nil {
		r.subject = k.subject.String()
	}
	s.m[k.sum] = r
	return r
}

func (b *book) drop(s *shard, r *record) {
	b.setBlocked(r, false)
	b.setSurging(r, false)
	delete(s.m, r.sum)
	s.floor = 0
}

func (b *book) setBlocked(r *record, is bool) {
	if r.blocked != is {
		r.blocked = is
		b.blocked.Add(delta(is))
	}
}

func (b *book) setSurging(r *record, is bool) {
	if r.surging != is {
		r.surging = is
		b.surging.Add(delta(is))
	}
}

func delta(is bool) int64 {
	if is {
		return 1
	}
	return -1
}

// class says how much a record is needed.
type class uint8

const (
	idle       class = iota // only to show
	remembered              // for the next block
	surging
	blocked
)

// least is the record that is needed least: of blocks the one ending soonest.
func (s *shard) least(now int64) (found *record, of class) {
	worth := int64(math.MaxInt64)
	for _, r := range s.m {
		c, v := r.worth(now)
		if found == nil || c < of || c == of && v < worth {
			found, of, worth = r, c, v
		}
	}
	return found, of
}

func (r *record) worth(now int64) (class, int64) {
	switch {
	case r.runs(now):
		return blocked, r.until
	case r.surging:
		return surging, int64(r.count)
	case r.until > 0:
		return remembered, r.until
	}
	return idle, int64(r.count)
}
