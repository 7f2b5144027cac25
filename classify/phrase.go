package classify

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// phrase is a rule's pattern made ready: folded, and cut at its asterisks.
type phrase struct {
	rule  int // its index among the rules
	parts [][]byte
	bol   bool // only at the start of a line
	eol   bool // only at the end of one
	eow   bool // only at the end of a word
}

// How far the parts of a pattern may stand from each other, in folded bytes.
const reach = 160

// minKey is how many bytes of a phrase its place in the index is made of: its
// first part cannot be shorter.
const minKey = 3

func compile(index int, rule Rule) (phrase, error) {
	p := phrase{rule: index}
	if rule.Weight != weighsNothing && !slices.Contains(speakers, rule.Speaks) {
		return p, fmt.Errorf("%q: want one of %s", rule.Speaks, strings.Join(speakers, ", "))
	}
	text := rule.Pattern
	if text == "*" {
		return p, nil
	}
	text, p.bol = strings.CutPrefix(text, "^")
	text, p.eol = strings.CutSuffix(text, "$")
	if rule.Where == inSentence {
		text, p.eow = strings.CutSuffix(text, "_")
	}
	for part := range strings.SplitSeq(text, "*") {
		if folded := fold(nil, []byte(part)); len(folded) > 0 {
			p.parts = append(p.parts, bytes.ReplaceAll(folded, []byte("\n"), []byte(" ")))
		}
	}
	if p.eow && len(p.parts) == 1 && len(p.parts[0]) == minKey-1 {
		p.parts[0], p.eow = append(p.parts[0], ' '), false
	}
	if len(p.parts) == 0 || len(p.parts[0]) < minKey {
		return p, fmt.Errorf("pattern %q: want %d bytes or more before the first asterisk", rule.Pattern, minKey)
	}
	return p, nil
}

// matcher finds those of many phrases that a text holds, in one pass.
type matcher struct {
	always []int // rules whose pattern is "*"
	index  map[[minKey]byte][]phrase
	filter [1024]uint64 // which pairs of first bytes there are
}

func (m *matcher) add(p phrase) {
	if len(p.parts) == 0 {
		m.always = append(m.always, p.rule)
		return
	}
	if m.index == nil {
		m.index = map[[minKey]byte][]phrase{}
	}
	key := [minKey]byte(p.parts[0])
	m.index[key] = append(m.index[key], p)
	pair := uint(key[0])<<8 | uint(key[1])
	m.filter[pair/64] |= 1 << (pair % 64)
}

// empty reports whether m can find nothing.
func (m *matcher) empty() bool { return len(m.always) == 0 && m.index == nil }

// hit is a phrase that was found.
type hit struct {
	rule  int
	at    int // where in the folded text it begins
	end   int // and ends
	value string
}

// maxHits is how many hits of one text are kept.
const maxHits = 64

// find appends to hits those of m's phrases that text, which is folded, holds,
// each once.
func (m *matcher) find(hits []hit, text []byte) []hit {
	first := len(hits)
	for _, rule := range m.always {
		hits = append(hits, hit{rule, 0, len(text), excerpt(text)})
	}
	if m.index == nil {
		return hits
	}
	for i := 0; i+minKey <= len(text); i++ {
		if !m.mayBegin(text, i) || !startsWord(text, i) {
			continue
		}
		for _, p := range m.index[[minKey]byte(text[i:])] {
			end := p.match(text, i)
			if end < 0 || len(hits)-first >= maxHits || containsRule(hits[first:], p.rule) {
				continue
			}
			hits = append(hits, hit{p.rule, i, end, excerpt(text[i:end])})
		}
	}
	return hits
}

// has reports whether text, which is folded, holds one of m's phrases.
func (m *matcher) has(text []byte) bool {
	for i := 0; i+minKey <= len(text); i++ {
		if !m.mayBegin(text, i) || !startsWord(text, i) {
			continue
		}
		for _, p := range m.index[[minKey]byte(text[i:])] {
			if p.match(text, i) >= 0 {
				return true
			}
		}
	}
	return false
}

// mayBegin reports whether a phrase begins with the two bytes at i.
func (m *matcher) mayBegin(text []byte, i int) bool {
	pair := uint(text[i])<<8 | uint(text[i+1])
	return m.filter[pair/64]&(1<<(pair%64)) != 0
}

func containsRule(hits []hit, rule int) bool {
	return slices.ContainsFunc(hits, func(h hit) bool { return h.rule == rule })
}

// startsWord reports whether a word may begin at i: phrases begin there only.
func startsWord(text []byte, i int) bool {
	if i == 0 || text[i] >= 0x80 {
		return true
	}
	c := text[i-1]
	isWord := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
	c = text[i]
	return !isWord || !('a' <= c && c <= 'z' || '0' <= c && c <= '9')
}

// match returns where p ends if it stands at i, or -1.
func (p phrase) match(text []byte, i int) int {
	if p.bol && i > 0 && text[i-1] != '\n' {
		return -1
	}
	end := matchAt(text, i, p.parts[0])
	for _, part := range p.parts[1:] {
		if end < 0 {
			return -1
		}
		end = matchWithin(text[:min(len(text), end+reach+len(part))], end, part)
	}
	if end >= 0 && end < len(text) && (p.eol && text[end] != '\n' || p.eow && isLetterOrMore(text[end])) {
		return -1
	}
	return end
}

// isLetterOrMore reports whether c is part of a word.
func isLetterOrMore(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c >= utf8.RuneSelf
}

// matchAt returns where part ends if text holds it at i, or -1. A line may have
// ended wherever part has a blank.
func matchAt(text []byte, i int, part []byte) int {
	if len(text)-i < len(part) {
		return -1
	}
	for k, c := range part {
		t := text[i+k]
		if t != c && (t != '\n' || c != ' ') {
			return -1
		}
	}
	return i + len(part)
}

func matchWithin(text []byte, from int, part []byte) int {
	for i := from; i+len(part) <= len(text); i++ {
		if end := matchAt(text, i, part); end >= 0 {
			return end
		}
	}
	return -1
}

// excerpt is what evidence shows of a text.
func excerpt(text []byte) string {
	return strings.ToValidUTF8(string(text[:min(len(text), maxEvidence)]), "")
}

const maxEvidence = 200
