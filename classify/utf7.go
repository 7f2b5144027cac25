package classify

import (
	"unicode/utf16"
	"unicode/utf8"
)

// decodeUTF7 reads UTF-7 (RFC 2152), which old Exchange servers wrote under
// that name and as unicode-1-1-utf-7. What is not UTF-7 stays as it is.
func decodeUTF7(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '+' {
			out = append(out, text[i])
			continue
		}
		end := i + 1
		for end < len(text) && base64Value(text[end]) >= 0 {
			end++
		}
		if end == i+1 { // "+-" is a plus sign
			out = append(out, '+')
		} else {
			out = appendUTF16(out, text[i+1:end])
		}
		if end >= len(text) || text[end] != '-' {
			end--
		}
		i = end
	}
	return out
}

// appendUTF16 appends what stands between "+" and "-": UTF-16 in base64.
func appendUTF16(out, digits []byte) []byte {
	var bits, n uint
	var high rune
	for _, d := range digits {
		bits, n = bits<<6|uint(base64Value(d)), n+6
		if n < 16 {
			continue
		}
		n -= 16
		r := rune(bits >> n & 0xffff)
		switch {
		case high != 0:
			r, high = utf16.DecodeRune(high, r), 0
		case utf16.IsSurrogate(r):
			high = r
			continue
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

// base64Value returns what a digit of base64 stands for, or -1.
func base64Value(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return int(c - 'A')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 26
	case '0' <= c && c <= '9':
		return int(c-'0') + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	}
	return -1
}
