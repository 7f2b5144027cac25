package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// lacks ends a test that this machine does not let run: for good where all have to
// run (CI=true), else by skipping it.
func lacks(t *testing.T, why error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// tmpfs mounts a file system of its own, where the test may.
func tmpfs(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		lacks(t, fmt.Errorf("cannot mount a small file system: %w", err))
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func TestFullDisk(t *testing.T) {
	dir := tmpfs(t, "256k")
	path := filepath.Join(dir, "state.db")
	s, r := open(t, path)
	s.Bucket("b").Put("before", []byte("kept"))
	waitFor(t, "the first record", func() bool { return s.Stats().Written == 1 })
	ballast := filepath.Join(dir, "ballast")
	os.WriteFile(ballast, []byte(strings.Repeat("x", 1<<20)), 0o600)
	for i := range 300 {
		s.Bucket("b").Put(fmt.Sprint(i), []byte(strings.Repeat("v", 400)))
	}
	waitFor(t, "a failure", func() bool { return s.Stats().Failures > 0 })
	if got := r.list(); len(got) != 1 || !errors.Is(got[0], syscall.ENOSPC) {
		t.Errorf("reported %v", got)
	}
	if got := contents(t, s.Bucket("b")); got["before"] != "kept" || len(got) != 1 {
		t.Errorf("after the failure the file holds %d records", len(got))
	}
	if err := s.Close(); !errors.Is(err, ErrNotFlushed) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("closed with %v", err)
	}

	// A daemon that starts on the full disk reads what is there and goes on.
	s, _ = open(t, path)
	if got := contents(t, s.Bucket("b")); got["before"] != "kept" {
		t.Errorf("a new start reads %v", got)
	}
	os.Remove(ballast)
	s.Bucket("b").Put("after", []byte("room"))
	if err := s.Close(); err != nil {
		t.Errorf("with room again: %v", err)
	}

	// One that would begin a store there leaves nothing behind.
	os.WriteFile(ballast, []byte(strings.Repeat("x", 1<<20)), 0o600)
	other := filepath.Join(dir, "other.db")
	if _, err := Open(other, options(&reports{})); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("begun on a full disk: %v", err)
	}
	if _, err := os.Stat(other); err == nil {
		t.Error("left a file that is no store")
	}
}

func TestReadOnlyDisk(t *testing.T) {
	dir := tmpfs(t, "1m")
	path := filepath.Join(dir, "state.db")
	s, _ := open(t, path)
	s.Bucket("b").Put("k", []byte("v"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		lacks(t, err)
	}
	s, r := open(t, path)
	if got := r.list(); len(got) != 1 || !errors.Is(got[0], ErrReadOnly) {
		t.Errorf("reported %v", got)
	}
	if got := contents(t, s.Bucket("b")); got["k"] != "v" {
		t.Errorf("read %v", got)
	}
	s.Bucket("b").Put("k", []byte("w"))
	waitFor(t, "a failure", func() bool { return s.Stats().Failures == 1 })
	if err := s.Close(); !errors.Is(err, ErrReadOnly) || errors.Is(err, ErrNotFlushed) {
		t.Errorf("closed with %v", err)
	}
	if _, err := Open(filepath.Join(dir, "new.db"), options(&reports{})); !errors.Is(err, syscall.EROFS) {
		t.Errorf("begun on a read-only disk: %v", err)
	}
}
