package journal

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// What a journal is bounded by if Options do not say otherwise.
const (
	DefaultEntries = 50_000
	DefaultAge     = 14 * 24 * time.Hour
	defaultOctets  = 64 << 20
)

const (
	groupDelay = 100 * time.Millisecond // how long entries wait for company
	countDelay = time.Second            // how long counts do, on their way to the store
	tidyEvery  = time.Minute
	maxPending = 1 << 12 // entries that may wait
)

// ErrCorrupt is the error where records of the store make no sense.
var ErrCorrupt = errors.New("records of the journal cannot be read")

// ErrPanic is reported when the journal's goroutine has failed and goes on.
var ErrPanic = errors.New("the journal has failed and goes on")

// Options say how a journal is opened.
type Options struct {
	Store      Store // nil: memory only
	Now        func() time.Time
	MaxEntries int           // 0: DefaultEntries
	MaxAge     time.Duration // 0: DefaultAge
	ReadOnly   bool          // for looking only: nothing is added or written
	Report     func(error)   // told of what goes wrong later; nil: nobody is told
}

// Stats are figures of a journal since it was opened.
type Stats struct {
	Entries  int
	Octets   int    // of memory, about
	Skipped  uint64 // decisions that were only counted
	Overflow uint64 // lost because too many waited
	Unsaved  int64  // records, each of one entry or many, that the store did not take
	Corrupt  uint64 // records of the store that could not be read

	LastOverflow time.Time // zero: there was none
}

// Journal keeps decisions. It is safe for concurrent use.
type Journal struct {
	o       Options
	wake    chan struct{}
	closing chan struct{}
	done    chan struct{}
	once    sync.Once

	waiting struct {
		sync.Mutex
		entries  []Entry
		events   map[Key]uint64 // few, each of the daemon's own words
		overflow uint64
		lost     time.Time // the last time
		closed   bool
	}

	work  sync.Mutex // held by whoever takes what waits
	spare []Entry    // used up, for the next ones to wait in
	limit limiter

	mu      sync.RWMutex // what is kept
	shelves [kinds]*shelf
	hours   hours
	seq     uint64
	stats   Stats
}

// Open reads what the store has. An error says what of it could not be read,
// with ErrCorrupt where it makes no sense; the journal works all the same, with
// the rest.
func Open(o Options) (*Journal, error) {
	if o.MaxEntries == 0 {
		o.MaxEntries = DefaultEntries
	}
	if o.MaxAge == 0 {
		o.MaxAge = DefaultAge
	}
	j := &Journal{o: o, wake: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{})}
	j.waiting.events = make(map[Key]uint64)
	j.hours = hours{counts: make(map[int64]map[Key]uint64), dirty: make(map[int64]bool)}
	forRefusals := o.MaxEntries * 3 / 5
	j.shelves[refusals] = &shelf{kind: refusals, maxEntries: forRefusals, maxOctets: defaultOctets * 3 / 5}
	j.shelves[others] = &shelf{kind: others, maxEntries: o.MaxEntries - forRefusals, maxOctets: defaultOctets * 2 / 5}
	err := j.load()
	j.tidy()
	if o.ReadOnly {
		close(j.done)
	} else {
		go j.run()
	}
	return j, err
}

// Add keeps a decision. It does not wait; the entry and its slice must not be
// changed afterwards.
func (j *Journal) Add(e Entry) {
	e.shorten()
	w := &j.waiting
	w.Lock()
	if w.closed || len(w.entries) >= maxPending {
		w.overflow++
		w.lost = j.o.Now()
		w.Unlock()
		return
	}
	w.entries = append(w.entries, e)
	first := len(w.entries) == 1
	w.Unlock()
	if first {
		j.signal()
	}
}

// Count counts an event that is no verdict; what is one of the daemon's own
// words, or "".
func (j *Journal) Count(event, what string) {
	w := &j.waiting
	w.Lock()
	w.events[Key{Event: event, Reason: what}]++
	first := len(w.events) == 1
	w.Unlock()
	if first {
		j.signal()
	}
}

func (j *Journal) signal() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// run takes in what waits until the journal is closed.
func (j *Journal) run() {
	defer close(j.done)
	tidy := time.NewTicker(tidyEvery)
	defer tidy.Stop()
	count := time.NewTicker(countDelay)
	defer count.Stop()
	for {
		select {
		case <-j.wake:
			if j.pause() {
				return
			}
			j.guarded(j.take)
		case <-count.C:
			j.guarded(j.saveCounts)
		case <-tidy.C:
			j.guarded(j.tidy)
		case <-j.closing:
			return
		}
	}
}

