package classify

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// goldenFolders hold messages, each below a line that says what is to be found
// out about it: "want: class [action [extent [message-id]]]". The second folder
// is for real messages, which nobody commits. Sheets beside the first hold many
// short messages each: see readSheet.
var goldenFolders = []string{"testdata/golden/*/*.eml", "testdata/private/*/*.eml"}

const goldenSheets = "testdata/golden/*.txt"

// golden is a message, and what is to be found out about it.
type golden struct {
	name    string
	want    []string
	message []byte
}

func (g golden) class() Class { return Class(g.want[0]) }

func TestGolden(t *testing.T) {
	count, negative := 0, 0
	for _, g := range goldens(t) {
		count++
		if !g.class().IsNotification() {
			negative++
		}
		t.Run(g.name, func(t *testing.T) { checkGolden(t, g) })
	}
	if count < 150 || negative < 100 {
		t.Errorf("%d messages, %d of them ordinary: want 150 or more, and 100 ordinary ones", count, negative)
	}
}

// goldens returns all golden messages.
func goldens(t testing.TB) []golden {
	t.Helper()
	var all []golden
	for _, folder := range goldenFolders {
		names, err := filepath.Glob(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			all = append(all, readGolden(t, name))
		}
	}
	names, err := filepath.Glob(goldenSheets)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		all = append(all, readSheet(t, name)...)
	}
	return all
}

// readGolden reads a file with one message.
func readGolden(t testing.TB, name string) golden {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	line, message, _ := bytes.Cut(data, []byte("\n"))
	want := strings.Fields(strings.TrimPrefix(string(line), "want:"))
	if !bytes.HasPrefix(line, []byte("want:")) || len(want) == 0 {
		t.Fatalf("%s: no line that says what is wanted", name)
	}
	return golden{strings.TrimPrefix(filepath.ToSlash(name), "testdata/"), want, message}
}

// checkGolden classifies a message and compares what it is with what is wanted.
func checkGolden(t *testing.T, g golden) {
	t.Helper()
	r, err := Classify(bytes.NewReader(g.message), Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{string(r.Class)}
	if r.Action != "" {
		got = append(got, string(r.Action))
	}
	if len(g.want) > len(got) {
		got = append(got, string(r.Original.Extent))
	}
	if len(g.want) > len(got) {
		got = append(got, r.Original.MessageID)
	}
	if strings.Join(got, " ") != strings.Join(g.want, " ") {
		t.Errorf("got %q, want %q, by:%s", got, g.want, evidenceLines(r))
	}
}

func evidenceLines(r Result) string {
	var b strings.Builder
	for _, e := range r.Evidence {
		fmt.Fprintf(&b, "\n%s: %s", e.Signal, e.Value)
	}
	return b.String()
}
