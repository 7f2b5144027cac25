package ledger

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/store"
)

// benchEntries is how many entries the benchmarks work on: a million, or
// $LEDGER_ENTRIES.
func benchEntries(b *testing.B) int {
	text := os.Getenv("LEDGER_ENTRIES")
	if text == "" {
		return 1_000_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// benchFill writes a ledger of 22 days in groups of 100 entries, as a site does
// that sends a hundred messages a second.
func benchFill(b *testing.B, path string, n int) *fixture {
	f := newFixture(b)
	s := benchStore(b, f, path)
	perDay := benchDay(n)
	for d := range 22 {
		for written := 0; written < perDay; written += 100 {
			for i := range 25 {
				f.Record(benchMessage(d*perDay + written + i*4))
			}
			f.Heartbeat()
			for s.Stats().Queued > 20_000 {
				time.Sleep(5 * time.Millisecond)
			}
		}
		if d < 21 {
			f.live(day)
		}
	}
	f.Close()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	if f.Stats().Gaps > 0 || f.Stats().StoreLost > 0 {
		b.Fatalf("%+v", f.Stats())
	}
	return f
}

// benchDay is how many entries a day has.
func benchDay(n int) int { return n / 22 / 100 * 100 }

func benchStore(b *testing.B, f *fixture, path string) *store.Store {
	s, err := store.Open(path, store.Options{Now: f.clockTime})
	if err != nil {
		b.Fatal(err)
	}
	f.options.Store = File(s, f.clockTime)
	if f.Ledger, err = Open(f.options); err != nil {
		b.Fatal(err)
	}
	return s
}

// benchMessage leaves four entries that no other does.
func benchMessage(i int) Entry {
	n := strconv.Itoa(i)
	return Entry{
		Sender: "user" + strconv.Itoa(i%1000) + "@example.com", MessageID: "<" + n + ".4bQ1xZ@host.example.com>", QueueID: "4bQ1" + n,
		Recipients: []string{"recipient@d" + n + ".example.net"},
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkLedger(b *testing.B) {
	path := filepath.Join(b.TempDir(), "state.db")
	n := benchEntries(b)
	f := benchFill(b, path, n)
	f.Ledger = nil
	b.Run("reopen", func(b *testing.B) { benchReopen(b, f, path) })
	s := benchStore(b, f, path)
	b.Run("hit", func(b *testing.B) { benchQuery(b, f, n, true) })
	b.Run("miss", func(b *testing.B) { benchQuery(b, f, n, false) })
	b.Run("covers", func(b *testing.B) {
		for b.Loop() {
			f.Covers("example.com", f.time)
		}
	})
	b.Run("write", func(b *testing.B) { benchWrite(b, f) })
	b.Run("expire", func(b *testing.B) { benchExpire(b, f, s) })
	f.Close()
	s.Close()
}

func benchReopen(b *testing.B, f *fixture, path string) {
	f.Ledger = nil
	before := heap()
	for b.Loop() {
		s := benchStore(b, f, path)
		b.StopTimer()
		if entries := float64(f.Stats().Entries); entries > 0 {
			info, err := os.Stat(path)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(entries, "entries")
			b.ReportMetric(float64(info.Size())/entries, "disk-B/entry")
			b.ReportMetric(float64(f.Stats().Octets)/entries, "index-B/entry")
			b.ReportMetric((float64(heap())-float64(before))/entries, "heap-B/entry")
		}
		f.Close()
		s.Close()
		f.Ledger = nil
		b.StartTimer()
	}
}

func benchQuery(b *testing.B, f *fixture, n int, want bool) {
	ids := make([]Entry, 1<<16)
	for i := range ids {
		written := i * 7919 * 4 % (benchDay(n) * 20)
		ids[i] = benchMessage(written)
		if !want {
			ids[i].MessageID = "no" + ids[i].MessageID
		}
	}
	wrong, i := 0, 0
	for b.Loop() {
		if e := &ids[i&(1<<16-1)]; f.Sent(e.Sender, e.MessageID) != want {
			wrong++
		}
		i++
	}
	b.ReportMetric(float64(wrong)/float64(i), "wrong/op")
}

// benchWrite is the cost in the reply path; the work behind it shares the
// processors.
func benchWrite(b *testing.B, f *fixture) {
	e := benchMessage(1)
	id := []byte(strings.Repeat("x", 32))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		copy(id, strconv.AppendInt(id[:0:32], int64(i), 36))
		e.MessageID = string(id)
		f.Record(e)
	}
	b.ReportMetric(float64(f.Stats().Overflows)/float64(i)/4, "lost/op")
}

// benchExpire drops days with what they hold.
func benchExpire(b *testing.B, f *fixture, s *store.Store) {
	f.Heartbeat()
	f.work.mu.Lock()
	defer f.work.mu.Unlock()
	days := f.index.sorted()
	began := time.Now()
	for _, day := range slices.Backward(days) {
		f.dropBefore(day + 1)
	}
	inMemory := time.Since(began)
	for s.Stats().Queued > 0 {
		time.Sleep(time.Millisecond)
	}
	onDisk := time.Since(began)
	for b.Loop() {
		f.index.sorted() // nothing is left
	}
	b.ReportMetric(float64(inMemory.Milliseconds())/float64(len(days)), "ms/day")
	b.ReportMetric(float64(onDisk.Milliseconds()), "ms-on-disk")
	b.ReportMetric(0, "ns/op")
}