// pause gives entries time to gather, and reports whether the journal was closed
// meanwhile.
func (j *Journal) pause() bool {
	timer := time.NewTimer(groupDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false
	case <-j.closing:
		return true
	}
}

// Flush takes in what waits, at once.
func (j *Journal) Flush() {
	j.guarded(func() {
		j.take()
		j.saveCounts()
	})
}

// Close takes in what waits and hands it to the store, whose closing writes it.
func (j *Journal) Close() {
	j.once.Do(func() {
		if j.o.ReadOnly {
			return
		}
		close(j.closing)
		<-j.done
		j.waiting.Lock()
		j.waiting.closed = true
		j.waiting.Unlock()
		j.Flush()
	})
}

// guarded runs fn alone, and outlives it.
func (j *Journal) guarded(fn func()) {
	j.work.Lock()
	defer j.work.Unlock()
	defer func() {
		if p := recover(); p != nil && j.o.Report != nil {
			j.o.Report(fmt.Errorf("%w: %v", ErrPanic, p))
		}
	}()
	fn()
}

// take moves what waits to where it is kept, and to the store.
func (j *Journal) take() {
	w := &j.waiting
	w.Lock()
	entries, events := w.entries, w.events
	w.entries, w.events = j.spare, make(map[Key]uint64)
	j.spare = nil
	w.Unlock()
	j.keep(entries, events)
	clear(entries)
	j.spare = entries[:0]
	j.tidy()
}

// keep takes entries and events in.
func (j *Journal) keep(entries []Entry, events map[Key]uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	groups := make(map[string][]Entry)
	for i := range entries {
		e := entries[i]
		e.clean()
		e.At = e.At.UTC().Truncate(time.Microsecond)
		j.hours.add(hourOf(e.At), Key{Action: e.Action, Reason: e.Reason, Class: e.Class, Origin: e.Origin, Enforced: e.Enforced}, 1)
		if !j.limit.admit(&e) {
			j.stats.Skipped++
			continue
		}
		j.seq++
		e.Seq = j.seq
		seg := j.shelves[e.kind()].put(e)
		bucket := bucketOf(e.kind(), seg.number)
		groups[bucket] = append(groups[bucket], e)
	}
	for k, n := range events {
		j.hours.add(hourOf(j.o.Now()), k, n)
	}
	j.save(groups)
}

// save hands groups to the store.
func (j *Journal) save(groups map[string][]Entry) {
	if j.o.Store == nil {
		return
	}
	for bucket, group := range groups {
		j.o.Store.Put(bucket, keyOf(group[0].Seq), encodeGroup(group))
	}
}

// saveCounts hands the counts that have changed to the store, and those that it
// may have lost.
func (j *Journal) saveCounts() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.o.Store == nil {
		clear(j.hours.dirty)
		return
	}
	if lost := j.o.Store.Lost(); lost != j.stats.Unsaved {
		j.stats.Unsaved = lost
		for hour := range j.hours.counts {
			j.hours.dirty[hour] = j.hours.dirty[hour] || hour >= hourOf(j.o.Now())-1
		}
	}
	for hour, dirty := range j.hours.dirty {
		if dirty {
			j.o.Store.Put(hoursBucket, keyOf(uint64(hour)), encodeHour(j.hours.counts[hour]))
		}
	}
	clear(j.hours.dirty)
}

// tidy takes out what is too much or too old.
func (j *Journal) tidy() {
	horizon := j.horizon()
	j.mu.Lock()
	defer j.mu.Unlock()
	drop, forget := func(string) {}, func(int64) {}
	if j.o.Store != nil && !j.o.ReadOnly {
		drop = j.o.Store.Drop
		forget = func(hour int64) { j.o.Store.Delete(hoursBucket, keyOf(uint64(hour))) }
	}
	for _, s := range j.shelves {
		for s.outdated(horizon) {
			drop(bucketOf(s.kind, s.takeOldest().number))
		}
	}
	for s := overfull(j.shelves[:]); s != nil; s = overfull(j.shelves[:]) {
		drop(bucketOf(s.kind, s.takeOldest().number))
	}
	for _, hour := range j.hours.expire(hourOf(horizon)) {
		forget(hour)
	}
}

func (j *Journal) horizon() time.Time { return j.o.Now().Add(-j.o.MaxAge) }

// Stats gives the figures of the moment.
func (j *Journal) Stats() Stats {
	j.waiting.Lock()
	overflow, lost := j.waiting.overflow, j.waiting.lost
	j.waiting.Unlock()
	j.mu.RLock()
	defer j.mu.RUnlock()
	s := j.stats
	s.Overflow, s.LastOverflow = overflow, lost
	for _, shelf := range j.shelves {
		s.Entries += shelf.entries
		s.Octets += shelf.octets
	}
	return s
}
