package classify

import (
	"bytes"
	"strings"
)

// part is one leaf of a message's MIME tree (RFC 2046), in the order of the
// message. Messages inside the message are leaves.
type part struct {
	header fields
	media  string // type and subtype, lower case
	body   []byte // as it stands in the message
	done   bool
	plain  []byte // body without its transfer encoding, once done
}

// decoded returns the body without its transfer encoding.
func (p *part) decoded() []byte {
	if !p.done {
		p.done = true
		p.plain = decodeTransfer(p.header.first("Content-Transfer-Encoding"), p.body)
	}
	return p.plain
}

// charset returns the name of the charset that the part says it is in.
func (p *part) charset() string { return parameter(p.header.first("Content-Type"), "charset") }

// fileName returns what an attachment is called, or "".
func (p *part) fileName() string {
	name := parameter(p.header.first("Content-Disposition"), "filename")
	if name == "" {
		name = parameter(p.header.first("Content-Type"), "name")
	}
	return decodeValue(name, "")
}

// Limits of the MIME tree. What is beyond them is part of what encloses it.
const (
	maxDepth = 20
	maxParts = 100
)

// splitter cuts a body into parts in one pass over its lines.
type splitter struct {
	body    []byte
	parts   []part
	stack   []string // boundaries, the outermost first
	matched bool     // a boundary was found
	cur     part
	start   int // of the current part's body
}

// split returns the leaves of a message with the header and body given.
func split(header fields, body []byte) []part {
	ct := header.first("Content-Type")
	media := mediaType(ct)
	if !strings.HasPrefix(media, "multipart/") {
		if b := hiddenBoundary(body); media == "" && b != "" {
			return splitAt(b, header, body)
		}
		return []part{{header: header, media: media, body: body}}
	}
	if b := parameter(ct, "boundary"); b != "" {
		if parts := splitAt(b, header, body); parts != nil {
			return parts
		}
	}
	if b := guessBoundary(body); b != "" {
		if parts := splitAt(b, header, body); parts != nil {
			return parts
		}
	}
	return []part{{header: header, media: "text/plain", body: body}}
}

// splitAt cuts body at a boundary and those within. It returns nil if the
// boundary is nowhere.
func splitAt(boundary string, header fields, body []byte) []part {
	s := splitter{body: body, stack: []string{boundary}}
	s.cur = part{header: nil, media: "text/plain"} // the preamble
	lines := lineReader{data: body}
	for {
		start := lines.pos
		line, ok := lines.next()
		if !ok {
			break
		}
		if level, closing := s.boundary(line); level >= 0 {
			s.matched = true
			s.finish(start)
			s.open(&lines, level, closing)
		}
	}
	if !s.matched {
		return nil
	}
	s.finish(len(body))
	return s.parts
}

// boundary returns which of the open boundaries line is, or -1.
func (s *splitter) boundary(line []byte) (level int, closing bool) {
	if len(line) < 3 || line[0] != '-' || line[1] != '-' || len(s.parts) >= maxParts {
		return -1, false
	}
	rest := bytes.TrimRight(line[2:], " \t")
	for level = len(s.stack) - 1; level >= 0; level-- {
		after, ok := bytes.CutPrefix(rest, []byte(s.stack[level]))
		if ok && len(after) == 0 {
			return level, false
		}
		if ok && string(after) == "--" {
			return level, true
		}
	}
	return -1, false
}

// open begins what follows a boundary: a part, or an epilogue.
func (s *splitter) open(lines *lineReader, level int, closing bool) {
	s.stack = s.stack[:level+1]
	if closing {
		if level > 0 {
			s.stack = s.stack[:level]
		}
		s.cur, s.start = part{media: "text/plain"}, lines.pos
		return
	}
	header, _, size := parseHeader(s.headerOf(lines.pos))
	lines.pos += size
	ct := header.first("Content-Type")
	s.cur = part{header: header, media: mediaType(ct)}
	if strings.HasPrefix(s.cur.media, "multipart/") && len(s.stack) < maxDepth {
		if b := parameter(ct, "boundary"); b != "" {
			s.stack = append(s.stack, b)
			s.cur = part{media: "text/plain"}
		}
	}
	s.start = lines.pos
}

