package classify

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Notices put the same few things in words without end: that their writer is
// away, that a message has come in and will be answered, that it is held until
// its sender shows that he is human. Rows of the tables with "sentence" for
// their place know them however they are worded. Those of the weight "word" sort
// the words of many languages by what they mean (an idea, such as "mail" or
// "arrive"); the others say which ideas make a concept of a class when they stand
// in one sentence ("mail arrive": received), and which do not make it where
// another stands there too ("!goods"). How many concepts a message holds is what
// counts, each but once.
//
// The words of one language make a concept, and the concepts of one language
// count: "on" is a word in many, and means something in each.
type sentences struct {
	words     matcher
	meanings  []meaning // by rule
	ideas     []string
	languages []string
	concepts  []concept
}

// meaning is what a word stands for: the index of an idea, and the bit of a
// language.
type meaning struct {
	idea     int
	language uint64
}

// concept is a row made ready: the ideas that have to be in a sentence, and
// those that must not.
type concept struct {
	rule      int
	all, none []int
}

// Ideas that no words stand for, in the order of their indexes.
const (
	ideaNumber = iota // a digit
	ideaReach         // an address, or a telephone number
)

const inSentence = "sentence"

// maxIdeas is how many ideas, and how many languages, there can be.
const maxIdeas = 64

// maxSentence is where a sentence without an end is cut, in letters.
const maxSentence = 400

func newSentences(rules []Rule) (*sentences, error) {
	s := &sentences{meanings: make([]meaning, len(rules)), ideas: []string{"number", "reach"}}
	for i, r := range rules {
		if r.Where != inSentence || r.Weight != weighsNothing {
			continue
		}
		p, err := compile(i, r)
		if err != nil {
			return nil, err
		}
		s.words.add(p)
		s.meanings[i] = meaning{indexOf(&s.ideas, r.Speaks), 1 << indexOf(&s.languages, r.Software)}
	}
	if len(s.ideas) > maxIdeas || len(s.languages) > maxIdeas {
		return nil, fmt.Errorf("%d ideas in %d languages, want %d at most", len(s.ideas), len(s.languages), maxIdeas)
	}
	for i, r := range rules {
		if r.Where != inSentence || r.Weight == weighsNothing {
			continue
		}
		c := concept{rule: i}
		for name := range strings.FieldsSeq(r.Pattern) {
			name, not := strings.CutPrefix(name, "!")
			idea := slices.Index(s.ideas, name)
			switch {
			case idea < 0:
				return nil, fmt.Errorf("pattern %q: no words for %q", r.Pattern, name)
			case not:
				c.none = append(c.none, idea)
			default:
				c.all = append(c.all, idea)
			}
		}
		s.concepts = append(s.concepts, c)
	}
	return s, nil
}

// indexOf returns where name stands among names, which it joins if need be.
func indexOf(names *[]string, name string) int {
	i := slices.Index(*names, name)
	if i < 0 {
		i = len(*names)
		*names = append(*names, name)
	}
	return i
}

// read calls say for each concept that a sentence of text, which is folded,
// holds, with the bits of the languages in which it does.
func (s *sentences) read(text []byte, say func(rule int, languages uint64, sentence []byte)) {
	if len(s.concepts) == 0 {
		return
	}
	for len(text) > 0 {
		end := sentenceEnd(text)
		var ideas [maxIdeas]uint64 // the languages in which each is there
		s.listen(text[:end], &ideas)
		for _, c := range s.concepts {
			if languages := c.in(&ideas); languages != 0 {
				say(c.rule, languages, text[:end])
			}
		}
		text = text[end:]
	}
}

// in returns the languages in which ideas make the concept.
func (c *concept) in(ideas *[maxIdeas]uint64) uint64 {
	languages := ^uint64(0)
	for _, i := range c.all {
		languages &= ideas[i]
	}
	for _, i := range c.none {
		languages &^= ideas[i]
	}
	return languages
}

