package classify

import (
	"bytes"
	"strings"
)

// field is one header field: its name as written, its value unfolded or not.
type field struct{ name, value string }

// fields are those of one header, in order.
type fields []field

// first returns the value of the first field called name, or "".
func (fs fields) first(name string) string {
	for i := range fs {
		if len(fs[i].name) == len(name) && strings.EqualFold(fs[i].name, name) {
			return fs[i].value
		}
	}
	return ""
}

// has reports whether there is a field called name.
func (fs fields) has(name string) bool {
	for i := range fs {
		if len(fs[i].name) == len(name) && strings.EqualFold(fs[i].name, name) {
			return true
		}
	}
	return false
}

// all returns the values of all fields called name, at most limit.
func (fs fields) all(name string, limit int) []string {
	var values []string
	for i := range fs {
		if len(values) < limit && len(fs[i].name) == len(name) && strings.EqualFold(fs[i].name, name) {
			values = append(values, fs[i].value)
		}
	}
	return values
}

// Limits of the headers inside a message; what is beyond is not looked at.
const (
	maxFields     = 512
	maxFieldValue = 16 << 10
)

// headerParser finds the fields of a header without copying them.
type headerParser struct {
	lines   lineReader
	spans   []span
	lenient bool // a line that is no field is passed over once there is a field
}

// span is where the name and the value of a field stand.
type span struct{ name, nameEnd, value, end int }

// parseHeader reads the header that b begins with and returns its fields and
// its length without and with the empty line after it. A line that cannot
// belong to a header ends it, unless the line after it does belong: some
// software folds without indenting.
func parseHeader(b []byte) (fs fields, block, whole int) {
	p := headerParser{lines: lineReader{data: b}}
	block, whole = p.parse()
	text := string(b[:block])
	fs = make(fields, len(p.spans))
	for i, s := range p.spans {
		fs[i] = field{text[s.name:s.nameEnd], text[s.value:min(s.end, s.value+maxFieldValue)]}
	}
	return fs, block, whole
}

func (p *headerParser) parse() (block, whole int) {
	for {
		start := p.lines.pos
		line, ok := p.lines.next()
		switch {
		case !ok:
			return len(p.lines.data), len(p.lines.data)
		case len(line) == 0:
			return start, p.lines.pos
		case isFolded(line) && len(p.spans) > 0:
			p.spans[len(p.spans)-1].end = start + len(line)
		case start == 0 && isMboxFrom(line):
		default:
			if !p.field(line, start) {
				return start, start
			}
		}
	}
}

// field takes a line that is not folded, and reports whether the header goes on.
func (p *headerParser) field(line []byte, start int) bool {
	nameEnd, value, ok := cutField(line)
	switch {
	case ok && (len(p.spans) < maxFields || p.lenient && len(p.spans) < 20*maxFields):
		p.spans = append(p.spans, span{start, start + nameEnd, start + value, start + len(line)})
	case ok:
	case p.lenient && nextIsField(p.lines):
	case len(p.spans) > 0 && nextIsMailField(p.lines):
		p.spans[len(p.spans)-1].end = start + len(line)
	default:
		return false
	}
	return true
}

// nextIsMailField reports whether the line that comes next begins a field that
// mail is known to have.
func nextIsMailField(lines lineReader) bool {
	line, ok := lines.next()
	if !ok {
		return false
	}
	nameEnd, _, ok := cutField(line)
	return ok && isMailField(line[:nameEnd])
}

// nextIsField reports whether the line that comes next begins a field.
func nextIsField(lines lineReader) bool {
	line, ok := lines.next()
	if !ok {
		return false
	}
	_, _, ok = cutField(line)
	return ok
}

func isFolded(line []byte) bool {
	return len(line) > 0 && (line[0] == ' ' || line[0] == '\t')
}

