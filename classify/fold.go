package classify

import (
	"unicode"
	"unicode/utf8"
)

// fold appends text to dst in the form that phrases are compared in: lower
// case, accents taken off, typographic signs as on a typewriter, marks that
// nobody sees left out, runs of white space one blank, or one LF where a line
// ended. Broken UTF-8 is read as Latin-1.
func fold(dst, text []byte) []byte {
	blank := byte('\n') // pending: white space not yet written; at the start none is
	start := len(dst)
	pending := false
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			i++
			if c <= ' ' || c == 0x7f {
				if !pending {
					pending, blank = true, ' '
				}
				if c == '\n' || c == '\r' {
					blank = '\n'
				}
				continue
			}
			if pending && len(dst) > start {
				dst = append(dst, blank)
			}
			pending = false
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			dst = append(dst, c)
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			r = rune(c)
		}
		i += size
		r = foldRune(r)
		switch {
		case r < 0:
			continue
		case r == ' ':
			if !pending {
				pending, blank = true, ' '
			}
			continue
		}
		if pending && len(dst) > start {
			dst = append(dst, blank)
		}
		pending = false
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// foldString is fold for single values.
func foldString(s string) string {
	return string(fold(nil, []byte(s)))
}

// Base letters of U+00DF to U+00FF and U+0100 to U+017F, in order.
const (
	latin1Base  = "saaaaaaaceeeeiiiidnooooo/ouuuuyty"
	latinExBase = "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkkllllllllllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs"
)

// foldRune returns what stands for r, or -1 for nothing.
func foldRune(r rune) rune {
	switch {
	case r == 0xa0 || r == 0x3000 || r == 0x202f || r >= 0x2000 && r <= 0x200a:
		return ' '
	case r == 0xad || r == 0xfeff || r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2060 && r <= 0x2069:
		return -1
	case r >= 0x300 && r <= 0x36f || r >= 0x64b && r <= 0x652 || r == 0x640 || r >= 0x591 && r <= 0x5bd:
		return -1 // combining marks, Arabic and Hebrew points
	case r >= 0xff01 && r <= 0xff5e:
		r -= 0xfee0 // full width
	}
	return foldLetter(unicode.ToLower(r))
}

func foldLetter(r rune) rune {
	switch {
	case r >= 0xdf && r <= 0xff:
		return rune(latin1Base[r-0xdf])
	case r >= 0x100 && r <= 0x17f:
		return rune(latinExBase[r-0x100])
	case r >= 0x1ea0 && r <= 0x1ef9:
		return foldVietnamese(r)
	}
	switch r {
	case 0x2018, 0x2019, 0x201a, 0x2032, '`', 0xb4:
		return '\''
	case 0x201c, 0x201d, 0x201e, 0xab, 0xbb:
		return '"'
	case 0x2010, 0x2011, 0x2012, 0x2013, 0x2014, 0x2015, 0x2212:
		return '-'
	case 0x219:
		return 's'
	case 0x21b:
		return 't'
	case 0x1a1:
		return 'o'
	case 0x1b0:
		return 'u'
	case 'ё':
		return 'е'
	case 'ά':
		return 'α'
	case 'έ':
		return 'ε'
	case 'ή':
		return 'η'
	case 'ί', 'ϊ', 'ΐ':
		return 'ι'
	case 'ό':
		return 'ο'
	case 'ύ', 'ϋ', 'ΰ':
		return 'υ'
	case 'ώ':
		return 'ω'
	case 'ς':
		return 'σ'
	case 'أ', 'إ', 'آ':
		return 'ا'
	}
	return r
}

func foldVietnamese(r rune) rune {
	switch {
	case r <= 0x1eb7:
		return 'a'
	case r <= 0x1ec7:
		return 'e'
	case r <= 0x1ecb:
		return 'i'
	case r <= 0x1ee3:
		return 'o'
	case r <= 0x1ef1:
		return 'u'
	}
	return 'y'
}
