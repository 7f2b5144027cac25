package config

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const exampleFile = "../examples/config.toml"

func readExample(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// uncommented makes settings of the lines that begin with "#" and no space.
func uncommented(text string) string {
	return regexp.MustCompile(`(?m)^#([^# \n])`).ReplaceAllString(text, "$1")
}

func TestExampleIsDefault(t *testing.T) {
	c, err := Load(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c, Default()) {
		t.Errorf("got  %+v\nwant %+v", c, Default())
	}
}

// TestExampleIsComplete wants every key of the schema in the example, and as
// an active line unless it is in a table that has no default.
func TestExampleIsComplete(t *testing.T) {
	text := readExample(t)
	root, errs := readTree(uncommented(text))
	if len(errs) > 0 {
		t.Fatal(errs[0])
	}
	active, errs := readTree(text)
	if len(errs) > 0 {
		t.Fatal(errs[0])
	}
	for _, path := range paths(schema()) {
		if at(root, path) == nil {
			t.Errorf("%s is not in it", path)
		}
		table, _, _ := strings.Cut(path, ".")
		off := table == "rule" || table == "domain" || table == "policy"
		if got := at(active, path) != nil; got == off {
			t.Errorf("%s: active is %v", path, got)
		}
	}
}

// TestExampleCommentedValues reads the file with all its settings active.
func TestExampleCommentedValues(t *testing.T) {
	if _, err := Parse("config.toml", []byte(uncommented(readExample(t)))); err != nil {
		t.Error(err)
	}
}

func TestExamplePolicy(t *testing.T) {
	root, _ := readTree(uncommented(readExample(t)))
	for _, table := range []*node{at(root, "policy"), at(root, "domain.policy")} {
		if !slices.Equal(table.names, Reasons()) {
			t.Errorf("%s has %v", table.path, table.names)
		}
		for name, n := range table.table {
			if n.value != string(DefaultAction(name)) {
				t.Errorf("%s is %v", n.path, n.value)
			}
		}
	}
}

// TestExampleIsExplained wants prose above every setting and header.
func TestExampleIsExplained(t *testing.T) {
	root, _ := readTree(uncommented(readExample(t)))
	lines := strings.Split(readExample(t), "\n")
	for _, path := range paths(schema()) {
		n := at(root, path)
		if n == nil {
			continue // another test's business
		}
		prose := proseAbove(lines, n.line)
		if prose == "" {
			t.Errorf("%s:%d: %s has no comment", exampleFile, n.line, path)
		}
	}
}

// proseAbove gives the comment above a line; settings that follow each other
// share it.
func proseAbove(lines []string, line int) string {
	i := line - 2
	for i >= 0 && strings.Contains(lines[i], " = ") && !strings.HasPrefix(lines[i], "# ") {
		i--
	}
	var prose []string
	for ; i >= 0 && strings.HasPrefix(lines[i], "# "); i-- {
		prose = append([]string{lines[i][2:]}, prose...)
	}
	return strings.Join(prose, " ")
}

// at finds the node of a schema path, in the first table of a list.
func at(n *node, path string) *node {
	for _, name := range strings.Split(path, ".") {
		if n == nil {
			return nil
		}
		if n.list != nil {
			n = n.list[0]
		}
		n = n.table[name]
	}
	if n != nil && n.list != nil {
		return n.list[0]
	}
	return n
}