// isMboxFrom reports whether line is the postmark of an mbox file, quoted or not.
func isMboxFrom(line []byte) bool {
	return bytes.HasPrefix(bytes.TrimPrefix(line, []byte(">")), []byte("From "))
}

// cutField finds where the name of a field ends and its value begins. Names are
// those of RFC 5322, section 2.2; blanks before the colon, which its section
// 4.5 allows, are dropped.
func cutField(line []byte) (nameEnd, value int, ok bool) {
	i := 0
	for i < len(line) && i < 80 && line[i] > ' ' && line[i] < 127 && line[i] != ':' {
		i++
	}
	colon := i
	for colon < len(line) && colon < 100 && (line[colon] == ' ' || line[colon] == '\t') {
		colon++
	}
	if i == 0 || colon >= len(line) || line[colon] != ':' {
		return 0, 0, false
	}
	return i, colon + 1, true
}

// isMailField reports whether a field of this name is one that messages carry
// on their way: it tells a returned header from prose with a colon.
func isMailField(name []byte) bool {
	var buf [40]byte
	if len(name) < 2 || len(name) > len(buf) {
		return false
	}
	return mailFields[string(lowerASCII(buf[:0], string(name)))]
}

var mailFields = map[string]bool{
	"received": true, "return-path": true, "message-id": true, "from": true, "to": true, "cc": true,
	"subject": true, "date": true, "mime-version": true, "content-type": true, "sender": true,
	"reply-to": true, "in-reply-to": true, "references": true, "dkim-signature": true,
	"domainkey-signature": true, "content-transfer-encoding": true, "x-mailer": true,
	"user-agent": true, "delivered-to": true, "x-originating-ip": true, "list-id": true,
	"list-unsubscribe": true, "x-priority": true, "precedence": true, "organization": true,
	"errors-to": true, "received-spf": true, "authentication-results": true, "apparently-to": true,
	"thread-topic": true, "thread-index": true, "x-mimeole": true, "importance": true,
	"resent-from": true, "resent-date": true, "resent-message-id": true, "arc-seal": true,
	"arc-message-signature": true, "x-received": true, "auto-submitted": true,
	"x-google-smtp-source": true, "x-google-dkim-signature": true, "content-disposition": true,
	"x-envelope-from": true, "x-envelope-to": true, "envelope-to": true, "delivery-date": true,
	"x-spam-status": true, "content-language": true, "x-ms-has-attach": true, "lines": true,
}

// lowerASCII appends s in lower case to dst.
func lowerASCII(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// unfold joins the lines of a value (RFC 5322, section 2.2.3) and trims it.
func unfold(v string) string {
	if strings.ContainsAny(v, "\r\n") {
		v = strings.NewReplacer("\r", "", "\n", "").Replace(v)
	}
	return strings.TrimSpace(v)
}

// lineReader cuts data into lines that end with LF, CRLF or CR, in time linear
// in its length.
type lineReader struct {
	data []byte
	pos  int // where the next line begins
	lf   int // where the next LF stands; before pos: not yet looked for
}

// next returns a line without its ending.
func (r *lineReader) next() (line []byte, ok bool) {
	if r.pos >= len(r.data) {
		return nil, false
	}
	if r.lf < r.pos || r.pos == 0 {
		r.lf = len(r.data)
		if i := bytes.IndexByte(r.data[r.pos:], '\n'); i >= 0 {
			r.lf = r.pos + i
		}
	}
	line = r.data[r.pos:r.lf]
	cr := bytes.IndexByte(line, '\r')
	if cr < 0 {
		r.pos = min(r.lf+1, len(r.data))
		return line, true
	}
	end := r.pos + cr
	after := end
	for after < r.lf && r.data[after] == '\r' {
		after++
	}
	switch {
	case after < r.lf: // a CR of its own, or several, inside
		r.pos = end + 1
	case r.lf == len(r.data): // CRs at the very end
		r.pos = end + 1
	default:
		r.pos = min(r.lf+1, len(r.data))
	}
	return line[:cr], true
}