// listen finds the ideas of a sentence.
func (s *sentences) listen(sentence []byte, ideas *[maxIdeas]uint64) {
	digits := 0
	for i, c := range sentence {
		switch {
		case '0' <= c && c <= '9':
			if digits++; digits >= 7 {
				ideas[ideaReach] = ^uint64(0)
			}
			ideas[ideaNumber] = ^uint64(0)
		case c == '@':
			ideas[ideaReach] = ^uint64(0)
		case strings.IndexByte(" -/()+.\n", c) < 0:
			digits = 0
		}
		if i+minKey > len(sentence) || !s.words.mayBegin(sentence, i) || !startsStem(sentence, i) {
			continue
		}
		for _, p := range s.words.index[[minKey]byte(sentence[i:])] {
			if m := s.meanings[p.rule]; ideas[m.idea]&m.language == 0 && p.match(sentence, i) >= 0 {
				ideas[m.idea] |= m.language
			}
		}
	}
}

// sentenceEnd returns where the sentence that text begins with ends: behind a
// sign that ends one, but for the points of ordinals and dates.
func sentenceEnd(text []byte) int {
	letters := 0
	for i, c := range text {
		if utf8.RuneStart(c) {
			letters++
		}
		last := i+1 == len(text) || text[i+1] == ' ' || text[i+1] == '\n'
		switch {
		case letters > maxSentence && last:
			return i + 1
		case last && (c == '.' && !isOrdinal(text[:i]) || c == '!' || c == '?'):
			return i + 1
		case c == 0xe3 || c == 0xe0: // the signs of Chinese, Japanese and Hindi
			if rest := string(text[i:min(len(text), i+3)]); rest == "。" || rest == "।" {
				return i + 3
			}
		}
	}
	return len(text)
}

// isOrdinal reports whether text ends in a number that a point makes an ordinal,
// as in dates.
func isOrdinal(text []byte) bool {
	n := len(text) - len(bytes.TrimRight(text, "0123456789"))
	return n == 1 || n == 2
}

// startsStem reports whether a stem may begin at i: at the start of a word in
// alphabets that set words apart and put nothing before them, anywhere else.
func startsStem(text []byte, i int) bool {
	if !utf8.RuneStart(text[i]) || !startsWord(text, i) {
		return false
	}
	return i < 2 || !isEuropean(text[i]) || !isEuropean(text[i-2]) || utf8.RuneStart(text[i-1])
}

// isEuropean reports whether a letter of Greek or Cyrillic begins with c in
// UTF-8.
func isEuropean(c byte) bool { return 0xcd <= c && c <= 0xd3 }

// said is a concept that a message holds.
type said struct {
	rule      int
	languages uint64
	where     string
}

// says reports whether the message holds one of the concepts of a class named.
func (s *Scanner) says(class string, names ...string) bool {
	language := s.language(class)
	return slices.ContainsFunc(s.facts.said, func(h said) bool {
		r := &s.rules.rules[h.rule]
		return r.Speaks == class && h.languages&language != 0 && slices.Contains(names, r.Software)
	})
}

// told returns how many concepts of a class the message holds, and what they
// weigh.
func (s *Scanner) told(class string) (count, weight int) {
	return s.toldIn(class, s.language(class))
}

func (s *Scanner) toldIn(class string, language uint64) (count, weight int) {
	for _, h := range s.facts.said {
		if r := &s.rules.rules[h.rule]; r.Speaks == class && h.languages&language != 0 {
			count++
			weight += r.Weight
		}
	}
	return count, weight
}

// language returns the bit of the language in which most is said for a class.
func (s *Scanner) language(class string) uint64 {
	best, most := uint64(1), 0
	for i := range s.rules.sentences.languages {
		if _, weight := s.toldIn(class, 1<<i); weight > most {
			best, most = 1<<i, weight
		}
	}
	return best
}

// hear notes the concepts of a text, which is folded, each once and as heavy as
// it comes.
func (s *Scanner) hear(where string, text []byte) {
	f := &s.facts
	s.rules.sentences.read(text, func(rule int, languages uint64, sentence []byte) {
		r := &s.rules.rules[rule]
		for i := range f.said {
			h := &f.said[i]
			if known := &s.rules.rules[h.rule]; known.Speaks == r.Speaks && known.Software == r.Software {
				if r.Weight > known.Weight {
					h.rule = rule
				}
				h.languages |= languages
				return
			}
		}
		f.said = append(f.said, said{rule, languages, where})
		f.note(where, r.Speaks+": "+r.Software+": "+string(sentence[:min(len(sentence), maxEvidence/2)]))
	})
}
