package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// document gives a file that sets one key of the schema, with what else its
// table needs, and the line and the path that the key has in it.
func document(path, value string) (text string, line int, at string) {
	table, name, nested := strings.Cut(path, ".")
	switch {
	case !nested:
		return path + " = " + value + "\n", 1, path
	case !inRepeated(path):
		return "[" + table + "]\n" + name + " = " + value + "\n", 2, path
	}
	lines := []string{"[[" + table + "]]"}
	for _, need := range needed(table) {
		if need != name {
			lines = append(lines, need+" = "+examples()[table+"."+need])
		}
	}
	lines = append(lines, name+" = "+value)
	return strings.Join(lines, "\n") + "\n", len(lines), table + "[0]." + name
}

func needed(table string) []string {
	return map[string][]string{"rule": {"header", "match", "class"}, "dnsbl": {"zone"}, "domain": {"name"}}[table]
}

// TestEveryKey sets each key of the schema away from its default: that is
// taken.
func TestEveryKey(t *testing.T) {
	values := examples()
	for _, path := range paths(schema()) {
		value, ok := values[path]
		if !ok {
			t.Errorf("%s: the test has no value for it", path)
			continue
		}
		text, _, _ := document(path, value)
		c, err := Parse("c.toml", []byte(text))
		if err != nil || reflect.DeepEqual(c, Default()) {
			t.Errorf("%s: error %v, or nothing changed", text, err)
		}
	}
	if len(values) != len(paths(schema())) {
		t.Errorf("%d values for %d keys", len(values), len(paths(schema())))
	}
}

// TestEveryKeyWrongType sets each key to a date, which none takes.
func TestEveryKeyWrongType(t *testing.T) {
	for _, path := range paths(schema()) {
		text, line, at := document(path, "2026-01-02")
		_, err := Parse("c.toml", []byte(text))
		var list Errors
		if !errors.As(err, &list) {
			t.Errorf("%s\ngives %v", text, err)
			continue
		}
		value := "a date or time"
		if path == "admin.token" {
			value = hidden
		}
		found := slices.ContainsFunc(list, func(e *Error) bool {
			return e.Line == line && e.Key == at && e.Value == value && len(e.Want) > 5
		})
		if !found || len(list) > 2 || len(list) == 2 && !inRepeated(path) {
			t.Errorf("%s\ngives %v", text, err)
		}
	}
}

// TestKeyLists holds the lists of keys to the schema.
func TestKeyLists(t *testing.T) {
	all := paths(schema())
	for _, path := range restartKeys() {
		if !slices.Contains(all, path) {
			t.Errorf("%q is no key", path)
		}
	}
}

func TestReasons(t *testing.T) {
	want := "exempt tag-valid tag-forged never-sends many-recipients flood origin-proven receipt report calendar " +
		"origin-foreign listed challenge virus-notice auto-reply tag-missing unproven error"
	if got := strings.Join(Reasons(), " "); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	for _, reason := range Reasons() {
		if !slices.Contains(actions(), DefaultAction(reason)) {
			t.Errorf("%s: %q", reason, DefaultAction(reason))
		}
	}
	if got := DefaultAction("nothing"); got != "" {
		t.Errorf("no reason has action %q", got)
	}
}

func TestPolicy(t *testing.T) {
	c, err := Parse("c.toml", []byte("[policy]\ntag-missing = 'reject'\nflood = 'auto'\nreceipt = 'accept'\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := Policy{"tag-missing": ActionReject, "flood": ActionAuto, "receipt": ActionAccept}
	if !reflect.DeepEqual(c.Policy, want) {
		t.Errorf("%v", c.Policy)
	}
}

func TestNeedsRestart(t *testing.T) {
	old := Default()
	if got := old.NeedsRestart(Default()); got != nil {
		t.Errorf("nothing changed, but %v", got)
	}
	c, err := Parse("c.toml", []byte("listen = []\nmode = 'off'\nmax_connections = 9\n[admin]\ntoken = '0123456789abcdef'\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(old.NeedsRestart(c)); got != "[listen max_connections admin.token]" {
		t.Error(got)
	}
}
