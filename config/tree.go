package config

import (
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// A node is a table, a list of tables, or a value of the file, with its line.
type node struct {
	path   string // "domain[1].batv.sign"
	line   int
	value  any              // of what is neither table nor list
	table  map[string]*node // of a table
	names  []string         // of the table, in the order of the file
	list   []*node          // of a list of tables, at least one
	header bool             // a table whose own header was seen
}

func newTable(path string, line int) *node {
	return &node{path: path, line: line, table: map[string]*node{}}
}

func (n *node) add(name string, child *node) {
	n.table[name] = child
	n.names = append(n.names, name)
}

// below gives the path of a key of this table.
func (n *node) below(name string) string {
	return join(n.path, quoteKey(name))
}

// plain gives a node's value the way the TOML library would.
func (n *node) plain() any {
	switch {
	case n.table != nil:
		m := make(map[string]any, len(n.table))
		for name, child := range n.table {
			m[name] = child.plain()
		}
		return m
	case n.list != nil:
		list := make([]any, len(n.list))
		for i, item := range n.list {
			list[i] = item.plain()
		}
		return list
	}
	return n.value
}

// readTree reads a file into a tree, and gives what is wrong with its syntax
// and every key that is set twice. The file must have no byte order mark.
func readTree(data string) (*node, []*Error) {
	t := tree{root: newTable("", 1)}
	t.current = t.root
	if strings.HasPrefix(data, "\xff\xfe") || strings.HasPrefix(data, "\xfe\xff") {
		t.fail(1, "", nil, "not TOML: the file is in UTF-16, and must be in UTF-8")
		return t.root, t.errs
	}
	for _, s := range statements(data) {
		t.statement(s)
	}
	if len(t.errs) == 0 {
		t.whole(data)
	}
	return t.root, t.errs
}

type tree struct {
	root    *node
	current *node // the table of the last header
	errs    []*Error
}

func (t *tree) statement(s statement) {
	p, err := s.parse()
	if err != nil {
		line, want := syntaxError(s.text, err)
		t.fail(s.line+min(line-1, strings.Count(strings.TrimRight(s.text, "\r\n"), "\n")), "", nil, want)
		if s.header() {
			t.current = newTable("", s.line) // what follows belongs to nobody knows what
		}
		return
	}
	if p.header {
		t.current = t.open(p.path, p.array, s.line)
		return
	}
	last := len(p.path) - 1
	at := t.descend(t.current, p.path[:last], s.line)
	t.put(at, p.path[last], p.value, s.line)
}

// open gives the table that a header begins.
func (t *tree) open(path []string, array bool, line int) *node {
	last := len(path) - 1
	at := t.descend(t.root, path[:last], line)
	name := path[last]
	child := at.table[name]
	switch {
	case array && (child == nil || child.list != nil):
		if child == nil {
			child = &node{path: at.below(name), line: line}
			at.add(name, child)
		}
		item := newTable(child.path+"["+strconv.Itoa(len(child.list))+"]", line)
		child.list = append(child.list, item)
		return item
	case !array && child == nil:
		child = newTable(at.below(name), line)
		at.add(name, child)
	case array || child.table == nil:
		t.twice(child, nil, line)
		return newTable(at.below(name), line)
	case child.header:
		t.twice(child, nil, line)
	}
	child.header = true
	return child
}

// descend gives the table that a path leads to, making those that are not
// there yet. A list of tables leads to its last.
func (t *tree) descend(at *node, path []string, line int) *node {
	for _, name := range path {
		child := at.table[name]
		switch {
		case child == nil:
			child = newTable(at.below(name), line)
			at.add(name, child)
		case child.list != nil:
			child = child.list[len(child.list)-1]
		case child.table == nil:
			t.twice(child, nil, line)
			child = newTable(child.path, line)
		}
		at = child
	}
	return at
}

func (t *tree) put(at *node, name string, value any, line int) {
	child := newNode(at.below(name), value, line)
	if before := at.table[name]; before != nil {
		t.twice(before, child, line)
		return
	}
	at.add(name, child)
}

// newNode turns a value into nodes; all have the line of the statement.
func newNode(path string, value any, line int) *node {
	switch v := value.(type) {
	case map[string]any:
		n := newTable(path, line)
		for _, name := range sortedKeys(v) {
			n.add(name, newNode(n.below(name), v[name], line))
		}
		return n
	case []any:
		if list := newList(path, v, line); list != nil {
			return &node{path: path, line: line, list: list}
		}
	}
	return &node{path: path, line: line, value: value}
}

// newList gives nil for an array that does not hold tables only.
func newList(path string, items []any, line int) []*node {
	var list []*node
	for i, item := range items {
		if _, ok := item.(map[string]any); !ok {
			return nil
		}
		list = append(list, newNode(path+"["+strconv.Itoa(i)+"]", item, line))
	}
	return list
}

// twice notes that a key is set again, or if again is nil, that a table is
// written where there is one, or a value.
func (t *tree) twice(before, again *node, line int) {
	how := "set"
	if again == nil {
		how = "written"
	}
	t.fail(line, before.path, again, how+" twice; first on line "+strconv.Itoa(before.line))
}

// fail notes a mistake; the value is not shown where there is none.
func (t *tree) fail(line int, path string, value *node, want string) {
	e := &Error{Line: line, Key: path, Want: want}
	if value != nil {
		e.Value = showNode(value)
	}
	t.errs = append(t.errs, e)
}

// whole finds what only the file as a whole can have wrong, such as a table
// that is closed by its braces and then opened again by a header.
func (t *tree) whole(data string) {
	var doc map[string]any
	if _, err := toml.Decode(data, &doc); err != nil {
		line, want := syntaxError(data, err)
		t.fail(min(line, 1+strings.Count(data, "\n")), "", nil, want)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
