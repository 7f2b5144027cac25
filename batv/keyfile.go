package batv

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// ParseKeys reads a key file, of which name is the name used in errors:
//
//	[[key]]
//	number    = 3                     # the K digit of the tag, 0 to 9
//	secret    = "base64:..."          # or "hex:...", or "text:..." for one shared with other software
//	signing   = true                  # one key of a set signs; default false
//	sign_from = 2026-11-22T00:00:00Z  # signs from then on
//	retired   = 2027-11-22T00:00:00Z  # stops signing then, verifies for a lifetime longer
//	created   = 2026-11-21T00:00:00Z
//	domains   = ["example.com"]       # default: all domains
//
// Times may be dates; without an offset they are in UTC. All mistakes are
// returned at once, a line each, in the form
//
//	file:line: key: value: what is allowed
//
// in which a secret is never shown. What makes a set of keys sound is told at
// NewKeyring.
func ParseKeys(name string, data []byte) (*Keyring, error) {
	var document map[string]any
	if _, err := toml.Decode(string(data), &document); err != nil {
		return nil, syntaxError(name, data, err)
	}
	f := &keyFile{name: name, lines: indexLines(string(data))}
	keys := f.read(document)
	for i := range keys {
		for _, p := range checkKey(&keys[i]) {
			if !f.reported(i, p.field) {
				f.report(i, p.field, p.value, p.allowed)
			}
		}
	}
	if len(f.mistakes) == 0 {
		for _, p := range checkSets(keys) {
			f.report(p.key, p.field, p.value, p.allowed)
		}
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	return newKeyring(keys), nil
}

// syntaxError tells where the file is not TOML. The library's own message may
// quote a value, and so a secret; only the kind of the mistake is taken from it.
func syntaxError(name string, data []byte, err error) error {
	var at toml.ParseError
	errors.As(err, &at)
	// The library's line is one too far where the mistake is a line's end.
	line := 1 + bytes.Count(data[:max(0, min(at.Position.Start, len(data)))], []byte("\n"))
	reason := "not valid TOML"
	for _, kind := range []struct{ message, reason string }{
		{"already been defined", "this key stands twice in its table"},
		{"already created", "this table was begun in another form: write every key as a table of its own under [[key]]"},
		{"strings cannot contain newlines", "a string does not end on its line"},
		{"unexpected EOF", "the file ends in the middle of a value"},
		{"table array name", "a table must begin with [[key]]"},
		{"expected value", `there is no value, or a text without quotes: write name = "text"`},
		{"expected '.' or '='", "there is no = behind a name"},
		{"UTF-8", "the file is not UTF-8 text"},
	} {
		if strings.Contains(at.Message, kind.message) {
			reason += ": " + kind.reason
			break
		}
	}
	return fmt.Errorf("%s:%d: %s", name, line, reason)
}

// keyFile collects what is wrong with one file.
type keyFile struct {
	name     string
	lines    *lineIndex
	mistakes []mistake
}

type mistake struct {
	line  int
	table int // index of the [[key]] table, -1 for the top level
	field string
	text  string
}

func (f *keyFile) report(table int, field, value, allowed string) {
	line, path := f.lines.of(table, field), "key."+field
	f.mistakes = append(f.mistakes, mistake{line, table, field, fmt.Sprintf("%s: %s: %s", path, value, allowed)})
}

func (f *keyFile) reportTop(key, value, allowed string) {
	line, path := max(f.lines.top[key], 1), key
	if key != "key" {
		path = showName(key)
	}
	f.mistakes = append(f.mistakes, mistake{line, -1, key, fmt.Sprintf("%s: %s: %s", path, value, allowed)})
}

func (f *keyFile) reported(table int, field string) bool {
	return slices.ContainsFunc(f.mistakes, func(m mistake) bool { return m.table == table && m.field == field })
}

func (f *keyFile) err() error {
	slices.SortStableFunc(f.mistakes, func(a, b mistake) int { return a.line - b.line })
	var all []error
	for _, m := range f.mistakes {
		all = append(all, fmt.Errorf("%s:%d: %s", f.name, m.line, m.text))
	}
	return errors.Join(all...)
}

// read turns the document into keys. Fields that are wrong are reported and
// left at zero.
func (f *keyFile) read(document map[string]any) []Key {
	for _, name := range sortedKeys(document) {
		if name != "key" {
			f.reportTop(name, "unknown key", "the file holds [[key]] tables only")
		}
	}
	var tables []map[string]any
	switch v := document["key"].(type) {
	case []map[string]any:
		tables = v
	case []any: // key = [{...}, ...]
		for _, element := range v {
			table, ok := element.(map[string]any)
			if !ok {
				f.reportTop("key", show(element), "must be a table, written under [[key]]")
				return nil
			}
			tables = append(tables, table)
		}
	case nil:
	default:
		f.reportTop("key", show(v), "must be a list of tables, each begun by [[key]]")
		return nil
	}
	if len(tables) == 0 {
		f.reportTop("key", "missing", "one key at least, under [[key]]")
	}
	keys := make([]Key, len(tables))
	for i, table := range tables {
		keys[i] = f.readKey(i, table)
	}
	return keys
}

const allowedNames = "must be one of number, secret, signing, sign_from, retired, created, domains"

func (f *keyFile) readKey(n int, table map[string]any) Key {
	var k Key
	for _, name := range sortedKeys(table) {
		value := table[name]
		switch name {
		case "number":
			k.Number = f.number(n, value)
		case "secret":
			k.Secret = f.secret(n, value)
		case "signing":
			k.Signing = typed[bool](f, n, name, value, "must be true or false")
		case "sign_from":
			k.SignFrom = f.time(n, name, value)
		case "retired":
			k.Retired = f.time(n, name, value)
		case "created":
			k.Created = f.time(n, name, value)
		case "domains":
			k.Domains = f.domains(n, value)
		default:
			line := f.lines.of(n, name)
			f.mistakes = append(f.mistakes, mistake{line, n, name,
				fmt.Sprintf("key.%s: unknown key: %s", showName(name), allowedNames)})
		}
	}
	for _, name := range []string{"number", "secret"} {
		if _, ok := table[name]; !ok {
			f.report(n, name, "missing", "every key has a "+name)
		}
	}
	return k
}

// typed returns value if it has the type T, and else reports it.
func typed[T any](f *keyFile, n int, field string, value any, allowed string) T {
	v, ok := value.(T)
	if !ok {
		f.report(n, field, show(value), allowed)
	}
	return v
}

func (f *keyFile) number(n int, value any) int {
	const allowed = "must be an integer from 0 to 9"
	v, ok := value.(int64)
	if !ok || v < 0 || v > 9 {
		f.report(n, "number", show(value), allowed)
		return 0
	}
	return int(v)
}

func (f *keyFile) secret(n int, value any) []byte {
	const forms = `must be "base64:...", "hex:..." or "text:..."`
	text, ok := value.(string)
	if !ok {
		f.report(n, "secret", hidden, forms)
		return nil
	}
	kind, rest, _ := strings.Cut(text, ":")
	var secret []byte
	var err error
	switch kind {
	case "text":
		secret = []byte(rest)
	case "hex":
		secret, err = hex.DecodeString(rest)
	case "base64":
		secret, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(rest, "="))
	default:
		f.report(n, "secret", hidden, forms)
		return nil
	}
	if err != nil {
		f.report(n, "secret", hidden, "what follows "+kind+": must be valid "+kind)
		return nil
	}
	return secret
}

