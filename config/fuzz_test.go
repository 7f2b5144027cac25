package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

// FuzzParse asks that any input gives either a Config or Errors whose lines
// are in the file, and that what is read of a file is what the TOML library
// reads of it as a whole, though it is read statement by statement here.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "\ufeffmode = 'off'\r\n", "[[domain]]\nname='a'\n[domain.batv]\nsign=1", "a = [\n1, # ]\n'''\n'''\n]\n",
		"listen = ['inet:8895@127.0.0.1']\n[batv]\nlifetime = '1w1d'\n", "domains = ['例え.example', 'file:fuzz_test.go']",
		"a.b.c = {d.e = {}, f = [{}, {x = \"\"\"\\\"\"\"\"\"}]}", "[a]\n[a]\n[[a]]\na=\n=\n[", "exempt.headers.'' = '('",
	} {
		f.Add([]byte(seed))
	}
	files, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, exampleFile) {
		seed, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("fuzz.toml", data)
		if (c == nil) == (err == nil) {
			t.Fatalf("%v and %v", c, err)
		}
		if err != nil {
			checkLines(t, err, 1+strings.Count(string(data), "\n"))
		} else {
			useSets(t, c, string(data))
		}
		compareTrees(t, strings.TrimPrefix(string(data), "\ufeff"))
	})
}

func checkLines(t *testing.T, err error, lines int) {
	checkErrors(t, err)
	var list Errors
	errors.As(err, &list)
	for _, e := range list {
		if e.File == "fuzz.toml" && e.Line > lines || e.from > lines {
			t.Fatalf("%v: of %d lines", e, lines)
		}
	}
}

// useSets asks of the sets what no input may make them panic over, and that
// they contain what they list.
func useSets(t *testing.T, c *Config, text string) {
	c.Domains.Match(text)
	c.Exempt.Recipients.Match(text)
	c.BATV.UnsignedDestinations.Match(text)
	for _, name := range c.Domains.List() {
		if strings.HasPrefix(name, "*.") {
			name = "sub" + name[1:]
		}
		if !c.Domains.Match(name) {
			t.Fatalf("%q is not in %v", name, c.Domains)
		}
	}
	for _, address := range c.Exempt.Recipients.List() {
		if !c.Exempt.Recipients.Match(strings.ReplaceAll(address, "@*", "@example.com")) {
			t.Fatalf("%q is not in %v", address, c.Exempt.Recipients)
		}
	}
}

func compareTrees(t *testing.T, text string) {
	root, errs := readTree(text)
	var doc map[string]any
	if _, err := toml.Decode(text, &doc); err != nil {
		if len(errs) == 0 {
			t.Fatalf("taken, but %v", err)
		}
		return
	}
	for _, e := range errs {
		if !strings.Contains(e.Want, "nest more than") && !strings.Contains(e.Want, "UTF-16") {
			t.Fatalf("%d: %v", e.Line, e)
		}
	}
	// As text, since NaN is not equal to itself.
	if got, want := fmt.Sprint(root.plain()), fmt.Sprint(plainLists(doc)); len(errs) == 0 && got != want {
		t.Fatalf("got %s\nwant %s", got, want)
	}
}

// plainLists gives all arrays one type; the library gives those of [[tables]]
// another.
func plainLists(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any)
		for name, child := range v {
			m[name] = plainLists(child)
		}
		return m
	case []map[string]any, []any:
		list := []any{}
		for i := range reflect.ValueOf(v).Len() {
			list = append(list, plainLists(reflect.ValueOf(v).Index(i).Interface()))
		}
		return list
	}
	return v
}
