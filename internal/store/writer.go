package store

import (
	"errors"
	"time"

	"go.etcd.io/bbolt"
	boltErrors "go.etcd.io/bbolt/errors"
)

const (
	maxKey = bbolt.MaxKeySize
	// fill is how full pages are left when they are split. The buckets that grow
	// large get their records in the order of keys: half-empty pages would only
	// double the file.
	fill = 0.95
)

// id names one record.
type id struct{ bucket, key string }

// change is what will become of a record.
type change struct {
	value  []byte
	remove bool
}

// batch is what waits to be written: buckets to drop, then the last change of
// each record.
type batch struct {
	drops   map[string]bool
	changes map[id]change
	octets  int
}

func newBatch() batch {
	return batch{drops: map[string]bool{}, changes: map[id]change{}}
}

func (b *batch) empty() bool { return len(b.changes) == 0 && len(b.drops) == 0 }

func size(i id, c change) int { return len(i.bucket) + len(i.key) + len(c.value) }

// add puts a change in the place of an older one of the same record, and
// reports whether there was room for it.
func (b *batch) add(i id, c change) bool {
	old, replaces := b.changes[i]
	octets := b.octets + size(i, c)
	if replaces {
		octets -= size(i, old)
	}
	if octets > maxOctets || !replaces && len(b.changes) == maxQueued {
		return false
	}
	b.changes[i], b.octets = c, octets
	return true
}

func (b *batch) drop(bucket string) {
	for i, c := range b.changes {
		if i.bucket == bucket {
			delete(b.changes, i)
			b.octets -= size(i, c)
		}
	}
	b.drops[bucket] = true
}

// under puts an older batch below b: what b says of a record counts. It
// returns how many changes there was no room for.
func (b *batch) under(old batch) (lost int) {
	for i, c := range old.changes {
		if _, newer := b.changes[i]; newer || b.drops[i.bucket] {
			continue
		}
		if !b.add(i, c) {
			lost++
		}
	}
	for bucket := range old.drops {
		b.drops[bucket] = true
	}
	return lost
}

func (s *Store) enqueue(i id, c change, optional bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if optional {
		if s.closed || i.key == "" || len(i.key) > maxKey || !s.extra.add(i, c) {
			s.stats.Forgone++
			return
		}
		s.signal()
		return
	}
	if s.closed || i.key == "" || len(i.key) > maxKey || !s.queue.add(i, c) {
		s.stats.Overflows++
		return
	}
	s.signal()
}

func (s *Store) drop(bucket string, optional bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed && optional:
		s.stats.Forgone++
		return
	case s.closed:
		s.stats.Overflows++
		return
	case optional:
		s.extra.drop(bucket)
	default:
		s.queue.drop(bucket)
	}
	s.signal()
}

func (s *Store) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run is the writer: it waits for records, gives them a moment to gather, and
// commits them together, until the store is closed.
func (s *Store) run() {
	defer close(s.done)
	for {
		select {
		case <-s.wake:
		case <-s.closing:
			s.finish()
			return
		}
		delay, written := groupDelay, false
		for !written && !s.pause(delay) {
			written, delay = s.commit(), retryDelay
		}
		if written {
			s.commitExtra()
		}
	}
}

// pause waits, and reports whether the store was closed meanwhile.
func (s *Store) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false
	case <-s.closing:
		return true
	}
}

func (s *Store) finish() {
	s.commit()
	s.commitExtra()
	if s.db == nil {
		return
	}
	if err := guarded(s.db.Close); err != nil {
		s.report(&Error{s.path, err})
	}
}

// commit writes the queue and reports whether that worked. What could not be
// written goes back into the queue, below what has come since.
func (s *Store) commit() bool {
	s.mu.Lock()
	taken := s.queue
	s.queue = newBatch()
	s.mu.Unlock()
	if taken.empty() {
		return true
	}
	err := s.write(taken)
	s.mu.Lock()
	begins := err != nil && s.stats.LastError == nil
	if s.stats.LastError = err; err == nil {
		s.stats.Written += int64(len(taken.changes))
	} else {
		s.stats.Failures++
		s.stats.Overflows += int64(s.queue.under(taken))
	}
	s.mu.Unlock()
	if begins {
		s.report(&Error{s.path, err})
	}
	return err == nil
}

// commitExtra writes the optional records, or drops them.
func (s *Store) commitExtra() {
	s.mu.Lock()
	taken := s.extra
	s.extra = newBatch()
	s.mu.Unlock()
	if taken.empty() {
		return
	}
	err := s.write(taken)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.stats.Written += int64(len(taken.changes))
		return
	}
	s.stats.Forgone += int64(len(taken.changes) + len(taken.drops))
}

func (s *Store) report(err error) {
	if s.options.Report != nil {
		s.options.Report(err)
	}
}

// writeFile commits a batch to the file in one transaction.
func (s *Store) writeFile(b batch) error {
	return guarded(func() error {
		err := s.db.Update(b.apply)
		if errors.Is(err, boltErrors.ErrDatabaseReadOnly) {
			return ErrReadOnly
		}
		return err
	})
}

func (b *batch) apply(tx *bbolt.Tx) error {
	for name := range b.drops {
		if err := tx.DeleteBucket([]byte(name)); err != nil && !errors.Is(err, boltErrors.ErrBucketNotFound) {
			return err
		}
	}
	for i, c := range b.changes {
		bucket, err := tx.CreateBucketIfNotExists([]byte(i.bucket))
		if err != nil {
			return err
		}
		bucket.FillPercent = fill
		if c.remove {
			err = bucket.Delete([]byte(i.key))
		} else {
			err = bucket.Put([]byte(i.key), c.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