// headerOf returns what to look for a part's header in: up to the next line
// that could be a boundary.
func (s *splitter) headerOf(from int) []byte {
	rest := s.body[from:min(len(s.body), from+maxPartHeader)]
	for i := 0; ; {
		k := bytes.Index(rest[i:], []byte("\n--"))
		if k < 0 {
			return rest
		}
		i += k + 1
		line, _ := (&lineReader{data: rest[i:]}).next()
		if level, _ := s.boundary(line); level >= 0 {
			return rest[:i]
		}
	}
}

const maxPartHeader = 16 << 10

// finish keeps the current part, which ends before the line at end. Preambles
// and epilogues are kept if they hold anything.
func (s *splitter) finish(end int) {
	s.cur.body = s.body[min(s.start, end):end]
	if s.cur.header == nil && len(bytes.TrimSpace(s.cur.body)) == 0 {
		return
	}
	s.parts = append(s.parts, s.cur)
}

// guessBoundary returns the boundary that a body seems to have: its first line
// of that form, if the line after it begins a part's header.
func guessBoundary(body []byte) string {
	lines := lineReader{data: body}
	for range 400 {
		line, ok := lines.next()
		if !ok {
			return ""
		}
		if len(line) < 4 || !bytes.HasPrefix(line, []byte("--")) || len(line) > 200 {
			continue
		}
		ahead := lines
		if next, _ := ahead.next(); hasPrefixFold(next, "content-") {
			return string(bytes.TrimRight(line[2:], " \t"))
		}
	}
	return ""
}

// hiddenBoundary is guessBoundary for bodies whose message says nothing of MIME:
// the boundary has to come at once.
func hiddenBoundary(body []byte) string {
	trimmed := bytes.TrimLeft(body[:min(len(body), 1000)], " \t\r\n")
	if bytes.HasPrefix(trimmed, []byte("--")) || hasPrefixFold(trimmed, "this is a mi") || hasPrefixFold(trimmed, "this is a multi") {
		return guessBoundary(body)
	}
	return ""
}

func hasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && strings.EqualFold(string(b[:len(prefix)]), prefix)
}

// mediaType returns the type and subtype of a Content-Type, in lower case.
func mediaType(value string) string {
	value, _, _ = strings.Cut(value, ";")
	value = strings.ToLower(strings.Trim(unfold(value), " \t\"'"))
	if i := strings.IndexAny(value, " \t,"); i >= 0 {
		value = value[:i]
	}
	return value
}

// parameter returns a parameter of a Content-Type or Content-Disposition (RFC
// 2045, section 5.1), also one in the pieces of RFC 2231.
func parameter(value, name string) string {
	var joined strings.Builder
	_, rest, _ := strings.Cut(value, ";")
	for rest != "" {
		var key, v string
		key, v, rest = cutParameter(rest)
		if strings.EqualFold(key, name) {
			return v
		}
		if len(key) > len(name) && key[len(name)] == '*' && strings.EqualFold(key[:len(name)], name) {
			if strings.HasSuffix(key, "*") {
				v = unescape2231(v)
			}
			joined.WriteString(v)
		}
	}
	return joined.String()
}

// cutParameter splits "key=value; rest".
func cutParameter(s string) (key, value, rest string) {
	s = strings.TrimLeft(s, " \t\r\n;")
	i := strings.IndexAny(s, "=;")
	if i < 0 {
		return "", "", ""
	}
	if s[i] == ';' {
		return "", "", s[i+1:]
	}
	key = strings.TrimSpace(s[:i])
	s = strings.TrimLeft(s[i+1:], " \t\r\n")
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, "; \t\r\n")
		if end < 0 {
			return key, s, ""
		}
		return key, s[:end], s[end:]
	}
	end := strings.IndexByte(s[1:], '"')
	if end < 0 {
		return key, unfold(s[1:]), ""
	}
	return key, strings.ReplaceAll(unfold(s[1:1+end]), `\`, ""), s[end+2:]
}

// unescape2231 reads charset'language'percent-encoded text, or a later piece.
func unescape2231(v string) string {
	charset := ""
	if i := strings.IndexByte(v, '\''); i >= 0 {
		if k := strings.IndexByte(v[i+1:], '\''); k >= 0 {
			charset, v = v[:i], v[i+k+2:]
		}
	}
	out := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		if v[i] == '%' && i+2 < len(v) && hexValue(v[i+1]) >= 0 && hexValue(v[i+2]) >= 0 {
			out = append(out, byte(hexValue(v[i+1])<<4|hexValue(v[i+2])))
			i += 2
			continue
		}
		out = append(out, v[i])
	}
	return string(toUTF8(charset, out))
}
