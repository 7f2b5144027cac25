package config

import (
	"fmt"
	"strings"
	"testing"
)

// TestStatements gives files in which the ends of values are hard to see, and
// the lines on which keys and headers must be found.
func TestStatements(t *testing.T) {
	for _, test := range []struct {
		text, lines string
	}{
		{"", ""},
		{"# only = 'a comment'\n\n  # and another", ""},
		{"a = 1\nb = 2", "1 2"},
		{"\n\n  a = 1 # [\n\t[b] # {\nc = 2\n", "3 4 5"},
		{"a = [\n 1, # ]\n 2,\n]\nb = 2\n", "1 5"},
		{"a = [[1],\n[2]]\nb = {c = [\n3]}\nd = 4\n", "1 3 5"},
		{"a = \"\"\"\n[x]\nb = 1\n\"\"\"\nc = 2\n", "1 5"},
		{"a = '''\n\"\"\"\n'''\nb = 2\n", "1 4"},
		{"a = [\"\"\"x\"\"\"\"]\nb = 2\n", "1 2"},
		{"a = ['''x''''']\nb = 2\n", "1 2"},
		{"a = [\"\"\"\\\"\"\"[\"\"\"]\nb = 2\n", "1 2"},
		{"a = [\"\\\"[\\\"\"]\nb = 2\n", "1 2"},
		{"a = ['\\', '[\\']\nb = 2\n", "1 2"},
		{"a = \"\\\\\"\nb = 2\n", "1 2"},
		{"\"a = [\" = 1\n'b # [' = 2\n", "1 2"},
		{"[\"a = [\"]\nb = 2\n", "1 2"},
		{"a.\"[\".'{' = 1\r\nb = 2\r\n", "1 2"},
		{"a = \"\"\nb = ''\nc = 3", "1 2 3"},
	} {
		var lines []string
		for _, s := range statements(test.text) {
			lines = append(lines, fmt.Sprint(s.line))
		}
		if got := strings.Join(lines, " "); got != test.lines {
			t.Errorf("%q has statements on lines %s, not %s", test.text, got, test.lines)
		}
		if _, errs := readTree(test.text); len(errs) > 0 {
			t.Errorf("%q: %v", test.text, errs[0])
		}
		compareTrees(t, test.text)
	}
}

func TestHint(t *testing.T) {
	all := paths(schema())
	for _, test := range []struct {
		rel, name, want string
	}{
		{"", "mdoe", `; did you mean "mode"?`},
		{"", "MODE", `; did you mean "mode"?`},
		{"", "domain_s", `; did you mean "domains"?`},
		{"", "socket-group", `; did you mean "socket_group"?`},
		{"", "privacy", `; did you mean "log.privacy"?`},
		{"", "tag-missing", `; did you mean "policy.tag-missing"?`},
		{"", "header", ``}, // a key of [[rule]] only
		{"", "xyz", ``},
		{"", "", ``},
		{"log", "mode", `; did you mean "mode", which stands above the first [table]?`},
		{"log", "colour", `; known here: level, format, privacy`},
		{"batv", "life-time", `; did you mean "lifetime"?`},
		{"flood", "surges", `; did you mean "surge"?`},
		{"policy", "tag_forged", `; did you mean "tag-forged"?`},
		{"policy", "xyz", ``},
		{"policy", strings.Repeat("tag-missing", 100000), ``},
	} {
		if got := hint(all, test.rel, test.rel, test.name); got != test.want {
			t.Errorf("%s, %.20s: %s, want %s", test.rel, test.name, got, test.want)
		}
	}
}

// TestHintInRepeated has no "above the first [table]" for what a repeated table
// has at its top.
func TestHintInRepeated(t *testing.T) {
	got := hint(paths(domainKeys()), "domain[0].batv", "batv", "name")
	if want := "; known here: sign, unsigned_senders, unsigned_destinations"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestSocketsOfTheirOwn has addresses that are alike and do not clash.
func TestSocketsOfTheirOwn(t *testing.T) {
	const text = "listen = ['inet:127.0.0.1:0', 'inet:127.0.0.1:0', 'inet6:[::1]:8896', 'unix:/run/control.sock']\n"
	if _, err := Parse("c.toml", []byte(text)); err != nil {
		t.Error(err)
	}
}
