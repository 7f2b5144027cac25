package classify_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/backscatter-milter/backscatter-milter/classify"
)

// goldenFolders hold messages, each below a line that says what is to be found
// out about it: "want: class [action extent [message-id]]". The second folder
// is for real messages, which nobody commits.
var goldenFolders = []string{"testdata/golden/*/*.eml", "testdata/private/*/*.eml"}

func TestGolden(t *testing.T) {
	count, negative := 0, 0
	for _, folder := range goldenFolders {
		names, err := filepath.Glob(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			want, message := readGolden(t, name)
			if folder == goldenFolders[0] {
				count++
				if c := classify.Class(want[0]); !c.IsNotification() {
					negative++
				}
			}
			t.Run(strings.TrimPrefix(filepath.ToSlash(name), "testdata/"), func(t *testing.T) {
				checkGolden(t, want, message)
			})
		}
	}
	if count < 150 || negative*3 < count {
		t.Errorf("%d messages, %d of them ordinary: want 150 or more, a third of them ordinary", count, negative)
	}
}

// readGolden splits a file into what is wanted and the message.
func readGolden(t *testing.T, name string) (want []string, message []byte) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	line, message, _ := bytes.Cut(data, []byte("\n"))
	want = strings.Fields(strings.TrimPrefix(string(line), "want:"))
	if !bytes.HasPrefix(line, []byte("want:")) || len(want) == 0 {
		t.Fatalf("%s: no line that says what is wanted", name)
	}
	return want, message
}

func checkGolden(t *testing.T, want []string, message []byte) {
	t.Helper()
	r, err := classify.Classify(bytes.NewReader(message), classify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{string(r.Class)}
	if r.Action != "" {
		got = append(got, string(r.Action))
	}
	if len(want) > len(got) {
		got = append(got, string(r.Original.Extent))
	}
	if len(want) > len(got) {
		got = append(got, r.Original.MessageID)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got %q, want %q, by:", got, want)
		for _, e := range r.Evidence {
			t.Logf("%s: %s", e.Signal, e.Value)
		}
	}
}
