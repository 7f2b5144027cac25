package flood

import (
	"crypto/rand"
	"math"
	"net/netip"
	"sync/atomic"
	"time"
)

// Ceiling is the memory that a Flood keeps at most, in octets: 29 MiB of
// counters and 16 MiB of keys to show and to block. While a table grows the
// garbage collector may have as much of its former size to collect.
const Ceiling = 45 << 20

// Places in the tables, of 32 octets each, and in the books of blocks and hot
// keys, of some 300 with their names.
const (
	manyPlaces = 1 << 18 // clients, recipients, subjects
	somePlaces = 1 << 17 // recipients, for their surges
	fewPlaces  = 1 << 13 // domains, senders: ours

	manyRecords = 1 << 14 // clients, recipients, subjects
	fewRecords  = 1 << 11 // domains, senders
)

// provenWindow is the time in which proven bounces are counted for the alarm.
const provenWindow = 10 * time.Minute

// Rules say what is too much, and what follows. A count or time of zero or less
// switches off what it is for.
type Rules struct {
	Threshold          int // in Window; more from one client network, or of one subject from it, are a flood
	Window             time.Duration
	RecipientThreshold int // in RecipientWindow; more for one recipient are a flood
	RecipientWindow    time.Duration
	Block              time.Duration // the first; each next one twice as long
	MaxBlock           time.Duration // but no longer than this
	Surge              int           // in Window; so many from one client network, for one recipient or one domain are a surge
	ProvenAlarm        int           // in ten minutes; so many proven bounces for one sender are an alarm
}

// Options of a Flood.
type Options struct {
	Rules Rules
	Now   func() time.Time
	// Report is told when blocks, surges and alarms begin and end. It is called
	// from many goroutines, with no lock held, and must not wait. Nil: nobody is.
	Report func(Change)
	// Secret decides which keys share places. Zero: a random one.
	Secret [16]byte
}

// Flood counts, and knows what is blocked. It is safe for concurrent use. Its
// methods allocate nothing but for keys that become hot, blocked or are listed.
type Flood struct {
	secret atomic.Pointer[[16]byte]
	clock  clock
	report func(Change)
	limits atomic.Pointer[limits]
	watch  [kinds]*watch // nil for None
	outbox outbox        // what other hosts are to be told
}

// watch is what is known of the keys of one kind.
type watch struct {
	flood *Flood
	kind  Kind
	// counts is for floods, recent for surges: the same but for recipients,
	// where the windows differ.
	counts, recent *table
	book           book
}

// New makes a Flood.
func New(o Options) *Flood {
	f := &Flood{report: o.Report}
	secret := o.Secret
	if secret == [16]byte{} {
		_, _ = rand.Read(secret[:]) // which does not fail
	}
	f.secret.Store(&secret)
	if f.report == nil {
		f.report = func(Change) {}
	}
	f.clock.init(o.Now)
	for kind := ByClient; kind < kinds; kind++ {
		places, records := manyPlaces, manyRecords
		if kind == ByDomain || kind == BySender {
			places, records = fewPlaces, fewRecords
		}
		w := &watch{flood: f, kind: kind, counts: newTable(places)}
		w.recent = w.counts
		w.book.max = records / shards
		f.watch[kind] = w
	}
	f.watch[ByRecipient].recent = newTable(somePlaces)
	f.limits.Store(newLimits(o.Rules))
	return f
}

// SetRules changes the rules, as a reload does. Where a window changes its
// length, counting begins anew. Blocks that run go on to the end they had.
func (f *Flood) SetRules(r Rules) {
	next := newLimits(r)
	before := f.limits.Swap(next)
	for kind := ByClient; kind < kinds; kind++ {
		w, a, b := f.watch[kind], &before.of[kind], &next.of[kind]
		if a.quarter != b.quarter {
			w.counts.release(math.MaxInt64)
		}
		if a.recent != b.recent {
			w.recent.release(math.MaxInt64)
		}
	}
}

