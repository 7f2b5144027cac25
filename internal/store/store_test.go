package store

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// reports collects what a store reports.
type reports struct {
	mu   sync.Mutex
	errs []error
}

func (r *reports) add(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
}

func (r *reports) list() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]error(nil), r.errs...)
}

func options(r *reports) Options {
	return Options{
		Now:    func() time.Time { return time.Date(2026, 11, 21, 8, 30, 5, 0, time.UTC) },
		Report: r.add,
	}
}

func open(t *testing.T, path string) (*Store, *reports) {
	t.Helper()
	r := &reports{}
	s, err := Open(path, options(r))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, r
}

func contents(t *testing.T, b *Bucket) map[string]string {
	t.Helper()
	got := map[string]string{}
	if err := b.Each(func(k string, v []byte) error { got[k] = string(v); return nil }); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestKeeps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s, _ := open(t, path)
	b := s.Bucket("grace")
	b.Put("a", []byte("1"))
	b.Put("b", []byte("2"))
	b.Put("a", []byte("3"))
	b.Delete("b")
	s.Bucket("day-1").Put("x", []byte("old"))
	s.Bucket("day-1").Drop()
	s.Bucket("day-2").Put("x", []byte("new"))
	b.Put("", []byte("no key"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b.Put("late", nil)
	if got := s.Stats(); got.Overflows != 2 || got.Queued != 0 || got.Failures != 0 {
		t.Errorf("%+v, want two records without room (no key, closed)", got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}

	s, r := open(t, path)
	if got := contents(t, s.Bucket("grace")); !maps.Equal(got, map[string]string{"a": "3"}) {
		t.Errorf("kept %v", got)
	}
	names, err := s.Buckets()
	if err != nil || strings.Join(names, " ") != "day-2 grace" {
		t.Errorf("buckets %q, %v", names, err)
	}
	s.Bucket("day-2").Drop()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, _ = open(t, path)
	if names, _ = s.Buckets(); strings.Join(names, " ") != "grace" {
		t.Errorf("after the drop: buckets %q", names)
	}
	if len(r.list()) > 0 {
		t.Errorf("reported %v", r.list())
	}
}

// TestCommits: a record reaches the file by itself, within the second that a
// crash may cost.
func TestCommits(t *testing.T) {
	s, _ := open(t, filepath.Join(t.TempDir(), "state.db"))
	s.Bucket("b").Put("k", []byte("v"))
	waitFor(t, "the record to be written", func() bool { return s.Stats().Written == 1 })
	if got := contents(t, s.Bucket("b")); got["k"] != "v" {
		t.Errorf("got %v", got)
	}
}

func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for range 500 {
		if cond() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("waited in vain for %s", what)
}

func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s, _ := open(t, path)
	_, err := Open(path, options(&reports{}))
	var typed *Error
	if !errors.Is(err, ErrLocked) || !errors.As(err, &typed) || typed.Path != path {
		t.Errorf("second daemon: %v", err)
	}
	if _, err := Open(path, Options{ReadOnly: true}); !errors.Is(err, ErrLocked) {
		t.Errorf("reader beside a daemon: %v", err)
	}
	s.Close()
	reader, err := Open(path, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	reader.Bucket("b").Put("k", nil)
	if err := reader.Close(); !errors.Is(err, ErrReadOnly) {
		t.Errorf("a reader that writes: %v", err)
	}
	if _, err := Open(path+"x", Options{ReadOnly: true}); !errors.Is(err, ErrMissing) {
		t.Errorf("nothing to read: %v", err)
	}
	if _, err := os.Stat(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a reader has made a file")
	}
}

func TestFullDiskQueue(t *testing.T) {
	r := &reports{}
	s := &Store{
		path: "x", options: options(r), queue: newBatch(), extra: newBatch(),
		wake: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
	}
	full := true
	var written batch
	s.write = func(b batch) error {
		if full {
			return syscall.ENOSPC
		}
		written = b
		return nil
	}
	s.Bucket("b").Put("a", []byte("1"))
	s.Bucket("b").Put("b", []byte("1"))
	s.Bucket("old").Drop()
	for range 2 {
		if s.commit() {
			t.Fatal("a full disk took records")
		}
	}
	s.Bucket("b").Put("a", []byte("2"))
	if len(r.list()) != 1 || !errors.Is(r.list()[0], syscall.ENOSPC) {
		t.Errorf("reported %v, want it once", r.list())
	}
	if got := s.Stats(); got.Failures != 2 || got.Queued != 2 || got.LastError == nil {
		t.Errorf("%+v", got)
	}
	full = false
	if !s.commit() {
		t.Fatal("not written")
	}
	if string(written.changes[id{"b", "a"}].value) != "2" || string(written.changes[id{"b", "b"}].value) != "1" || !written.drops["old"] {
		t.Errorf("wrote %v", written)
	}
	if got := s.Stats(); got.LastError != nil || got.Queued != 0 || got.Written != 2 {
		t.Errorf("%+v", got)
	}
}

func TestQueueBounds(t *testing.T) {
	b := newBatch()
	big := make([]byte, 1<<20)
	took := 0
	for i := range 100 {
		if b.add(id{"b", fmt.Sprint(i)}, change{value: big}) {
			took++
		}
	}
	if took != 31 || b.octets > maxOctets {
		t.Errorf("took %d MiB, %d octets", took, b.octets)
	}
	b.drop("b")
	if b.octets != 0 || len(b.changes) != 0 {
		t.Errorf("after drop: %d octets", b.octets)
	}
	for i := range maxQueued + 10 {
		b.add(id{"b", fmt.Sprint(i)}, change{})
	}
	if len(b.changes) != maxQueued {
		t.Errorf("%d records wait", len(b.changes))
	}
	if !b.add(id{"b", "1"}, change{value: []byte("newer")}) {
		t.Error("no room for a newer value of the same record")
	}
}

// TestSlowDisk: those who put never wait, and Close not for ever.
func TestSlowDisk(t *testing.T) {
	s, _ := open(t, filepath.Join(t.TempDir(), "state.db"))
	hold := make(chan struct{})
	s.write = func(batch) error { <-hold; return nil }
	begun := time.Now()
	for i := range 1000 {
		s.Bucket("b").Put(fmt.Sprint(i), nil)
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("1000 records took %v to queue", took)
	}
	if err := s.Close(); !errors.Is(err, ErrNotFlushed) {
		t.Errorf("closed with %v", err)
	}
	close(hold)
	<-s.done
}

// Optional records keep nothing else from a disk that is nearly full, and are
// dropped if there is no room for them.
func TestOptional(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s, r := open(t, path)
	full, write := true, s.write
	s.write = func(b batch) error {
		for i := range b.changes {
			if full && i.bucket == "large" {
				return syscall.ENOSPC
			}
		}
		return write(b)
	}
	s.Optional("large").Put("k", []byte("v"))
	s.Optional("large").Delete("l")
	s.Bucket("b").Put("k", []byte("v"))
	for deadline := time.Now().Add(5 * time.Second); s.Stats().Forgone == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it waits for room")
		}
	}
	if got := s.Stats(); got.Forgone != 2 || got.Written != 1 || got.Overflows+got.Failures != 0 || got.LastError != nil || len(r.list()) > 0 {
		t.Errorf("%+v, reported %v", got, r.list())
	}
	full = false
	s.Optional("large").Put("m", []byte("v"))
	s.Optional("gone").Put("n", []byte("v"))
	s.Optional("gone").Drop()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.Optional("large").Put("o", nil)
	s.Optional("large").Drop()
	if got := s.Stats(); got.Forgone != 4 || got.Overflows != 0 {
		t.Errorf("after closing: %+v", got)
	}
	s, _ = open(t, path)
	if got := contents(t, s.Bucket("large")); len(got) != 1 || got["m"] != "v" || len(contents(t, s.Bucket("gone"))) != 0 {
		t.Errorf("the file holds %v", got)
	}
}
