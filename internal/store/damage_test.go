package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// sound writes a store with many records and gives the file's octets.
func sound(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	s, _ := open(t, path)
	for i := range 2000 {
		s.Bucket("b").Put(fmt.Sprintf("key-%d", i), []byte(strings.Repeat("v", 100)))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func database(t *testing.T, fill func(*bbolt.Tx) error) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(fill); err != nil {
		t.Fatal(err)
	}
	db.Close()
	data, _ := os.ReadFile(path)
	return data
}

func bucketWith(name, key string, value []byte) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte(name))
		if err != nil {
			return err
		}
		return b.Put([]byte(key), value)
	}
}

func TestSetAside(t *testing.T) {
	whole := sound(t)
	tests := []struct {
		name string
		data []byte
		want error
	}{
		{"text", []byte(strings.Repeat("PRIVATE KEY\n", 4000)), ErrDamaged},
		{"short text", []byte("hello"), ErrDamaged},
		{"cut in half", whole[:len(whole)/2], ErrDamaged},
		{"cut to its first pages", whole[:2*os.Getpagesize()], ErrDamaged},
		{"zeros after the first pages", append(append([]byte(nil), whole[:2*os.Getpagesize()]...), make([]byte, len(whole)-2*os.Getpagesize())...), ErrDamaged},
		{"another program's", database(t, bucketWith("users", "k", nil)), ErrForeign},
		{"of the future", database(t, bucketWith(stampBucket, stampKey, []byte{0, 0, 0, 2})), ErrFuture},
		{"no stamp", database(t, bucketWith(stampBucket, "x", nil)), ErrDamaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state.db")
			if err := os.WriteFile(path, tt.data, 0o600); err != nil {
				t.Fatal(err)
			}
			s, r := open(t, path)
			var aside *SetAsideError
			if len(r.list()) != 1 || !errors.As(r.list()[0], &aside) || !errors.Is(aside, tt.want) {
				t.Fatalf("reported %v, want %v", r.list(), tt.want)
			}
			if aside.Kept != path+".broken-20261121-083005" {
				t.Errorf("kept as %s", aside.Kept)
			}
			if kept, err := os.ReadFile(aside.Kept); err != nil || len(kept) != len(tt.data) {
				t.Errorf("kept %d octets of %d, %v", len(kept), len(tt.data), err)
			}
			s.Bucket("b").Put("k", []byte("v"))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s, r = open(t, path)
			if got := contents(t, s.Bucket("b")); got["k"] != "v" || len(r.list()) > 0 {
				t.Errorf("the new file holds %v, reported %v", got, r.list())
			}
		})
	}
}

// TestSetAsideTwice: within a second, a second file gets a name of its own.
func TestSetAsideTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	for range 3 {
		if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
		s, _ := open(t, path)
		s.Close()
	}
	for _, end := range []string{"", "-2", "-3"} {
		if _, err := os.Stat(path + ".broken-20261121-083005" + end); err != nil {
			t.Error(err)
		}
	}
}

// TestNotOurs: what is no regular file is left alone.
func TestNotOurs(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir, options(&reports{})); err == nil || errors.Is(err, ErrDamaged) {
		t.Errorf("a folder: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none", "state.db"), options(&reports{})); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, r := open(t, empty); s == nil || len(r.list()) > 0 {
		t.Errorf("an empty file: reported %v", r.list())
	}
}

// TestDamaged flips octets all over a store: whatever they hit, the process
// lives and the store can be used.
func TestDamaged(t *testing.T) {
	whole := sound(t)
	path := filepath.Join(t.TempDir(), "state.db")
	for at := 0; at < len(whole); at += len(whole)/120 + 7 {
		data := append([]byte(nil), whole...)
		for i := at; i < min(at+24, len(data)); i++ {
			data[i] ^= 0xff
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path, options(&reports{}))
		if err != nil {
			t.Errorf("damage at %d: %v", at, err)
			continue
		}
		s.Bucket("b").Put("key-1", []byte("new"))
		s.Bucket("b").Each(func(string, []byte) error { return nil })
		s.Close()
	}
}
