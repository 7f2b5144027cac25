package config

import (
	"errors"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// A key is one setting of a table that is read into an S: where it stands,
// what it may be, and how it is read.
type key[S any] struct {
	path     string // below the table: "mode", "batv.lifetime"
	allowed  string // completes "KEY: VALUE: "
	required bool
	below    []Key // the keys of the tables that a list of tables holds
	read     func(r *reader, k key[S], n *node, s *S)
	same     func(a, b *S) bool
}

// must marks a key that its table cannot do without.
func (k key[S]) must() key[S] {
	k.required = true
	return k
}

// errAllowed is what a parser returns when the key's own text says best what
// is allowed. Any other error is shown in its place.
var errAllowed = errors.New("not allowed")

// A reader gathers the mistakes of one file.
type reader struct {
	file  string           // for messages
	dir   string           // of the file
	nodes map[string]*node // what the schema knows of the file, by path
	bad   map[string]bool  // keys whose value was refused
	errs  Errors
}

// beside is the path of a file that the configuration names: a relative name is
// relative to its own folder.
func (r *reader) beside(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(r.dir, name)
}

// note adds a mistake in what is or belongs to a key.
func (r *reader) note(line int, path, value, want string) {
	r.errs = append(r.errs, &Error{File: r.file, Line: line, Key: path, Value: value, Want: want, from: line})
}

// fail is note where a value cannot be used.
func (r *reader) fail(line int, path, value, want string) {
	r.note(line, path, value, want)
	r.bad[path] = true
}

// ok reports whether a value was taken, and notes the mistake where not.
func (r *reader) ok(n *node, allowed string, err error) bool {
	if err == nil {
		return true
	}
	want := allowed
	if !errors.Is(err, errAllowed) {
		want = err.Error()
	}
	r.fail(n.line, n.path, showNode(n), want)
	return false
}

// read reads a table into s, and says which keys it lacks.
func read[S any](r *reader, keys []key[S], n *node, s *S) {
	readTable(r, keys, n, "", s)
	for _, k := range keys {
		path := join(n.path, k.path)
		if k.required && r.nodes[path] == nil {
			r.fail(n.line, path, "missing", k.allowed)
		}
	}
}

// readTable reads one table, or one within it, whose keys begin with rel.
func readTable[S any](r *reader, keys []key[S], n *node, rel string, s *S) {
	for _, name := range n.names {
		child := n.table[name]
		path := join(rel, name)
		k, kind := find(keys, path)
		switch {
		case kind == isKey:
			r.nodes[child.path] = child
			k.read(r, k, child, s)
		case kind == isTable && child.table != nil:
			readTable(r, keys, child, path, s)
		case kind == isTable:
			r.fail(child.line, child.path, showNode(child), "a table: ["+path+"]")
		default:
			r.fail(child.line, child.path, "", "unknown key"+hint(paths(keys), n.path, rel, name))
		}
	}
}

type kind int

const (
	isUnknown kind = iota
	isKey
	isTable // a path below which there are keys
)

func find[S any](keys []key[S], path string) (key[S], kind) {
	found := isUnknown
	for _, k := range keys {
		if k.path == path {
			return k, isKey
		}
		if strings.HasPrefix(k.path, path) && k.path[len(path)] == '.' {
			found = isTable
		}
	}
	return key[S]{}, found
}

// paths lists the keys of a schema, with those of repeated tables.
func paths[S any](keys []key[S]) []string {
	var list []string
	for _, k := range describe(keys) {
		list = append(list, k.Path)
	}
	return list
}

// one is a key with a single value.
func one[S, T any](path, allowed string, parse func(any) (T, error), at func(*S) *T) key[S] {
	return key[S]{path: path, allowed: allowed, same: sameAt(at),
		read: func(r *reader, k key[S], n *node, s *S) {
			v, err := parse(n.plain())
			if r.ok(n, k.allowed, err) {
				*at(s) = v
			}
		}}
}

// many is a key whose value is a list.
func many[S, T any, L ~[]T](path, allowed string, parse func(any) (T, error), at func(*S) *L) key[S] {
	return gather(path, allowed, parse, func(items []T) L { return items }, at)
}

// gather is a key whose value is a list of which something is made.
func gather[S, T, U any](path, allowed string, parse func(any) (T, error), build func([]T) U, at func(*S) *U) key[S] {
	return key[S]{path: path, allowed: allowed, same: sameAt(at),
		read: func(r *reader, k key[S], n *node, s *S) {
			*at(s) = build(readList(r, n, k.allowed, parse))
		}}
}

// readList reads the items of a list, and notes what is wrong with each.
func readList[T any](r *reader, n *node, allowed string, parse func(any) (T, error)) []T {
	items, ok := n.plain().([]any)
	if !ok {
		r.fail(n.line, n.path, showNode(n), "a list in [ ], of: "+allowed)
		return nil
	}
	var list []T
	for i, item := range items {
		at := n.item(i, item)
		r.nodes[at.path] = at
		v, err := parse(item)
		if r.ok(at, allowed, err) {
			list = append(list, v)
		} else {
			r.bad[n.path] = true
		}
	}
	return list
}

// item gives an item of a list as a node, for messages.
func (n *node) item(i int, v any) *node {
	return &node{path: n.path + "[" + strconv.Itoa(i) + "]", line: n.line, value: v}
}

// choice is a key whose value is one of a few words.
func choice[S any, T ~string](path string, at func(*S) *T, words ...T) key[S] {
	return one(path, either(words...), func(v any) (T, error) {
		for _, word := range words {
			if v == string(word) {
				return word, nil
			}
		}
		return "", errAllowed
	}, at)
}

// either gives `"a", "b" or "c"`.
func either[T ~string](words ...T) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = strconv.Quote(string(word))
	}
	last := len(quoted) - 1
	if last == 0 {
		return quoted[0]
	}
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}

// repeated is a [[table]], read into a list. Each item starts as fresh gives.
func repeated[S, T any](path string, item []key[T], fresh func() T, at func(*S) *[]T) key[S] {
	allowed := "a list of tables: [[" + path + "]]"
	return key[S]{path: path, allowed: allowed, below: describe(item), same: sameAt(at),
		read: func(r *reader, k key[S], n *node, s *S) {
			*at(s) = nil
			if empty, ok := n.value.([]any); n.list == nil && !(ok && len(empty) == 0) {
				r.fail(n.line, n.path, showNode(n), allowed)
				return
			}
			for _, table := range n.list {
				t := fresh()
				read(r, item, table, &t)
				*at(s) = append(*at(s), t)
			}
		}}
}

// within gives the keys of a table as keys of the table that it is in.
func within[S, T any](table string, keys []key[T], at func(*S) *T) []key[S] {
	var list []key[S]
	for _, k := range keys {
		list = append(list, key[S]{
			path:    join(table, k.path),
			allowed: k.allowed,
			same:    func(a, b *S) bool { return k.same(at(a), at(b)) },
			read:    func(r *reader, _ key[S], n *node, s *S) { k.read(r, k, n, at(s)) },
		})
	}
	return list
}

// sameAt compares what two settings hold at one place.
func sameAt[S, T any](at func(*S) *T) func(a, b *S) bool {
	return func(a, b *S) bool {
		return reflect.DeepEqual(at(a), at(b))
	}
}
