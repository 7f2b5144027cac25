package config

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Error is one mistake in a configuration.
type Error struct {
	File  string // as given to Load or Parse, or a domain list that it names
	Line  int    // from 1
	Key   string // "batv.lifetime", "trusted_networks[1]", "domain[0].name"; "" in a line that is not TOML
	Value string // as shown to people: quoted, cut, secrets hidden; "" where there is none
	Want  string // what is allowed, or what is wrong

	// from is the line of the configuration that led here, for sorting.
	from int
}

// Error gives "FILE:LINE: KEY: VALUE: what is allowed".
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d: ", e.File, e.Line)
	for _, part := range []string{e.Key, e.Value} {
		if part != "" {
			b.WriteString(part + ": ")
		}
	}
	b.WriteString(e.Want)
	return b.String()
}

// Errors are all the mistakes of a configuration, in the order of its lines.
type Errors []*Error

// Error gives one mistake a line.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find the single mistakes.
func (es Errors) Unwrap() []error {
	errs := make([]error, len(es))
	for i, e := range es {
		errs[i] = e
	}
	return errs
}

// maxShown is how many characters of a value a message shows.
const maxShown = 60

// hidden stands for a value that must not be shown.
const hidden = "(hidden)"

// show gives a value of a TOML file as a message shows it: on one line, with
// control characters escaped, long ones cut, passwords and tokens left out.
func show(v any) string {
	if s, ok := v.(string); ok {
		return strconv.Quote(cut(hidePassword(s)))
	}
	return cut(showValue(v))
}

// showNode is show, where the key may be one that holds a secret.
func showNode(n *node) string {
	if n.path == "token" || strings.HasSuffix(n.path, ".token") {
		return hidden
	}
	return show(n.plain())
}

func showValue(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(hidePassword(v))
	case float64:
		if math.Trunc(v) == v && math.Abs(v) < 1e15 {
			return strconv.FormatFloat(v, 'f', 1, 64)
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	case time.Time:
		return "a date or time"
	case []any:
		return "[" + showList(v) + "]"
	case map[string]any:
		return "{" + showTable(v) + "}"
	}
	return fmt.Sprint(v)
}

// showList and showTable stop when there is more than a message shows.
func showList(items []any) string {
	var b strings.Builder
	for i, item := range items {
		if b.Len() > 4*maxShown {
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(showValue(item))
	}
	return b.String()
}

func showTable(table map[string]any) string {
	var b strings.Builder
	for i, name := range sortedKeys(table) {
		if b.Len() > 4*maxShown {
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		value := hidden
		if name != "token" {
			value = showValue(table[name])
		}
		b.WriteString(quoteKey(name) + " = " + value)
	}
	return b.String()
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

// hidePassword leaves the user part out of what may be a URL.
func hidePassword(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	at := strings.LastIndexByte(rest, '@')
	if !ok || at < 0 {
		return s
	}
	return scheme + "://" + hidden + rest[at:]
}

func cut(s string) string {
	if utf8.RuneCountInString(s) <= maxShown {
		return s
	}
	return string([]rune(s)[:maxShown]) + "…"
}

// quoteKey gives a part of a key path, quoted unless it is a bare key of TOML.
func quoteKey(name string) string {
	bare := name != ""
	for _, c := range name {
		bare = bare && (c < utf8.RuneSelf && isAlnum(byte(c)) || c == '-' || c == '_')
	}
	if !bare {
		return strconv.Quote(cut(name))
	}
	return cut(name)
}
