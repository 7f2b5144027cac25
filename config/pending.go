package config

import "strings"

// notYetThere lists the keys, or whole tables, of features that are not there
// yet, with what they belong to. They are read and checked like all others,
// but may not be set away from their defaults. A feature that arrives takes
// its line away.
func notYetThere() map[string]string {
	return map[string]string{}
}

// pending reports whether a key, or a table that it is in, is not there yet. What
// [[domain]] has for one domain comes with what it has for all.
func pending(path string) bool {
	later := notYetThere()
	path = strings.TrimPrefix(path, "domain.")
	for path != "" {
		if later[path] != "" {
			return true
		}
		path = path[:max(0, strings.LastIndexByte(path, '.'))]
	}
	return false
}

// notYet refuses a key; of a [[table]], each by itself.
func (r *reader) notYet(n *node) {
	if n.list == nil {
		r.note(n.line, n.path, showNode(n), "not available yet")
	}
	for _, table := range n.list {
		r.note(table.line, table.path, showNode(table), "not available yet")
	}
}
