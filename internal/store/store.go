package store

import (
	"errors"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

const (
	groupDelay = 250 * time.Millisecond // how long a record waits for company
	retryDelay = 5 * time.Second        // after a failed commit
	closeLimit = 5 * time.Second        // how long Close waits for the disk
	maxQueued  = 1 << 16                // records that may wait
	maxOctets  = 32 << 20               // and their keys and values together
)

// Options say how a store is opened.
type Options struct {
	// Now is the clock; it gives names to files set aside.
	Now func() time.Time
	// Report is told what goes wrong after or in spite of a successful Open:
	// a file set aside, a disk that is full. It may be called from another
	// goroutine. Repeated failures of writing are reported when they begin,
	// not each time; Stats counts them all. Nil: nobody is told.
	Report func(error)
	// ReadOnly opens the file for looking only, beside other readers.
	ReadOnly bool
}

// Stats are figures of a store since it was opened.
type Stats struct {
	Queued    int   // records waiting to be written
	Written   int64 // records written
	Overflows int64 // records dropped because too many waited
	Failures  int64 // commits that failed
	LastError error // of the latest commit that failed; nil once one succeeds
	Forgone   int64 // optional records dropped, because there was no room or their commit failed
}

// Store is one open file. It is safe for concurrent use.
type Store struct {
	path    string
	options Options
	db      *bbolt.DB
	write   func(batch) error // replaced in tests by a disk that fails

	wake    chan struct{}
	closing chan struct{}
	done    chan struct{}
	once    sync.Once

	mu     sync.Mutex
	queue  batch
	extra  batch // optional records
	closed bool
	stats  Stats
}

// Bucket gives access to the records under one name. The bucket is made with
// its first record.
func (s *Store) Bucket(name string) *Bucket { return &Bucket{s, name, false} }

// Optional gives access to records that all others go before: they are written
// after those, in a transaction of their own, and where that fails they are
// dropped. So they keep nothing else from a disk that is nearly full.
func (s *Store) Optional(name string) *Bucket { return &Bucket{s, name, true} }

// Bucket is a set of records, each a key and a value.
type Bucket struct {
	store    *Store
	name     string
	optional bool
}

// Put queues a record. It takes a copy of neither: the value must not be
// changed afterwards. Empty keys and keys over 32 KiB are counted as overflow.
func (b *Bucket) Put(key string, value []byte) {
	b.store.enqueue(id{b.name, key}, change{value: value}, b.optional)
}

// Delete queues the removal of a record.
func (b *Bucket) Delete(key string) {
	b.store.enqueue(id{b.name, key}, change{remove: true}, b.optional)
}

// Drop queues the removal of the bucket with all that was put into it before.
func (b *Bucket) Drop() { b.store.drop(b.name, b.optional) }

// Each shows every record that has been written, in the order of keys, until
// fn fails. It reads the disk: it is for the start, not for the reply path.
// Keys and values are copies.
func (b *Bucket) Each(fn func(key string, value []byte) error) error {
	return b.store.guard(func() error {
		return b.store.db.View(func(tx *bbolt.Tx) error {
			bucket := tx.Bucket([]byte(b.name))
			if bucket == nil {
				return nil
			}
			return bucket.ForEach(func(k, v []byte) error {
				return fn(string(k), append([]byte(nil), v...))
			})
		})
	})
}

// Buckets names the buckets in the file, in order, but for the store's own.
func (s *Store) Buckets() (names []string, err error) {
	err = s.guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			return tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
				if string(name) != stampBucket {
					names = append(names, string(name))
				}
				return nil
			})
		})
	})
	return names, err
}

// Path is the file's name.
func (s *Store) Path() string { return s.path }

// Stats gives the figures of the moment.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.Queued = len(s.queue.changes)
	return stats
}

// Close writes what is queued and closes the file. It waits five seconds at
// the most; a disk that is slower than that loses the rest, and the error is
// ErrNotFlushed; of a file that cannot be written it is ErrReadOnly. Records put
// after Close are counted as overflow.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		close(s.closing)
	})
	timer := time.NewTimer(closeLimit)
	defer timer.Stop()
	select {
	case <-s.done:
	case <-timer.C:
		return &Error{s.path, ErrNotFlushed}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.queue.changes) + len(s.queue.drops); n > 0 {
		if errors.Is(s.stats.LastError, ErrReadOnly) {
			return &Error{s.path, ErrReadOnly}
		}
		return &Error{s.path, errors.Join(ErrNotFlushed, s.stats.LastError)}
	}
	return nil
}

// guard turns a panic over a damaged page, and a fault in the mapped file,
// into ErrDamaged.
func (s *Store) guard(fn func() error) error {
	if err := guarded(fn); err != nil {
		return &Error{s.path, err}
	}
	return nil
}
