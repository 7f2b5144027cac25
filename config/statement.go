package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/BurntSushi/toml"
)

// A statement is a table header, or a key with its value, and all that stands
// on the lines between which it stands. A file is read statement by statement:
// so a mistake in one, be it of syntax, hides none in the others, and every
// key has its own line, also in tables that are repeated.
type statement struct {
	text string
	line int // of its first character, from 1
	deep bool
}

// maxDepth is how deeply brackets, and keys with dots, may nest; the schema
// needs three. Without a bound a file could take minutes, or all of the stack.
const maxDepth = 32

// statements splits a file. It understands as much of TOML as is needed to see
// where a value ends, and takes any input; what is wrong with a statement is
// found when it is parsed.
func statements(data string) []statement {
	var list []statement
	s := scanner{data: data}
	for line := 1; s.pos < len(data); {
		start := s.pos
		s.statement()
		text := data[start:s.pos]
		if body := strings.TrimLeft(text, " \t\r\n"); body != "" && body[0] != '#' {
			list = append(list, statement{text, line, s.deepest > maxDepth})
		}
		line += strings.Count(text, "\n")
	}
	return list
}

type scanner struct {
	data    string
	pos     int
	depth   int // of brackets
	dots    int // in the key that this may be
	deepest int // of both
}

// statement moves past the end of the line that ends a statement. A header
// ends with its line, and so does what has no "=", whatever its brackets say.
func (s *scanner) statement() {
	s.depth, s.dots, s.deepest = 0, 0, 0
	value := false
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		switch {
		case c == '\n' && s.depth <= 0:
			s.pos++
			return
		case c == '#':
			s.skipTo("\n")
			continue
		case c == '"' || c == '\'':
			s.quoted(c, value)
			continue
		case c == '=':
			value = value || !s.header()
		}
		s.nesting(c, value)
		s.pos++
	}
}

// header reports whether the line so far begins as a table header does.
func (s *scanner) header() bool {
	start := strings.LastIndexByte(s.data[:s.pos], '\n') + 1
	return strings.HasPrefix(strings.TrimLeft(s.data[start:s.pos], " \t"), "[")
}

// nesting counts brackets, in values, and the dots of keys.
func (s *scanner) nesting(c byte, value bool) {
	switch {
	case c == '.':
		s.dots++
	case strings.IndexByte("=,{}[]\n", c) >= 0:
		s.dots = 0
	}
	switch {
	case value && (c == '[' || c == '{'):
		s.depth++
	case value && (c == ']' || c == '}'):
		s.depth--
	}
	s.deepest = max(s.deepest, s.depth+s.dots)
}

// quoted moves past a string; one without its end stops before the line's, or
// if it may span lines, at the end of the file.
func (s *scanner) quoted(quote byte, multi bool) {
	if triple := strings.Repeat(string(quote), 3); multi && strings.HasPrefix(s.data[s.pos:], triple) {
		s.pos += 3
		for s.pos < len(s.data) && !strings.HasPrefix(s.data[s.pos:], triple) {
			s.escaped(quote)
		}
		// Up to five quotes may end it: two of them are its last characters.
		for n := 0; n < 5 && s.pos < len(s.data) && s.data[s.pos] == quote; n++ {
			s.pos++
		}
		return
	}
	s.pos++
	for s.pos < len(s.data) && s.data[s.pos] != '\n' {
		if s.data[s.pos] == quote {
			s.pos++
			return
		}
		s.escaped(quote)
	}
}

// escaped moves past one character of a string, or two after a backslash.
func (s *scanner) escaped(quote byte) {
	if s.data[s.pos] == '\\' && quote == '"' && s.pos+1 < len(s.data) && s.data[s.pos+1] != '\n' {
		s.pos++
	}
	s.pos++
}

func (s *scanner) skipTo(end string) {
	if i := strings.Index(s.data[s.pos:], end); i >= 0 {
		s.pos += i
	} else {
		s.pos = len(s.data)
	}
}

// parsed is a statement as the TOML library reads it.
type parsed struct {
	path   []string
	header bool // [path] or [[path]]
	array  bool // [[path]]
	value  any  // of what is no header
}

// header reports whether a statement begins as a table header does.
func (s statement) header() bool {
	return strings.HasPrefix(strings.TrimLeft(s.text, " \t"), "[")
}

func (s statement) parse() (parsed, error) {
	if s.deep {
		return parsed{}, fmt.Errorf("brackets or keys nest more than %d deep", maxDepth)
	}
	var doc map[string]any
	md, err := toml.Decode(s.text, &doc)
	if err != nil {
		return parsed{}, err
	}
	if len(md.Keys()) == 0 {
		return parsed{}, errors.New("neither a key with its value nor a [table]")
	}
	p := parsed{path: md.Keys()[0]}
	if s.header() {
		p.header, p.array = true, md.Type(p.path...) == "ArrayHash"
		return p, nil
	}
	var at any = doc
	for _, name := range p.path {
		at = at.(map[string]any)[name]
	}
	p.value = at
	return p, nil
}

// syntaxError gives the line, counted from the statement's first, and what the
// TOML library says. It quotes values, so of a line that may hold a secret
// nothing is told.
func syntaxError(text string, err error) (line int, want string) {
	line, want = 1, err.Error()
	var pe toml.ParseError
	if errors.As(err, &pe) {
		line, want = max(1, pe.Position.Line), pe.Message // some are said to be on line 0
	}
	if at := lineOf(text, line); strings.Contains(at, "token") || strings.Contains(at, "redis") {
		return line, "not TOML: a key or value here is malformed, text perhaps not in quotes"
	}
	want = strings.NewReplacer(`'\x00'`, "the end", `'\n'`, "the end of the line").Replace(strings.TrimSuffix(want, "."))
	if strings.HasPrefix(want, `expected value but found "`) {
		want += `: text must be in "quotes"`
	}
	return line, "not TOML: " + printable(lowerFirst(want))
}

// lineOf gives a line of a text, or the last one.
func lineOf(text string, line int) string {
	lines := strings.SplitN(text, "\n", line+1)
	return lines[min(line, len(lines))-1]
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// printable escapes what a terminal would not show.
func printable(s string) string {
	var b strings.Builder
	for _, c := range s {
		if unicode.IsPrint(c) {
			b.WriteRune(c)
		} else {
			fmt.Fprintf(&b, `\u%04x`, c)
		}
	}
	return b.String()
}
