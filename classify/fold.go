package classify

import (
	"sync"
	"unicode"
	"unicode/utf8"
)

// fold appends text to dst in the form that phrases are compared in: lower
// case, accents taken off, typographic signs as on a typewriter, marks that
// nobody sees left out, runs of white space one blank, or one LF where a line
// ended. Broken UTF-8 is read as Latin-1.
func fold(dst, text []byte) []byte {
	f := folder{dst: dst, start: len(dst)}
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c <= ' ' || c == 0x7f:
			f.blank(c == '\n' || c == '\r')
			i++
		case c < utf8.RuneSelf:
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			f.flush()
			f.dst = append(f.dst, c)
			i++
		default:
			r, size := utf8.DecodeRune(text[i:])
			if r == utf8.RuneError && size == 1 {
				r = rune(c)
			}
			f.rune(foldRune(r))
			i += size
		}
	}
	return f.dst
}

// folder is a text that is being folded.
type folder struct {
	dst     []byte
	start   int  // of the text in dst
	pending byte // white space to be written before the next letter; 0: none
}

// blank takes white space, maybe the end of a line.
func (f *folder) blank(line bool) {
	switch {
	case line:
		f.pending = '\n'
	case f.pending == 0:
		f.pending = ' '
	}
}

// flush writes what white space there was.
func (f *folder) flush() {
	if f.pending != 0 && len(f.dst) > f.start {
		f.dst = append(f.dst, f.pending)
	}
	f.pending = 0
}

// rune takes a letter that is folded.
func (f *folder) rune(r rune) {
	switch {
	case r < 0:
	case r == ' ':
		f.blank(false)
	default:
		f.flush()
		f.dst = utf8.AppendRune(f.dst, r)
	}
}

// Letters that are compared as others: each of the first string as the one at
// its place in the second.
const (
	foldFrom = "‘’‚′`´“”„«»‐‑‒–—―−șțơưёάέήίϊΐόύϋΰώςأإآ"
	foldTo   = "''''''\"\"\"\"\"-------stouеαεηιιιουυυωσااا"
)

// Base letters of U+00DF to U+00FF and U+0100 to U+017F, in order.
const (
	latin1Base  = "saaaaaaaceeeeiiiidnooooo/ouuuuyty"
	latinExBase = "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkkllllllllllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs"
)

// Characters that are white space, and such that nobody sees: marks that
// combine with the letter before them, the points of Arabic and Hebrew, signs
// of direction.
var (
	blanks    = &unicode.RangeTable{R16: []unicode.Range16{{0xa0, 0xa0, 1}, {0x2000, 0x200a, 1}, {0x202f, 0x202f, 1}, {0x3000, 0x3000, 1}}}
	invisible = &unicode.RangeTable{R16: []unicode.Range16{
		{0xad, 0xad, 1}, {0x300, 0x36f, 1}, {0x591, 0x5bd, 1}, {0x640, 0x640, 1}, {0x64b, 0x652, 1},
		{0x200b, 0x200f, 1}, {0x202a, 0x202e, 1}, {0x2060, 0x2069, 1}, {0xfeff, 0xfeff, 1},
	}, LatinOffset: 1}
)

// foldRune returns what stands for r, or -1 for nothing.
func foldRune(r rune) rune {
	switch {
	case unicode.Is(blanks, r):
		return ' '
	case unicode.Is(invisible, r):
		return -1
	case r >= 0xff01 && r <= 0xff5e:
		r -= 0xfee0 // full width
	}
	switch r = unicode.ToLower(r); {
	case r >= 0x4e00: // no alphabet beyond
		return r
	case r >= 0xdf && r <= 0xff:
		return rune(latin1Base[r-0xdf])
	case r >= 0x100 && r <= 0x17f:
		return rune(latinExBase[r-0x100])
	case r >= 0x1ea0 && r <= 0x1ef9:
		return foldVietnamese(r)
	}
	if base, ok := folded()[r]; ok {
		return base
	}
	return r
}

// folded are the letters of foldFrom.
var folded = sync.OnceValue(func() map[rune]rune {
	m := map[rune]rune{}
	to := []rune(foldTo)
	for i, r := range []rune(foldFrom) {
		m[r] = to[i]
	}
	return m
})

func foldVietnamese(r rune) rune {
	for i, last := range []rune{0x1eb7, 0x1ec7, 0x1ecb, 0x1ee3, 0x1ef1, 0x1ef9} {
		if r <= last {
			return rune("aeiouy"[i])
		}
	}
	return r
}
