//go:build linux

package box

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParsePlan(t *testing.T) {
	const out = `Reading package lists...
'http://deb.example.net/postfix_3.7.11-0%2bdeb12u1_amd64.deb' postfix_3.7.11-0+deb12u1_amd64.deb 1510172 MD5Sum:00
'http://deb.example.net/m4_1.4.19-3_amd64.deb' m4_1.4.19-3_amd64.deb 286836 SHA256:00
`
	got, err := parsePlan([]byte(out))
	want := []archive{{"postfix_3.7.11-0+deb12u1_amd64.deb", 1510172}, {"m4_1.4.19-3_amd64.deb", 286836}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for out, complaint := range map[string]string{
		"":                "names no package",
		"'http://x' y\n":  "unexpected line",
		"'http://x' y z ": "unexpected line",
	} {
		if _, err := parsePlan([]byte(out)); err == nil || !strings.Contains(err.Error(), complaint) {
			t.Errorf("%q: got %v, want %q", out, err, complaint)
		}
	}
}

// A file that an interrupted download left behind is fetched again.
func TestMissing(t *testing.T) {
	dir := t.TempDir()
	wanted := []archive{{"a.deb", 3}}
	if !missing(dir, wanted) {
		t.Error("nothing there, and nothing missing")
	}
	for content, want := range map[string]bool{"ab": true, "abc": false} {
		if err := os.WriteFile(filepath.Join(dir, "a.deb"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := missing(dir, wanted); got != want {
			t.Errorf("%q: missing is %v", content, got)
		}
	}
}

func TestUncached(t *testing.T) {
	got := uncached([]string{"-test.v=true", "-test.testlogfile=/tmp/x", "-test.run=y"})
	if want := []string{"-test.v=true", "-test.run=y"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
