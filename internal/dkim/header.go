package dkim

import (
	"bytes"
	"strings"
)

// A field is one field of a header as it came, but for line endings: its folds
// are CRLF, and the last CRLF is left out.
type field struct {
	name  string // lower case
	raw   []byte
	value int // where, in raw, the value begins: behind the colon
}

// text gives the value in one line.
func (f field) text() string {
	return strings.TrimSpace(strings.ReplaceAll(string(f.raw[f.value:]), "\r\n", ""))
}

// splitHeader gives the fields of a header, at most maxFields, and whether there
// were lines behind the first field that belong to none. Those are dropped or,
// if join is set, read as the rest of the line above. It ends with the first
// empty line.
func splitHeader(block []byte, join bool) (fields []field, strays bool) {
	block = block[:min(len(block), maxHeader)]
	s := splitter{join: join, dropping: true, buf: make([]byte, 0, len(block)+len(block)/8)}
	// Lines end with LF and the CRs before it, or with CR where there is no LF.
	ending := []byte("\n")
	if !bytes.Contains(block, ending) {
		ending = []byte("\r")
	}
	for line := range bytes.SplitSeq(block, ending) {
		if !s.add(bytes.TrimRight(line, "\r")) {
			break
		}
	}
	return fieldsOf(s.buf, s.starts, s.values), s.strays
}

// A splitter is handed the lines of a header.
type splitter struct {
	join, strays   bool
	dropping       bool   // the line above is none of a field
	buf            []byte // the fields, one after another
	starts, values []int  // where in buf each begins, and where in it its value
}

// add takes the next line and reports whether to go on.
func (s *splitter) add(line []byte) bool {
	colon := nameEnd(line)
	switch begun := len(s.starts) > 0; {
	case len(line) == 0:
		return !begun
	case isWSP(line[0]):
		if !s.dropping {
			s.buf = append(append(s.buf, "\r\n"...), line...)
		}
	case colon > 0 && len(s.starts) == maxFields:
		return false
	case colon > 0:
		s.starts, s.values = append(s.starts, len(s.buf)), append(s.values, colon+1)
		s.buf, s.dropping = append(s.buf, line...), false
	case begun && s.join:
		s.strays = true
		s.buf = append(append(s.buf, "\r\n "...), line...)
	case begun:
		s.strays, s.dropping = true, true
	}
	return true
}

// fieldsOf cuts fields out of the buffer in which they lie one after another.
func fieldsOf(buf []byte, starts, values []int) []field {
	fields := make([]field, len(starts))
	for i, from := range starts {
		to := len(buf)
		if i+1 < len(starts) {
			to = starts[i+1]
		}
		raw := buf[from:to:to]
		name := strings.ToLower(string(bytes.TrimRight(raw[:values[i]-1], " \t")))
		fields[i] = field{name, raw, values[i]}
	}
	return fields
}

// nameEnd gives where the colon stands in a line that begins with a field name
// (RFC 5322, section 3.6.8; white space before the colon: section 4.5), or -1.
// A name with "=" is allowed, but no field has one; tags of signatures do, whose
// lines have lost their indentation.
func nameEnd(line []byte) int {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return -1
	}
	name := bytes.TrimRight(line[:colon], " \t")
	if !isFieldName(string(name)) || bytes.IndexByte(name, '=') >= 0 {
		return -1
	}
	return colon
}

func isFieldName(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r < '!' || r > '~' || r == ':' }) < 0
}

func isWSP(c byte) bool { return c == ' ' || c == '\t' }

// canonical appends the field in the form in which it is hashed, without CRLF.
func (f field) canonical(dst []byte, relaxed bool) []byte {
	// RFC 6376, section 3.4.1.
	if !relaxed {
		return append(dst, f.raw...)
	}
	// RFC 6376, section 3.4.2.
	dst = append(append(dst, f.name...), ':')
	begun, space := false, false
	value := f.raw[f.value:]
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case isWSP(c):
			space = true
		case c == '\r' && i+1 < len(value) && value[i+1] == '\n':
			i++ // a fold; white space follows
		default:
			if space && begun {
				dst = append(dst, ' ')
			}
			dst, begun, space = append(dst, c), true, false
		}
	}
	return dst
}

// A reading is a header as it was split, with its fields by name.
type reading struct {
	fields []field
	byName map[string][]int // from the top down
}

func newReading(fields []field) *reading {
	r := &reading{fields, make(map[string][]int, len(fields))}
	for i, f := range fields {
		r.byName[f.name] = append(r.byName[f.name], i)
	}
	return r
}

// pick gives the fields that h= means, in its order: for each time that a name
// is listed the lowest field that was not yet taken, or none where there are no
// more (RFC 6376, section 5.4.2). The signature itself, the field numbered own,
// was not there yet when that was done.
func (r *reading) pick(names []string, own int) []int {
	var picked []int
	taken := map[string]int{}
	for _, name := range names {
		all := r.byName[name]
		n := len(all) - 1 - taken[name]
		if n >= 0 && all[n] == own {
			n--
			taken[name]++
		}
		if n >= 0 {
			picked = append(picked, all[n])
			taken[name]++
		}
	}
	return picked
}
