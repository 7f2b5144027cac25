package ledger

import (
	"encoding/binary"
	"hash/crc32"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/store"
)

// Store keeps a ledger: small records by key, and groups of fingerprints by
// day. Put, Delete, Append and Drop must not wait, and take effect in the order
// in which they are called: what is kept of a moment includes all that was
// handed over before it, but for what Lost counts. Values are not changed after
// they were handed over. Meta, Days and Load are used at the start only.
type Store interface {
	// Meta shows the small records.
	Meta(fn func(key string, value []byte) error) error
	Put(key string, value []byte)
	Delete(key string)
	// Days are the days that have groups.
	Days() ([]int, error)
	// Load shows the groups of a day, in any order.
	Load(day int, fn func(group []byte) error) error
	Append(day int, group []byte)
	Drop(day int)
	// Lost is how many records were dropped that had been handed over; it only
	// grows.
	Lost() int64
}

const (
	metaBucket = "ledger"
	dayPrefix  = "ledger-" // and the number of the day since 1970-01-01
)

// File is a Store in the daemon's own file. It must be the only one.
func File(s *store.Store, now func() time.Time) Store { return &file{store: s, now: now} }

type file struct {
	store *store.Store
	now   func() time.Time

	mu   sync.Mutex
	last uint64 // key of the latest group
}

func (f *file) Meta(fn func(key string, value []byte) error) error {
	return f.store.Bucket(metaBucket).Each(fn)
}

func (f *file) Put(key string, value []byte) { f.store.Bucket(metaBucket).Put(key, value) }
func (f *file) Delete(key string)            { f.store.Bucket(metaBucket).Delete(key) }
func (f *file) Drop(day int)                 { f.bucket(day).Drop() }
func (f *file) Lost() int64                  { return f.store.Stats().Overflows }

func (f *file) bucket(day int) *store.Bucket {
	return f.store.Bucket(dayPrefix + strconv.Itoa(day))
}

func (f *file) Days() (days []int, err error) {
	names, err := f.store.Buckets()
	for _, name := range names {
		number, ok := strings.CutPrefix(name, dayPrefix)
		if day, err := strconv.Atoi(number); ok && err == nil {
			days = append(days, day)
		}
	}
	return days, err
}

func (f *file) Load(day int, fn func(group []byte) error) error {
	return f.bucket(day).Each(func(_ string, group []byte) error { return fn(group) })
}

// Append puts a group under a key of its own: the time in nanoseconds, or one
// more than the key before.
func (f *file) Append(day int, group []byte) {
	f.mu.Lock()
	f.last = max(f.last+1, uint64(f.now().UnixNano()))
	key := binary.BigEndian.AppendUint64(nil, f.last)
	f.mu.Unlock()
	f.bucket(day).Put(string(key), group)
}

const (
	entryOctets = 8
	sumOctets   = 4
)

// encodeGroup writes fingerprints one behind the other, little-endian, and a
// CRC-32 (IEEE) over them.
func encodeGroup(fps []uint64) []byte {
	group := make([]byte, 0, len(fps)*entryOctets+sumOctets)
	for _, fp := range fps {
		group = binary.LittleEndian.AppendUint64(group, fp)
	}
	return binary.LittleEndian.AppendUint32(group, crc32.ChecksumIEEE(group))
}

// decodeGroup appends a group's fingerprints to fps, and reports whether it is
// one.
func decodeGroup(fps []uint64, group []byte) ([]uint64, bool) {
	n := len(group) - sumOctets
	if n < 0 || n%entryOctets != 0 || crc32.ChecksumIEEE(group[:n]) != binary.LittleEndian.Uint32(group[n:]) {
		return fps, false
	}
	from := len(fps)
	for ; n > 0; n -= entryOctets {
		fp := binary.LittleEndian.Uint64(group)
		if !known(fp) {
			return fps[:from], false
		}
		fps, group = append(fps, fp), group[entryOctets:]
	}
	return fps, true
}
