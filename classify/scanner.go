package classify

import (
	"bytes"
	"slices"
	"strings"
)

// Envelope is what SMTP said of a message.
type Envelope struct {
	Sender     string // reverse-path without angle brackets; empty: the null sender
	Recipients []string
}

// DefaultMaxBody is how much of a body is looked at.
const DefaultMaxBody = 256 << 10

// HeaderRule is a pattern of the site's own for a header field. Patterns of
// package regexp take time linear in what they are compared with.
type HeaderRule struct {
	Header string
	Match  interface{ MatchString(string) bool } // such as a *regexp.Regexp; sees the value decoded and unfolded
	Class  Class
}

// Options say how to classify. The zero value is ready to use.
type Options struct {
	Envelope *Envelope    // nil: not known; then a Return-Path field tells the sender
	MaxBody  int          // bytes of a body to look at; 0: DefaultMaxBody
	Rules    *Rules       // nil: DefaultRules
	Headers  []HeaderRule // the first that matches decides
}

// Scanner classifies one message, pushed to it piece by piece: Header for each
// field, EndOfHeaders, Write for each chunk of the body, Close. It is not safe
// for concurrent use.
type Scanner struct {
	opts    Options
	rules   *Rules
	header  fields
	kept    [32]field
	hits    []hit
	folded  []byte // scratch of EndOfHeaders
	utf8    []byte // scratch of decoded and fieldName
	charset string
	facts   facts
	ended   bool
	body    []byte
}

// New returns a Scanner for one message.
func New(opts Options) *Scanner {
	if opts.MaxBody <= 0 {
		opts.MaxBody = DefaultMaxBody
	}
	if opts.Rules == nil {
		opts.Rules = DefaultRules()
	}
	s := &Scanner{opts: opts, rules: opts.Rules, utf8: make([]byte, 0, 512)}
	s.header = s.kept[:0]
	return s
}

// codeFields are the fields that the package reads itself; those that rules
// name are read as well, all others are passed over.
var codeFields = []string{
	"from", "to", "subject", "date", "message-id", "in-reply-to", "references", "return-path",
	"content-type", "content-transfer-encoding", "auto-submitted", "precedence", "x-failed-recipients",
	"mime-version", "content-disposition",
}

// Header takes a field of the message's header: its name, and its value as it
// came, that is maybe with a leading blank and folded with LF or CRLF.
func (s *Scanner) Header(name, value string) {
	s.fieldName(name)
	if len(s.header) >= maxFields || s.rules.matcher(name) == nil && !s.wanted(name) {
		return
	}
	if len(value) > maxFieldValue {
		value = strings.Clone(value[:maxFieldValue])
	}
	s.header = append(s.header, field{name, value})
}

// fieldName compares the name of a field of somebody's own with the rules.
func (s *Scanner) fieldName(name string) {
	m := s.rules.matchers["field"]
	if m == nil || len(name) < 3 || len(name) > 80 || name[0]|0x20 != 'x' || name[1] != '-' || len(s.hits) >= maxHits {
		return
	}
	s.utf8 = lowerASCII(s.utf8[:0], name)
	s.hits = m.find(s.hits, s.utf8)
}

// wanted reports whether one of the site's own rules is about the field.
func (s *Scanner) wanted(name string) bool {
	return slices.ContainsFunc(s.opts.Headers, func(r HeaderRule) bool { return strings.EqualFold(r.Header, name) })
}

// EndOfHeaders says whether the body is worth sending. After CannotBe, Write
// does nothing, and Close may be called at once.
func (s *Scanner) EndOfHeaders() Hint {
	if s.ended {
		return s.facts.hint
	}
	s.ended = true
	s.charset = parameter(s.header.first("Content-Type"), "charset")
	s.folded = make([]byte, 0, 512)
	for _, f := range s.header {
		if m := s.rules.matcher(f.name); m != nil && !m.empty() && (s.opts.Envelope == nil || !strings.EqualFold(f.name, returnPath)) {
			value := f.value
			if strings.EqualFold(f.name, returnPath) {
				value = strings.Trim(value, "<> \t")
			}
			s.fold(value)
			if strings.EqualFold(f.name, "Subject") {
				markTag(s.folded)
				if !isAnswer(s.subject()) { // an answer's subject is the original's
					s.hear("subject", s.folded)
				}
			}
			s.hits = m.find(s.hits, s.folded)
		}
	}
	if m := s.rules.matchers[returnPath]; m != nil && s.opts.Envelope != nil {
		s.fold(s.opts.Envelope.Sender)
		s.hits = m.find(s.hits, s.folded)
	}
	s.gather()
	return s.facts.hint
}

const returnPath = "return-path"

// fold makes a header value ready to be compared, in s.folded.
func (s *Scanner) fold(value string) { s.folded = fold(s.folded[:0], s.decoded(value)) }

// markTag ends a line behind the tag that a subject begins with, as in "[SPAM]"
// or "***SPAM***": what follows is a beginning too. subject is folded.
func markTag(subject []byte) {
	for _, tag := range [][2]string{{"[", "] "}, {"{", "} "}, {"***", "*** "}, {"(", ") "}} {
		if after, ok := bytes.CutPrefix(subject, []byte(tag[0])); ok {
			if i := bytes.Index(after[:min(len(after), 40)], []byte(tag[1])); i >= 0 {
				subject[len(tag[0])+i+len(tag[1])-1] = '\n'
			}
		}
	}
}

// decoded returns a header value as UTF-8, in s.utf8.
func (s *Scanner) decoded(value string) []byte {
	s.utf8 = appendDecoded(s.utf8[:0], value, s.charset)
	return s.utf8
}

// Write takes a chunk of the body. It keeps what it needs and never fails.
func (s *Scanner) Write(chunk []byte) (int, error) {
	if s.EndOfHeaders() == Maybe {
		room := s.opts.MaxBody - len(s.body)
		s.body = append(s.body, chunk[:min(len(chunk), max(room, 0))]...)
	}
	return len(chunk), nil
}

// Full reports whether further chunks would change nothing.
func (s *Scanner) Full() bool {
	return s.EndOfHeaders() != Maybe || len(s.body) >= s.opts.MaxBody
}

// Close returns what the message is.
func (s *Scanner) Close() Result {
	if s.EndOfHeaders() != Maybe {
		return s.facts.dismissed()
	}
	return s.judge()
}
