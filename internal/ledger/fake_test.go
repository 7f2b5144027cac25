package ledger

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeStore is a Store in memory whose disk takes what waits when it is told to.
type fakeStore struct {
	mu     sync.Mutex
	meta   map[string][]byte
	groups map[int][][]byte
	queue  []func()
	lost   int64
	fail   error // of reading
	broken bool  // panics
}

func newFake() *fakeStore {
	return &fakeStore{meta: map[string][]byte{}, groups: map[int][][]byte{}}
}

func (f *fakeStore) later(fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken {
		panic("the store is broken")
	}
	f.queue = append(f.queue, fn)
}

// commit writes what waits; crash forgets it.
func (f *fakeStore) commit() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fn := range f.queue {
		fn()
	}
	f.queue = nil
}

func (f *fakeStore) crash() *fakeStore {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &fakeStore{meta: maps.Clone(f.meta), groups: maps.Clone(f.groups)}
}

func (f *fakeStore) Meta(fn func(string, []byte) error) error {
	for key, value := range f.meta {
		if err := fn(key, value); err != nil {
			return err
		}
	}
	return f.fail
}

func (f *fakeStore) Put(key string, value []byte) { f.later(func() { f.meta[key] = value }) }
func (f *fakeStore) Delete(key string)            { f.later(func() { delete(f.meta, key) }) }
func (f *fakeStore) Drop(day int)                 { f.later(func() { delete(f.groups, day) }) }
func (f *fakeStore) Days() ([]int, error)         { return slices.Collect(maps.Keys(f.groups)), nil }

func (f *fakeStore) Append(day int, group []byte) {
	f.later(func() { f.groups[day] = append(slices.Clip(f.groups[day]), group) })
}

func (f *fakeStore) Load(day int, fn func([]byte) error) error {
	for _, group := range f.groups[day] {
		if err := fn(group); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeStore) Lost() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lost
}

// fixture is a ledger whose clock the test moves.
type fixture struct {
	*Ledger
	t       testing.TB
	store   *fakeStore
	options Options

	mu      sync.Mutex
	time    time.Time
	reports []error
}

func date(s string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		panic(err)
	}
	return t
}

const lifetime = 21 * day

func newFixture(t testing.TB) *fixture {
	f := &fixture{t: t, store: newFake(), time: date("2026-11-01 12:00")}
	f.options = Options{Now: f.clockTime, Lifetime: lifetime, Report: f.report}
	return f
}

// start opens a ledger on a fresh store.
func start(t testing.TB) *fixture {
	f := newFixture(t)
	f.open()
	return f
}

func (f *fixture) open() {
	f.t.Helper()
	f.options.Store = f.store
	l, err := Open(f.options)
	if err != nil {
		f.t.Fatal(err)
	}
	f.Ledger = l
	f.t.Cleanup(l.Close)
}

func (f *fixture) report(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reports = append(f.reports, err)
}

// reported is how often the kind of trouble was reported.
func (f *fixture) reported(kind error) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, err := range f.reports {
		if errors.Is(err, kind) {
			n++
		}
	}
	return n
}

func (f *fixture) clockTime() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.time
}

// set puts the clock to another time.
func (f *fixture) set(t time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.time = t
}

func (f *fixture) jump(d time.Duration) { f.set(f.clockTime().Add(d)) }

// live lets time pass, the heart beating.
func (f *fixture) live(d time.Duration) {
	for ; d > 0; d -= hole {
		f.jump(min(d, hole))
		f.Heartbeat()
	}
}

// sent records messages and brings the index up to date.
func (f *fixture) sent(entries ...Entry) {
	for _, e := range entries {
		f.Record(e)
	}
	f.Heartbeat()
}

// stop closes the ledger in good order; kill does not.
func (f *fixture) stop() {
	f.Close()
	f.store.commit()
}

func (f *fixture) kill() {
	old := f.store
	f.store = old.crash()
	old.queue = nil
}

func (f *fixture) covers(want bool, at time.Time) {
	f.t.Helper()
	if got := f.Covers("example.com", at); got != want {
		f.t.Errorf("Covers(%s) at %s: %v, gaps %s", at.Format(time.DateTime), f.clockTime().Format(time.DateTime), got, f.list())
	}
}

// list is the gaps as text.
func (f *fixture) list() string {
	var b strings.Builder
	for _, g := range f.Gaps() {
		b.WriteString(g.From.Format("[01-02 15:04:05, ") + g.To.Format("01-02 15:04:05: ") + g.Why + "]")
	}
	return b.String()
}

func message(id string) Entry {
	return Entry{Sender: "alice@example.com", MessageID: id, QueueID: "Q" + id, Recipients: []string{"bob@example.net"}}
}
