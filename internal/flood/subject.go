package flood

import (
	"unicode"
	"unicode/utf8"
)

const (
	maxSubject    = 4096 // octets of a subject that are looked at
	maxNormalised = 512  // octets of a normalised subject
	maxWord       = 40   // letters; what is longer is no word
	maxShown      = 80   // octets of a normalised subject that are kept to show

	encodedLetters = 16 // so many letters, and so often capitals
	encodedTurns   = 3  // after small ones, are no word either
)

// Subject is what is left of a subject when all that differs from one
// notification of a kind to the next has been taken out. The zero Subject
// stands for none known; a message without Subject field has Subject("").
type Subject struct {
	sum   uint64
	shown [maxShown]byte
	n     uint8
}

// String is the beginning of the normalised subject: letters, and single spaces.
// It is content of a message: not for logs.
func (s *Subject) String() string { return string(s.shown[:s.n]) }

// Subject normalises a subject whose encoded words (RFC 2047) have been decoded
// to UTF-8. Out go addresses, Message-IDs, host names, numbers, dates and times
// as far as they are numbers, whatever mixes letters with digits, random-looking
// strings, marks and signs; words stay, in any language, in lower case and in
// their order. Only the first 4096 octets are looked at. It allocates nothing.
func (f *Flood) Subject(decoded string) Subject {
	var w words
	w.read(decoded)
	s := Subject{sum: sum(f.secret.Load(), w.out[:w.n])}
	n := min(w.n, maxShown)
	for n > 0 && n < w.n && !utf8.RuneStart(w.out[n]) {
		n--
	}
	s.n = uint8(copy(s.shown[:], w.out[:n]))
	return s
}

// words writes the words of a subject. A token is what spaces and brackets
// enclose; it holds words, or is as a whole an address, a name or a number.
type words struct {
	out        [maxNormalised]byte
	n          int // octets of out
	token      int // where it begins in out
	script     script
	foreign    bool // the token is no word
	joint      bool // a dot came, which joins names if letters follow
	letters    int  // of the word
	all, turns int  // letters of the token, and capitals after small ones
	small      bool // the last letter was
}

// script tells those that put spaces between words from those that do not: there
// a number or an address stands amid the text.
type script uint8

const (
	spaced script = iota
	spaceless
)

// read normalises as much as there is room for.
func (w *words) read(subject string) {
	if len(subject) > maxSubject {
		subject = subject[:maxSubject]
	}
	for i := 0; i < len(subject) && w.n+1+utf8.UTFMax <= len(w.out); {
		r, size := rune(subject[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(subject[i:])
		}
		i += size
		w.rune(r)
	}
	w.endToken()
}

func (w *words) rune(r rune) {
	switch {
	case unicode.IsLetter(r) || unicode.IsMark(r):
		lower := unicode.ToLower(r)
		if s := scriptOf(lower); s != w.script {
			w.endToken()
			w.script = s
		}
		w.letter(r, lower)
	case unicode.IsNumber(r):
		if w.script != spaced {
			w.endToken()
		}
		w.foreign = true
	case r == '@' || r == '_':
		if w.script != spaced {
			w.endToken()
		}
		w.foreign = true
	case r == '.':
		w.joint = w.all > 0
	case r == '-' || r == '+' || r == '=' || r == '/':
		w.endWord()
	case r == '\'' || r == '’' || unicode.Is(unicode.Cf, r): // can't; a soft hyphen
	default:
		w.endToken()
	}
}

func (w *words) letter(r, lower rune) {
	if w.small && lower != r {
		w.turns++
	}
	w.small = lower == r
	w.foreign = w.foreign || w.joint && w.script == spaced
	if w.letters == 0 && w.n > 0 {
		w.out[w.n] = ' '
		w.n++
	}
	w.letters++
	w.all++
	if w.letters > maxWord && w.script == spaced {
		w.foreign = true
	}
	w.n += utf8.EncodeRune(w.out[w.n:], lower)
}

func (w *words) endWord() { w.letters = 0 }

func (w *words) endToken() {
	if w.foreign || w.all >= encodedLetters && w.turns >= encodedTurns {
		w.n = w.token
	}
	w.token = w.n
	w.script = spaced
	w.foreign, w.joint, w.small = false, false, false
	w.letters, w.all, w.turns = 0, 0, 0
}

// scriptOf tells the scripts of East and South-East Asia from the others, by
// blocks: Hangul is among them, for its particles follow foreign words at once.
func scriptOf(r rune) script {
	switch {
	case r < 0x0E00:
		return spaced
	case r <= 0x0EFF, // Thai, Lao
		0x1000 <= r && r <= 0x11FF,                             // Myanmar to Hangul
		0x1780 <= r && r <= 0x17FF,                             // Khmer
		0x2E80 <= r && r <= 0xA4CF,                             // CJK
		0xA960 <= r && r <= 0xA97F, 0xAC00 <= r && r <= 0xD7FF, // Hangul
		0xF900 <= r && r <= 0xFAFF, 0xFF66 <= r && r <= 0xFFDC,
		0x20000 <= r && r <= 0x3FFFF:
		return spaceless
	}
	return spaced
}
