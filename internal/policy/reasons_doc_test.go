package policy

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/backscatter-milter/backscatter-milter/config"
)

const reasonsPage = "../../docs/reasons.md"

// chapter is what the page says of one reason: its points, by label.
type chapter struct {
	reason string
	points map[string]string
}

var pointForm = regexp.MustCompile(`^- \*\*([A-Za-z ]+):\*\* `)

// readReasons splits the page into what stands before the first reason, and
// the reasons.
func readReasons(t *testing.T) (intro string, chapters []chapter) {
	t.Helper()
	page, err := os.ReadFile(reasonsPage)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(page), "\n## ")
	for _, part := range parts[1:] {
		c := chapter{points: make(map[string]string)}
		label := ""
		for i, line := range strings.Split(part, "\n") {
			m := pointForm.FindStringSubmatch(line)
			switch {
			case i == 0:
				c.reason = line
			case m != nil:
				if label = m[1]; c.points[label] != "" {
					t.Errorf("%s: %q stands there twice", c.reason, label)
				}
				c.points[label] = line[len(m[0]):]
			case label != "":
				c.points[label] += " " + strings.TrimSpace(line)
			default:
				c.points["Means"] += line
			}
		}
		chapters = append(chapters, c)
	}
	return parts[0], chapters
}

// What docs/reasons.md tells of a reason is what the policy does: its place,
// its default, its stage, and the words of its replies.
func TestReasonsPage(t *testing.T) {
	intro, chapters := readReasons(t)
	if len(chapters) != len(table) {
		t.Fatalf("%d reasons on the page, %d in the table", len(chapters), len(table))
	}
	wantQuoted(t, "before the first reason", intro, otherReplies())
	for i, row := range Rows() {
		c := chapters[i]
		if c.reason != string(row.Reason) {
			t.Fatalf("reason %d is %q, want %q", i, c.reason, row.Reason)
		}
		for _, label := range []string{"Means", "Rests on", "Yours to change", "Shown by"} {
			if strings.TrimSpace(c.points[label]) == "" {
				t.Errorf("%s: nothing under %q", c.reason, label)
			}
		}
		if want := fmt.Sprintf("`%s`, from stage `%s`", row.Default, row.From); !strings.HasPrefix(c.points["Default"], want) {
			t.Errorf("%s: default %q, want %s", c.reason, c.points["Default"], want)
		}
		refuses := row.Default != config.ActionAccept && row.Default != config.ActionMark
		for _, label := range []string{"Reply", "If it reached you"} {
			if refuses != (c.points[label] != "") {
				t.Errorf("%s: %q stands there: %t, it can be refused: %t", c.reason, label, !refuses, refuses)
			}
		}
		var replies []string
		if refuses {
			replies = repliesOf(row.Reason)
		}
		wantQuoted(t, c.reason, strings.Join(values(c.points), "\n"), replies)
	}
}

func values(points map[string]string) (all []string) {
	for _, text := range points {
		all = append(all, text)
	}
	return all
}

func repliesOf(r Reason) []string {
	return []string{ReplyTo(r, config.ActionReject, "").String(), ReplyTo(r, config.ActionTempfail, "").String()}
}

// otherReplies are those of every reason that has no words of its own.
func otherReplies() []string { return repliesOf(Exempt) }

var quotedReply = regexp.MustCompile("`([245][0-9]{2} [^`]*)`")

// wantQuoted wants all these replies in a text, and no other.
func wantQuoted(t *testing.T, where, text string, replies []string) {
	t.Helper()
	var quoted []string
	for _, m := range quotedReply.FindAllStringSubmatch(text, -1) {
		quoted = append(quoted, m[1])
	}
	slices.Sort(quoted)
	want := slices.Sorted(slices.Values(replies))
	if !slices.Equal(quoted, want) {
		t.Errorf("%s: replies %q, want %q", where, quoted, want)
	}
}

var quoted = regexp.MustCompile("`([^`]+)`")

// Each reason names what shows it, and that exists: a cell of e2e/matrix.txt on
// both servers, one of miltertest, or a test of a package.
func TestReasonsAreShown(t *testing.T) {
	matrix, err := os.ReadFile("../../e2e/matrix.txt")
	if err != nil {
		t.Fatal(err)
	}
	cells := make(map[string]bool)
	for line := range strings.Lines(string(matrix)) {
		if f := strings.Fields(line); len(f) > 2 && f[0] != "#" {
			cells[f[0]+"/"+f[1]] = true
		}
	}
	_, chapters := readReasons(t)
	for _, c := range chapters {
		names := quoted.FindAllStringSubmatch(c.points["Shown by"], -1)
		if len(names) == 0 {
			t.Errorf("%s: is shown by nothing", c.reason)
		}
		for _, name := range names {
			if !shown(t, cells, name[1]) {
				t.Errorf("%s: nothing is called %q", c.reason, name[1])
			}
		}
	}
}

// shown reports whether there is a cell or, as in "milter.TestName", a test of
// that name.
func shown(t *testing.T, cells map[string]bool, name string) bool {
	t.Helper()
	folder, test, isTest := strings.Cut(name, ".")
	switch {
	case strings.Contains(name, "/") && !isTest:
		return cells[name]
	case !isTest:
		return cells["postfix/"+name] && cells["sendmail/"+name]
	}
	files, err := filepath.Glob("../../" + folder + "/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(text), "\nfunc "+test+"(t *testing.T)")
	})
}