// time reads a TOML date-time or date. Those without an offset are in UTC.
func (f *keyFile) time(n int, field string, value any) time.Time {
	const allowed = "must be a time without quotes, such as 2026-11-21T00:00:00Z, or a date"
	t := typed[time.Time](f, n, field, value, allowed)
	switch timeFormat(t) {
	case time.TimeOnly:
		f.report(n, field, show(value), allowed)
		return time.Time{}
	case time.DateTime, time.DateOnly:
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	}
	return t.UTC()
}

// timeFormat tells which kind of TOML time t was read from. The library marks
// those without an offset by the name of their zone.
func timeFormat(t time.Time) string {
	switch t.Location().String() {
	case "time-local":
		return time.TimeOnly
	case "date-local":
		return time.DateOnly
	case "datetime-local":
		return time.DateTime
	}
	return time.RFC3339
}

func (f *keyFile) domains(n int, value any) []string {
	const allowed = `must be a list of domain names such as ["example.com"]; without it the key is for all domains`
	list, ok := value.([]any)
	if !ok || len(list) == 0 {
		f.report(n, "domains", show(value), allowed)
		return nil
	}
	var domains []string
	for _, element := range list {
		domain, ok := element.(string)
		if !ok {
			f.report(n, "domains", show(element), allowed)
			return nil
		}
		domains = append(domains, domain)
	}
	return domains
}

// show renders a value for an error. Text that may be a secret in the wrong
// place is not shown.
func show(value any) string {
	const longest = 40
	switch v := value.(type) {
	case string:
		if len(v) > longest || slices.Contains([]string{"base64", "hex", "text"}, before(v, ":")) {
			return hidden
		}
		return fmt.Sprintf("%q", v)
	case []any:
		return fmt.Sprintf("a list of %d", len(v))
	case map[string]any, []map[string]any:
		return "a table"
	case time.Time:
		return v.Format(timeFormat(v))
	}
	return fmt.Sprint(value)
}

// showName renders the name of an unknown key, which may be a secret whose
// own name was forgotten.
func showName(name string) string {
	const longest = 20
	if len(name) > longest {
		return hidden
	}
	return fmt.Sprintf("%q", name)
}

func before(s, separator string) string {
	s, _, _ = strings.Cut(s, separator)
	return s
}

func sortedKeys(m map[string]any) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
