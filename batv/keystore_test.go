package batv

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCreateKeyFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.toml")
	now := time.Date(2026, 11, 21, 10, 20, 30, 400, time.FixedZone("", 3600))
	made, err := CreateKeyFile(path, now)
	if err != nil {
		t.Fatal(err)
	}
	keys := made.Keys()
	if len(keys) != 1 || keys[0].Number != 0 || !keys[0].Signing || len(keys[0].Secret) != 32 || len(keys[0].Domains) != 0 ||
		!keys[0].Created.Equal(time.Date(2026, 11, 21, 9, 20, 30, 0, time.UTC)) {
		t.Errorf("keys = %v", keys)
	}
	loaded, err := LoadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(loaded.Keys(), keys) {
		t.Error("what was written is not what was made")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	data, _ := os.ReadFile(path)
	if !regexp.MustCompile(`(?s)\A#.*\n\[\[key\]\]\nnumber  = 0\nsecret  = "base64:[A-Za-z0-9+/]{43}="\nsigning = true\ncreated = 2026-11-21T09:20:30Z\n\z`).Match(data) {
		t.Errorf("file:\n%s", data)
	}
	onlyFile(t, dir, "keys.toml")
}

func TestCreateKeyFileSecretsDiffer(t *testing.T) {
	dir := t.TempDir()
	a, errA := CreateKeyFile(filepath.Join(dir, "a"), noon(0))
	b, errB := CreateKeyFile(filepath.Join(dir, "b"), noon(0))
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(a.Keys()[0].Secret, b.Keys()[0].Secret) {
		t.Error("two files have one secret")
	}
}

// onlyFile fails if anything but that file is left in the folder.
func onlyFile(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("folder holds %v, %v, want %s alone", entries, err, name)
	}
}

func TestCreateKeyFileNeverOverwrites(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.toml")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := CreateKeyFile(path, noon(0))
	if !errors.Is(err, fs.ErrExist) || err.Error() != "create "+path+": file already exists" {
		t.Errorf("error: %v", err)
	}
	if data, _ := os.ReadFile(path); string(data) != "old" {
		t.Errorf("the file now holds %q", data)
	}
	onlyFile(t, dir, "keys.toml")

	dir = t.TempDir()
	dangling := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), dangling); err != nil {
		t.Fatal(err)
	}
	if _, err := CreateKeyFile(dangling, noon(0)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a link that leads nowhere: %v", err)
	}
	onlyFile(t, dir, "link")
}

// TestCreateKeyFileRace holds that of many who create one file a single one
// succeeds, and that its keys are those on the disk.
func TestCreateKeyFileRace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.toml")
	var winner atomic.Pointer[Keyring]
	var wins atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			switch r, err := CreateKeyFile(path, noon(0)); {
			case err == nil:
				wins.Add(1)
				winner.Store(r)
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	loaded, err := LoadKeys(path)
	if err != nil || wins.Load() != 1 || !cmp.Equal(loaded.Keys(), winner.Load().Keys()) {
		t.Errorf("%d succeeded; the file then holds %v, %v", wins.Load(), loaded, err)
	}
	onlyFile(t, dir, "keys.toml")
}

func TestCreateKeyFileWithoutFolder(t *testing.T) {
	if _, err := CreateKeyFile(filepath.Join(t.TempDir(), "no", "keys.toml"), noon(0)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error: %v", err)
	}
}

func TestLoadKeysMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.toml")
	if _, err := CreateKeyFile(path, noon(0)); err != nil {
		t.Fatal(err)
	}
	for mode, allowed := range map[fs.FileMode]bool{
		0o600: true, 0o400: true,
		0o640: false, 0o660: false, 0o604: false, 0o602: false, 0o644: false, 0o610: false, 0o700: false, 0o777: false,
	} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadKeys(path)
		want := fmt.Sprintf("%s: mode %04o: must be 0600, as the file holds secrets: chmod 600 %s", path, mode, path)
		if allowed && err != nil || !allowed && (err == nil || err.Error() != want) {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}

func TestLoadKeysRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadKeys(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := LoadKeys(dir); err == nil || err.Error() != dir+": not a regular file" {
		t.Errorf("a folder: %v", err)
	}
	long := filepath.Join(dir, "long")
	if err := os.WriteFile(long, bytes.Repeat([]byte("#\n"), maxKeyFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeys(long); err == nil || err.Error() != long+": over 1048576 octets: no key file" {
		t.Errorf("a long file: %v", err)
	}
	bad := filepath.Join(dir, "bad")
	if err := os.WriteFile(bad, []byte("[[key]]\nnumber = 11\nsecret = 'text:s'\nsigning = true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeys(bad); err == nil || err.Error() != bad+":2: key.number: 11: "+badNumber {
		t.Errorf("a bad file: %v", err)
	}
}
