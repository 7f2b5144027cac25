package journal

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/backscatter-milter/backscatter-milter/internal/store"
)

// Store keeps a journal: records by bucket and key. Put, Delete and Drop must not
// wait. Buckets and Each are used at the start only.
type Store interface {
	Buckets() ([]string, error)
	Each(bucket string, fn func(key string, value []byte) error) error
	Put(bucket, key string, value []byte)
	Delete(bucket, key string)
	Drop(bucket string)
	// Lost is how many records were not taken; it only grows.
	Lost() int64
}

const (
	hoursBucket   = "journal-hours"
	segmentPrefix = "journal-" // then the kind and the number
)

// File is a Store in the daemon's own file. All else that is kept there goes
// before.
func File(s *store.Store) Store { return file{s} }

type file struct{ store *store.Store }

func (f file) Buckets() ([]string, error) { return f.store.Buckets() }

func (f file) Each(bucket string, fn func(key string, value []byte) error) error {
	return f.store.Bucket(bucket).Each(fn)
}

func (f file) Put(bucket, key string, value []byte) { f.store.Optional(bucket).Put(key, value) }
func (f file) Delete(bucket, key string)            { f.store.Optional(bucket).Delete(key) }
func (f file) Drop(bucket string)                   { f.store.Optional(bucket).Drop() }
func (f file) Lost() int64                          { return f.store.Stats().Forgone }

func bucketOf(k kind, number uint64) string {
	return fmt.Sprintf("%s%d-%016x", segmentPrefix, k, number)
}

// segmentName takes the name of a segment's bucket apart.
func segmentName(bucket string) (k kind, number uint64, ok bool) {
	rest, ok := strings.CutPrefix(bucket, segmentPrefix)
	if !ok || len(rest) != len("0-0123456789abcdef") || rest[1] != '-' || rest[0] < '0' || rest[0] >= '0'+byte(kinds) {
		return 0, 0, false
	}
	number, err := strconv.ParseUint(rest[2:], 16, 64)
	return kind(rest[0] - '0'), number, err == nil
}

func keyOf(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }

// load reads what the store has. What cannot be read is left out, and counted
// where it makes no sense.
func (j *Journal) load() error {
	if j.o.Store == nil {
		return nil
	}
	names, err := j.o.Store.Buckets()
	if err != nil {
		return err
	}
	same := sameStrings()
	slices.Sort(names) // by kind and number
	var errs []error
	for _, name := range names {
		if k, number, ok := segmentName(name); ok {
			errs = append(errs, j.loadSegment(k, number, same))
		}
	}
	errs = append(errs, j.loadHours(same))
	if n := j.stats.Corrupt; n > 0 {
		errs = append(errs, fmt.Errorf("%w: %d, each of one decision or many, or of the counts of an hour", ErrCorrupt, n))
	}
	return errors.Join(errs...)
}

func (j *Journal) loadHours(same func(string) string) error {
	return j.o.Store.Each(hoursBucket, func(key string, value []byte) error {
		counts, err := decodeHour(value, same)
		if err != nil || len(key) != 8 {
			j.stats.Corrupt++
		}
		if len(key) == 8 { // one that cannot be read gets too old like the others
			j.hours.counts[int64(binary.BigEndian.Uint64([]byte(key)))] = counts
		}
		return nil
	})
}

func (j *Journal) loadSegment(k kind, number uint64, same func(string) string) error {
	s := j.shelves[k]
	seg := &segment{number: number}
	s.segments = append(s.segments, seg)
	s.next = number + 1
	err := j.o.Store.Each(bucketOf(k, number), func(_ string, value []byte) error {
		group, err := decodeGroup(value, same)
		if err != nil {
			j.stats.Corrupt++
		}
		for _, e := range group {
			s.add(seg, e)
			j.seq = max(j.seq, e.Seq)
		}
		return nil
	})
	slices.SortFunc(seg.entries, func(a, b Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	if n := len(seg.entries); n > 0 {
		seg.day = dayOf(seg.entries[n-1].At)
	}
	return err
}
