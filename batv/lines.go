package batv

import (
	"strconv"
	"strings"
)

// lineIndex tells on which lines of a TOML file the [[key]] tables and their
// keys stand. The TOML library gives positions by key path, and the paths of
// repeated tables are all the same.
type lineIndex struct {
	top    map[string]int // keys and tables of the top level
	tables []tableLines   // the [[key]] tables in order
}

type tableLines struct {
	line int
	keys map[string]int
}

// of returns the line of a key in the n-th table, or that of the table where
// the key is not written out.
func (x *lineIndex) of(n int, key string) int {
	if n >= len(x.tables) { // written as key = [{...}]
		return max(x.top["key"], 1)
	}
	if line, ok := x.tables[n].keys[key]; ok {
		return line
	}
	return x.tables[n].line
}

// indexLines reads a file that the TOML library has found well-formed.
func indexLines(data string) *lineIndex {
	s := &lineScanner{text: strings.TrimPrefix(data, "\ufeff"), line: 1}
	x := &lineIndex{top: map[string]int{}}
	current := x.top
	for s.nextStatement() {
		line := s.line
		if s.text[s.at] != '[' {
			note(current, s.keyPath(), line)
			s.skipValue()
			continue
		}
		repeated := strings.HasPrefix(s.text[s.at:], "[[")
		path := s.header()
		switch {
		case len(path) == 1 && path[0] == "key" && repeated:
			current = map[string]int{}
			x.tables = append(x.tables, tableLines{line, current})
			note(x.top, path, line)
		case len(path) > 1 && path[0] == "key" && len(x.tables) > 0:
			note(x.tables[len(x.tables)-1].keys, path[1:], line)
			current = map[string]int{} // its keys are not ours
		default:
			note(x.top, path, line)
			current = map[string]int{}
		}
	}
	return x
}

func note(keys map[string]int, path []string, line int) {
	if _, known := keys[path[0]]; !known {
		keys[path[0]] = line
	}
}

type lineScanner struct {
	text string
	at   int
	line int
}

func (s *lineScanner) more() bool { return s.at < len(s.text) }

// nextStatement goes to the next character that is no white space and in no
// comment.
func (s *lineScanner) nextStatement() bool {
	for ; s.more(); s.at++ {
		switch s.text[s.at] {
		case '\n':
			s.line++
		case ' ', '\t', '\r':
		case '#':
			s.skipComment()
			s.at--
		default:
			return true
		}
	}
	return false
}

// skipComment goes to the end of the line.
func (s *lineScanner) skipComment() {
	if n := strings.IndexByte(s.text[s.at:], '\n'); n >= 0 {
		s.at += n
	} else {
		s.at = len(s.text)
	}
}

// header reads [table] or [[table]] and goes behind it.
func (s *lineScanner) header() []string {
	s.at += len(s.text[s.at:]) - len(strings.TrimLeft(s.text[s.at:], "["))
	path := s.keyPath()
	s.at += len(s.text[s.at:]) - len(strings.TrimLeft(s.text[s.at:], "]"))
	return path
}

// keyPath reads a key, dotted and quoted as it may be, up to the "=" or "]"
// behind it.
func (s *lineScanner) keyPath() []string {
	var path []string
	for s.more() {
		part := s.at
		for s.more() && !strings.ContainsRune(".=]", rune(s.text[s.at])) {
			if c := s.text[s.at]; c == '"' || c == '\'' {
				s.skipString()
			} else {
				s.at++
			}
		}
		path = append(path, unquoteKey(s.text[part:s.at]))
		if !s.more() || s.text[s.at] != '.' {
			break
		}
		s.at++
	}
	return path
}

func unquoteKey(key string) string {
	key = strings.TrimSpace(key)
	if strings.HasPrefix(key, "'") {
		return strings.Trim(key, "'")
	}
	if plain, err := strconv.Unquote(key); err == nil {
		return plain
	}
	return key
}

// skipValue goes from the "=" to the end of the line on which its value ends.
func (s *lineScanner) skipValue() {
	depth := 0
	for s.more() {
		switch s.text[s.at] {
		case '"', '\'':
			s.skipString()
			continue
		case '#':
			s.skipComment()
			continue
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case '\n':
			if depth == 0 {
				return
			}
			s.line++
		}
		s.at++
	}
}

// skipString goes behind a string of any of the four kinds.
func (s *lineScanner) skipString() {
	quote := s.text[s.at : s.at+1]
	end := quote
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s.text[s.at:], triple) {
		end = triple
	}
	for s.at += len(end); s.more() && !strings.HasPrefix(s.text[s.at:], end); s.at++ {
		switch {
		case s.text[s.at] == '\n':
			s.line++
		case s.text[s.at] == '\\' && quote == `"`:
			s.at++
			if s.more() && s.text[s.at] == '\n' {
				s.line++
			}
		}
	}
	s.at = min(s.at+len(end), len(s.text))
	if len(end) == 3 { // up to two more quotes belong to the text
		for range 2 {
			if strings.HasPrefix(s.text[s.at:], quote) {
				s.at++
			}
		}
	}
}
