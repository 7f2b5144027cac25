package matrix

import (
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	cells, err := Parse(strings.NewReader("# head\n\npostfix  signed-out  mail is signed\nsendmail signed-out mail is signed\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Cell{{"postfix", "signed-out"}, {"sendmail", "signed-out"}}
	if !slices.Equal(cells, want) {
		t.Errorf("got %v, want %v", cells, want)
	}
	for text, complaint := range map[string]string{
		"postfix signed-out\n":            "line 1: want a mail server, a case and a description",
		"# x\npostfix a b\npostfix a c\n": "line 3: postfix/a stands here twice",
	} {
		if _, err := Parse(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), complaint) {
			t.Errorf("%q: got %v, want %q", text, err, complaint)
		}
	}
}

func TestCompare(t *testing.T) {
	a, b, c := Cell{"postfix", "a"}, Cell{"postfix", "b"}, Cell{"postfix", "c"}
	for _, tc := range []struct {
		name    string
		listed  []Cell
		results map[Cell]string
		part    bool
		want    []string
	}{
		{"all passed", []Cell{a, b}, map[Cell]string{a: "PASS", b: "PASS"}, false, nil},
		{"one failed", []Cell{a, b}, map[Cell]string{a: "PASS", b: "FAIL"}, false, []string{"postfix/b: FAIL"}},
		{"one skipped", []Cell{a}, map[Cell]string{a: "SKIP"}, false, []string{"postfix/a: SKIP"}},
		{"one missing", []Cell{a, b}, map[Cell]string{a: "PASS"}, false, []string{"postfix/b: listed, but it did not run"}},
		{"one not selected", []Cell{a, b}, map[Cell]string{a: "PASS"}, true, nil},
		{"one not listed", []Cell{a}, map[Cell]string{a: "PASS", c: "PASS"}, true, []string{"postfix/c: it ran, but it is not listed"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Compare(tc.listed, tc.results, tc.part); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
