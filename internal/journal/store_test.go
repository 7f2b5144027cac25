package journal

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// fake is a Store in memory that can refuse.
type fake struct {
	mu      sync.Mutex
	records map[string]map[string][]byte
	full    bool
	lost    int64
	broken  error
	torn    string // a bucket that cannot be read
	panics  bool
}

func (f *fake) Buckets() ([]string, error) { return slices.Collect(maps.Keys(f.records)), f.broken }

func (f *fake) Each(bucket string, fn func(key string, value []byte) error) error {
	if bucket == f.torn {
		return errors.New("a torn page")
	}
	for key, value := range f.records[bucket] {
		if err := fn(key, value); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) Lost() int64 { return f.lost }

func (f *fake) Put(bucket, key string, value []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.panics {
		panic("oh")
	}
	if f.full {
		f.lost++
		return
	}
	if f.records == nil {
		f.records = make(map[string]map[string][]byte)
	}
	if f.records[bucket] == nil {
		f.records[bucket] = make(map[string][]byte)
	}
	if f.records[bucket][key] != nil && bucket != hoursBucket {
		panic("two groups of one key")
	}
	f.records[bucket][key] = value
}

func (f *fake) Delete(bucket, key string) { delete(f.records[bucket], key) }
func (f *fake) Drop(bucket string)        { delete(f.records, bucket) }

// Whatever octet of a record is wrong, it is left out and counted, and the
// others are read.
func TestCorrupt(t *testing.T) {
	c, kept := newClock(), &fake{}
	j := open(t, Options{Store: kept, Now: c.Now})
	j.add(refusal(c, 1))
	j.add(refusal(c, 2))
	j.Close()
	for bucket, records := range kept.records {
		for key, record := range records {
			for at := range record {
				damaged := slices.Clone(record)
				damaged[at] ^= 0x41
				records[key] = damaged
				again, err := Open(Options{Store: kept, Now: c.Now})
				if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), ": 1, ") {
					t.Fatalf("%s octet %d: %v", bucket, at, err)
				}
				left := len(again.Find(Query{}).Entries)
				if want := map[bool]int{true: 2, false: 1}[bucket == hoursBucket]; again.Stats().Corrupt != 1 || left != want {
					t.Fatalf("%s octet %d: %d entries, %d corrupt", bucket, at, left, again.Stats().Corrupt)
				}
				again.Close()
			}
			records[key] = record
		}
	}
	for _, bucket := range slices.Collect(maps.Keys(kept.records)) {
		kept.records[bucket]["short"] = []byte{version}
	}
	c.move(DefaultAge + time.Hour)
	if again, err := Open(Options{Store: kept, Now: c.Now}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%v", err)
	} else {
		again.Close()
	}
	if left := kept.records[hoursBucket]; len(left) != 1 || len(kept.records) != 1 {
		t.Errorf("what cannot be read is kept for good: %v", kept.records)
	}
	kept.broken = errors.New("the disk is gone")
	if again, err := Open(Options{Store: kept, Now: c.Now}); !errors.Is(err, kept.broken) {
		t.Errorf("%v", err)
	} else {
		again.add(refusal(c, 3))
		if len(again.Find(Query{}).Entries) != 1 {
			t.Error("it does not work from memory")
		}
		again.Close()
	}
}

// What stands behind a segment that cannot be read is read, and not written over.
func TestTorn(t *testing.T) {
	c, kept := newClock(), &fake{torn: bucketOf(refusals, 0)}
	j := open(t, Options{Store: kept, Now: c.Now})
	j.add(refusal(c, 1), accept(c, 2))
	c.move(24 * time.Hour)
	j.add(refusal(c, 3))
	j.Close()
	again, err := Open(Options{Store: kept, Now: c.Now})
	if err == nil || !strings.Contains(err.Error(), "a torn page") || errors.Is(err, ErrCorrupt) {
		t.Errorf("%v", err)
	}
	again.add(refusal(c, 4))
	again.Close()
	kept.torn = ""
	last := open(t, Options{Store: kept, Now: c.Now})
	if got := last.Find(Query{}).Entries; len(got) != 3 || len(hoursOf(last)) != 3 {
		t.Errorf("%d entries, counts %v", len(got), hoursOf(last))
	}
}

