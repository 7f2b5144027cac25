package config

import (
	"slices"
	"strings"
)

// maxHint is how long a list of keys may be to be shown.
const maxHint = 120

// hint says what may have been meant by an unknown key: "; did you mean …?",
// or a short list, or nothing. All are the keys of the file, or of the repeated
// table that this is in; path is the table's path in the file, rel the one
// among all.
func hint(all []string, path, rel, name string) string {
	if known := misplaced(all, name); known != "" && path == rel {
		return known
	}
	here := namesIn(all, rel)
	if near := nearest(here, name); near != "" {
		return `; did you mean "` + near + `"?`
	}
	if list := strings.Join(here, ", "); len(list) <= maxHint {
		return "; known here: " + list
	}
	return ""
}

// misplaced finds a key of that name in another table. Keys of tables that are
// repeated belong only there.
func misplaced(all []string, name string) string {
	for _, path := range all {
		at := strings.LastIndexByte(path, '.') + 1
		switch {
		case path[at:] != name || inRepeated(path):
		case at == 0:
			return `; did you mean "` + path + `", which stands above the first [table]?`
		default:
			return `; did you mean "` + path + `"?`
		}
	}
	return ""
}

func inRepeated(path string) bool {
	table, _, _ := strings.Cut(path, ".")
	return table == "rule" || table == "dnsbl" || table == "domain"
}

// namesIn gives the keys of a table, in the order of the schema.
func namesIn(all []string, rel string) []string {
	var names []string
	for _, path := range all {
		if rel != "" {
			below, ok := strings.CutPrefix(path, rel+".")
			if !ok {
				continue
			}
			path = below
		}
		name, _, _ := strings.Cut(path, ".")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// nearest gives the name that differs least, if by no more than a third.
func nearest(names []string, name string) string {
	fold := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }
	best, least := "", max(1, min(len(name), 30)/3)+1
	if len(name) > 2*maxShown {
		return ""
	}
	for _, n := range names {
		if d := distance(fold(n), fold(name)); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance is the number of characters to insert, delete, replace, or swap
// with their neighbour, to make b of a.
func distance(a, b string) int {
	before := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j+1]+1, next[j]+1, row[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