// Unproven counts a recipient, the plain address of one of ours without tag, for
// which nothing proves that the null sender's message answers one of ours;
// accepted or not, callouts and unknown users too. To be called once for a
// recipient of a transaction. The zero Addr is no client: so come messages from
// relays of ours. What is blocked is counted as refused only.
func (f *Flood) Unproven(client netip.Addr, recipient string) {
	now, l := f.clock.now(), f.limits.Load()
	c, r, d := f.clientKey(client), f.textKey(ByRecipient, recipient), f.domainKey(recipient)
	if f.refused(&c, now) || f.refused(&r, now) {
		return
	}
	_, fromOne := f.count(&c, l, now)
	_, forOne := f.count(&r, l, now)
	if l.countsForDomain(fromOne, forOne) {
		f.count(&d, l, now)
	}
}

// Acquitted takes back what Unproven counted, when the message turns out to be
// proven, or of a class that does not count. Blocks that have begun stay.
func (f *Flood) Acquitted(client netip.Addr, recipient string) {
	now, l := f.clock.now(), f.limits.Load()
	c, r, d := f.clientKey(client), f.textKey(ByRecipient, recipient), f.domainKey(recipient)
	_, fromOne := f.take(&c, l, now)
	_, forOne := f.take(&r, l, now)
	if l.countsForDomain(fromOne, forOne) {
		f.take(&d, l, now)
	}
}

// UnprovenSubject counts a notification that nothing proves for its client
// network and subject together, unless one of these is blocked. Its recipients
// are counted by Unproven.
func (f *Flood) UnprovenSubject(client netip.Addr, s Subject) {
	now := f.clock.now()
	c, k := f.clientKey(client), f.subjectKey(client, &s)
	if _, blocked := f.blockOf(&c); !blocked && !f.refused(&k, now) {
		f.count(&k, f.limits.Load(), now)
	}
}

// Proven counts a bounce that was proven to be about mail of this sender.
func (f *Flood) Proven(sender string) {
	k := f.textKey(BySender, sender)
	f.count(&k, f.limits.Load(), f.clock.now())
}

// count counts an event for a key, and draws the conclusions. It gives the
// events in the windows for floods and for surges.
func (f *Flood) count(k *key, l *limits, now int64) (n, recent int) {
	limit := &l.of[k.kind]
	if k.sum == 0 || limit.hot == 0 {
		return 0, 0
	}
	w := f.watch[k.kind]
	f.outbox.count(k.kind, k.sum, 1)
	if limit.quarter > 0 {
		n = w.counts.add(k.sum, now, limit.quarter)
	}
	if w.recent == w.counts {
		recent = n
	} else if limit.recent > 0 {
		recent = w.recent.add(k.sum, now, limit.recent)
	}
	if max(n, recent) >= limit.hot {
		w.note(k, n, recent, l, now)
	}
	return n, recent
}

// take takes an event back, and gives what there was before.
func (f *Flood) take(k *key, l *limits, now int64) (n, recent int) {
	limit, w := &l.of[k.kind], f.watch[k.kind]
	if k.sum == 0 {
		return 0, 0
	}
	if limit.quarter > 0 {
		n = w.counts.take(k.sum, now, limit.quarter)
	}
	if w.recent == w.counts {
		recent = n
	} else if limit.recent > 0 {
		recent = w.recent.take(k.sum, now, limit.recent)
	}
	if max(n, recent) > 0 {
		f.outbox.count(k.kind, k.sum, -1)
	}
	return n, recent
}

// forget has a key start from zero.
func (w *watch) forget(sum uint64, limit *limit, now int64) {
	if limit.quarter > 0 {
		w.counts.clear(sum, now, limit.quarter)
	}
	if w.recent != w.counts && limit.recent > 0 {
		w.recent.clear(sum, now, limit.recent)
	}
}

// surges gives the events that a surge is judged by.
func (w *watch) surges(sum uint64, limit *limit, now int64) int {
	if limit.recent <= 0 {
		return 0
	}
	return w.recent.peek(sum, now, limit.recent)
}
