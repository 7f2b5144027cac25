package flood

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
)

const (
	maxCounted = 1 << 13 // keys whose counts wait to be told
	maxEvents  = 1 << 10 // blocks that do
)

// Counted is how many events a key had. The sum stands for the key on all hosts
// that have the same secret.
type Counted struct {
	Kind   Kind
	Sum    uint64
	Events int32 // negative: taken back
}

// Blocking is a block that began on one host, or was ended by hand.
type Blocking struct {
	Kind    Kind          `json:"kind,omitempty"`
	Sum     uint64        `json:"sum,omitempty"`
	Name    string        `json:"name"`
	Subject string        `json:"subject,omitempty"`
	Count   int           `json:"count,omitempty"`
	Blocks  int           `json:"blocks,omitempty"` // in a row
	Left    time.Duration `json:"left,omitempty"`   // zero: ended by hand, and Name is what Unblock takes
}

// News is what other hosts have not been told yet.
type News struct {
	Counts []Counted
	Blocks []Blocking
	Lost   int // keys for whose counts there was no room
}

// outbox gathers News, once somebody asks for them.
type outbox struct {
	on     atomic.Bool
	mu     sync.Mutex
	counts map[counted]int32
	blocks []Blocking
	lost   int
}

type counted struct {
	kind Kind
	sum  uint64
}

func (o *outbox) count(kind Kind, sum uint64, n int32) {
	if !o.on.Load() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	k := counted{kind, sum}
	before, ok := o.counts[k]
	if !ok && len(o.counts) >= maxCounted {
		o.lost++
		return
	}
	o.counts[k] = before + n
}

func (o *outbox) block(r *record, kind Kind, now int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.on.Load() && len(o.blocks) < maxEvents {
		o.blocks = append(o.blocks, r.blocking(kind, now))
	}
}

func (r *record) blocking(kind Kind, now int64) Blocking {
	return Blocking{
		Kind: kind, Sum: r.sum, Name: r.name, Subject: r.subject,
		Count: r.count, Blocks: r.blocks, Left: time.Duration(r.until - now),
	}
}

func (o *outbox) unblock(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.on.Load() && len(o.blocks) < maxEvents {
		o.blocks = append(o.blocks, Blocking{Name: name})
	}
}

// Share begins to gather News, under the secret that all hosts of the site
// have. With another one than before counting begins anew, and what was blocked
// is so no longer, for nobody could tell the keys.
func (f *Flood) Share(secret [16]byte) {
	if *f.secret.Load() != secret {
		f.secret.Store(&secret)
		f.each(func(w *watch, s *shard) {
			for _, r := range s.m {
				w.book.drop(s, r)
			}
		})
		for kind := ByClient; kind < kinds; kind++ {
			w := f.watch[kind]
			w.counts.release(1<<63 - 1)
			w.recent.release(1<<63 - 1)
		}
	}
	f.outbox.mu.Lock()
	defer f.outbox.mu.Unlock()
	f.outbox.counts = make(map[counted]int32)
	f.outbox.blocks = nil
	f.outbox.on.Store(true)
}

// Secret decides which keys share places. It is for other hosts of the site
// alone.
func (f *Flood) Secret() [16]byte { return *f.secret.Load() }

// News gives what has come since it was last called.
func (f *Flood) News() News {
	f.outbox.mu.Lock()
	n := News{Blocks: f.outbox.blocks, Lost: f.outbox.lost}
	var counts map[counted]int32
	if len(f.outbox.counts) > 0 { // else it goes on to be written to
		counts, f.outbox.counts = f.outbox.counts, make(map[counted]int32, len(f.outbox.counts))
	}
	f.outbox.blocks, f.outbox.lost = nil, 0
	f.outbox.mu.Unlock()
	for k, events := range counts {
		if events != 0 {
			n.Counts = append(n.Counts, Counted{k.kind, k.sum, events})
		}
	}
	return n
}

// Running are the blocks that run.
func (f *Flood) Running() (list []Blocking) {
	now := f.clock.now()
	f.each(func(w *watch, s *shard) {
		for _, r := range s.m {
			if r.runs(now) {
				list = append(list, r.blocking(w.kind, now))
			}
		}
	})
	return list
}

// Merge takes in what other hosts have counted and blocked. A count that is too
// many here has its consequence with the next event that is counted here.
func (f *Flood) Merge(n News) {
	now, l := f.clock.now(), f.limits.Load()
	for _, c := range n.Counts {
		if c.Kind > None && c.Kind < kinds && c.Sum != 0 {
			f.mergeCount(c, l, now)
		}
	}
	for _, b := range n.Blocks {
		switch {
		case b.Left <= 0:
			f.unblock(b.Name)
		case b.Kind > None && b.Kind < kinds && b.Sum != 0:
			f.mergeBlock(&b, l, now)
		}
	}
}

func (f *Flood) mergeCount(c Counted, l *limits, now int64) {
	w, limit := f.watch[c.Kind], &l.of[c.Kind]
	change := func(t *table, quarter int64) {
		switch {
		case quarter <= 0:
		case c.Events > 0:
			t.addMany(c.Sum, uint32(c.Events), now, quarter)
		default:
			t.takeMany(c.Sum, uint32(-int64(c.Events)), now, quarter)
		}
	}
	if limit.hot == 0 || f.runs(w, c.Sum, now) {
		return
	}
	change(w.counts, limit.quarter)
	if w.recent != w.counts {
		change(w.recent, limit.recent)
	}
}

func (f *Flood) runs(w *watch, sum uint64, now int64) bool {
	s := w.book.shard(sum)
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.m[sum]
	return r != nil && r.runs(now)
}

// mergeBlock has a block of another host hold here, too, for as long as the
// settings here allow.
func (f *Flood) mergeBlock(b *Blocking, l *limits, now int64) {
	w := f.watch[b.Kind]
	if l.of[b.Kind].block == 0 {
		return
	}
	left := int64(min(b.Left, time.Duration(l.maxBlock)))
	var changed changes
	s := w.book.shard(b.Sum)
	s.mu.Lock()
	r := w.book.open(s, &key{sum: b.Sum}, b.Count, true, now)
	w.settle(r, l, now, &changed)
	r.blocks = max(r.blocks, min(b.Blocks, 64))
	if r.runs(now) {
		r.until = max(r.until, now+left)
	} else {
		r.name, r.subject = told(b.Name), told(b.Subject)
		r.count, r.until, r.refused = b.Count, now+left, 0
		w.forget(r.sum, &l.of[w.kind], now)
		w.book.setSurging(r, false)
		w.book.setBlocked(r, true)
		changed.add(w.change(BlockBegan, r, now))
	}
	s.mu.Unlock()
	changed.report(f)
}

// told makes what another host says safe to print, and short.
func told(s string) string {
	const most = 2 * maxName
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s[:min(len(s), most)])
}
