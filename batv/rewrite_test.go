package batv

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func writeKeys(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// secretsHidden hides what differs from run to run.
func secretsHidden(data []byte) string {
	return regexp.MustCompile(`base64:[A-Za-z0-9+/]{43}=`).ReplaceAllString(string(data), "base64:NEW")
}

// What people wrote into the file stays: comments, the form of secrets, order.
func TestRotateKeyFileKeepsHand(t *testing.T) {
	path := writeKeys(t, `# Ours since 1998. Ask Jo.

# shared with the old gateway
[[key]]
number = 2
secret = "text:shared" # do not tell
retired = 1970-01-05T00:00:00Z # it burnt

# for everybody
[[key]]  # the one
number = 3
secret = 'hex:736563726574'
signing = true

[[key]]
number = 1
secret = "text:own"
domains = ["example.com", # first
  "example.net"]
signing = true`)
	done, plain, err := RotateKeyFile(path, noon(100), RotateOptions{Wait: 24 * time.Hour, Lifetime: 10})
	if err != nil || plain || len(done.Dropped) != 1 || done.Next.Number != 4 {
		t.Fatalf("%+v, %v, %v", done, plain, err)
	}
	data, _ := os.ReadFile(path)
	want := `# Ours since 1998. Ask Jo.

# for everybody
[[key]]  # the one
retired = 1970-04-12T12:00:00Z
number = 3
secret = 'hex:736563726574'
signing = true

[[key]]
number = 1
secret = "text:own"
domains = ["example.com", # first
  "example.net"]
signing = true

[[key]]
number  = 4
secret  = "base64:NEW"
sign_from = 1970-04-12T12:00:00Z
created = 1970-04-11T12:00:00Z
`
	if got := secretsHidden(data); got != want {
		t.Errorf("the file:\n%s\nwant:\n%s", got, want)
	}
	// The second time a line is there to be changed.
	if _, _, err := RotateKeyFile(path, noon(100).Add(time.Hour), RotateOptions{Lifetime: 10}); err != nil {
		t.Fatal(err)
	}
	data, _ = os.ReadFile(path)
	want = strings.ReplaceAll(want, "04-12T12", "04-11T13")
	if got := secretsHidden(data); got != want {
		t.Errorf("the file:\n%s\nwant:\n%s", got, want)
	}
	onlyFile(t, filepath.Dir(path), "keys.toml")
}

// A file in another form is written anew, and that is said.
func TestRotateKeyFilePlain(t *testing.T) {
	path := writeKeys(t, "# a comment\nkey = [{number = 9, secret = 'text:s', signing = true, domains = ['example.com']}]\n")
	_, plain, err := RotateKeyFile(path, noon(100), RotateOptions{Domain: "example.com", Wait: 24 * time.Hour, Lifetime: 10})
	if err != nil || !plain {
		t.Fatalf("%v, %v", plain, err)
	}
	data, _ := os.ReadFile(path)
	want := keyFileHead + `
[[key]]
number  = 9
secret  = "base64:cw=="
signing = true
retired = 1970-04-12T12:00:00Z
domains = ["example.com"]

[[key]]
number  = 0
secret  = "base64:NEW"
sign_from = 1970-04-12T12:00:00Z
created = 1970-04-11T12:00:00Z
domains = ["example.com"]
`
	if got := secretsHidden(data); got != want {
		t.Errorf("the file:\n%s\nwant:\n%s", got, want)
	}
	if _, err := LoadKeys(path); err != nil {
		t.Error(err)
	}
}

func TestRotateKeyFileFollowsLink(t *testing.T) {
	path := writeKeys(t, "[[key]]\nnumber = 0\nsecret = 'text:s'\nsigning = true\n")
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, _, err := RotateKeyFile(link, noon(1), RotateOptions{Wait: time.Hour, Lifetime: 10}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o400 {
		t.Errorf("mode %v, %v, want the one it had", info.Mode(), err)
	}
	if r, err := LoadKeys(path); err != nil || len(r.Keys()) != 2 {
		t.Errorf("%v, %v", r, err)
	}
}

// What goes wrong leaves the file alone, and nothing beside it.
func TestRotateKeyFileFails(t *testing.T) {
	const text = "[[key]]\nnumber = 0\nsecret = 'text:s'\nsigning = true\n"
	path := writeKeys(t, text)
	if _, _, err := RotateKeyFile(path, noon(1), RotateOptions{Domain: "example.com"}); err == nil {
		t.Error("a domain without keys")
	}
	onlyFile(t, filepath.Dir(path), "keys.toml")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := RotateKeyFile(path, noon(1), RotateOptions{}); err == nil || !strings.Contains(err.Error(), "0644") {
		t.Errorf("a loose file: %v", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	busy := filepath.Join(filepath.Dir(path), ".keys.toml.new")
	if err := os.WriteFile(busy, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := RotateKeyFile(path, noon(1), RotateOptions{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("another one at it: %v", err)
	}
	if data, _ := os.ReadFile(path); string(data) != text {
		t.Errorf("the file now holds %q", data)
	}
	if _, err := os.Stat(busy); err != nil {
		t.Errorf("the other's file: %v", err)
	}
	if _, _, err := RotateKeyFile(filepath.Join(t.TempDir(), "none"), noon(1), RotateOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