// Decoding outlives any content, even one whose sum is right.
func TestDecodeAnything(t *testing.T) {
	c := newClock()
	e := refusal(c, 1)
	good := appendEntry(nil, &e)
	rapid.Check(t, func(t *rapid.T) {
		content := slices.Concat(good, rapid.SliceOf(rapid.Byte()).Draw(t, "content"))
		if n := rapid.IntRange(0, len(content)).Draw(t, "cut"); n > 0 {
			content = content[n:]
		}
		record := seal(append([]byte{version}, content...))
		if entries, err := decodeGroup(record, sameStrings()); err == nil {
			if again, err := decodeGroup(encodeGroup(entries), sameStrings()); err != nil || len(again) != len(entries) {
				t.Fatalf("%v, %d of %d", err, len(again), len(entries))
			}
		}
		_, _ = decodeHour(record, sameStrings())
	})
}

// A full store costs what it cannot take, and nothing of what is in memory.
func TestFullStore(t *testing.T) {
	c, kept := newClock(), &fake{full: true}
	j := open(t, Options{Store: kept, Now: c.Now})
	j.add(refusal(c, 1), refusal(c, 2))
	j.Flush()
	if s := j.Stats(); s.Entries != 2 || s.Unsaved != 2 { // a group, and the counts
		t.Errorf("%+v", s)
	}
	kept.full = false
	j.add(refusal(c, 3))
	j.Close()
	again := open(t, Options{Store: kept, Now: c.Now})
	if got := again.Find(Query{}).Entries; len(got) != 1 || got[0].ID != "RUN-3" {
		t.Errorf("after a restart: %v", got)
	}
	var counted uint64
	for _, n := range hoursOf(again) {
		counted += n
	}
	if counted != 3 {
		t.Errorf("%d counted, want all three: counts are written later", counted)
	}
}

// Segments that were dropped from memory are dropped from the store.
func TestStoreBounded(t *testing.T) {
	c, kept := newClock(), &fake{}
	j := open(t, Options{Store: kept, Now: c.Now, MaxEntries: 100})
	for n := range 1000 {
		j.add(refusal(c, n), accept(c, n))
	}
	records := 0
	for _, bucket := range kept.records {
		records += len(bucket)
	}
	if records > 101 {
		t.Errorf("%d records for at most 100 entries", records)
	}
	before := len(j.Find(Query{Limit: MaxLimit}).Entries)
	j.Close()
	for range 3 {
		j = open(t, Options{Store: kept, Now: c.Now, MaxEntries: 100})
		if got := len(j.Find(Query{Limit: MaxLimit}).Entries); got != before {
			t.Errorf("%d entries after a restart, %d before", got, before)
		}
		j.Close()
	}
}

func TestSegmentNames(t *testing.T) {
	for _, k := range []kind{refusals, others} {
		if gotKind, number, ok := segmentName(bucketOf(k, 0xabc)); gotKind != k || number != 0xabc || !ok {
			t.Errorf("%s: %v %d %v", bucketOf(k, 0xabc), gotKind, number, ok)
		}
	}
	for _, name := range []string{"", "ledger-7", hoursBucket, "journal-", "journal-2-0000000000000000", "journal-0-000000000000000g", "journal-0-00"} {
		if _, _, ok := segmentName(name); ok {
			t.Errorf("%q is taken for a segment", name)
		}
	}
}

// An hour has no more keys than it may, whatever is counted.
func TestHourKeys(t *testing.T) {
	c := newClock()
	j := open(t, Options{Now: c.Now})
	for n := range 2000 {
		e := refusal(c, n)
		e.Class = fmt.Sprint(n)
		j.add(e)
	}
	var sum uint64
	counts := hoursOf(j)
	for _, n := range counts {
		sum += n
	}
	if len(counts) > maxKeys || sum != 2000 {
		t.Errorf("%d keys, %d counted", len(counts), sum)
	}
}
