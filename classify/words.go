package classify

import (
	"strings"
)

// appendDecoded appends a header value to dst as UTF-8: encoded words (RFC 2047)
// are decoded, also where they stand without blanks around them or inside
// quotes; raw 8-bit text is read in the charset given, or guessed.
func appendDecoded(dst []byte, value, charset string) []byte {
	for {
		start := strings.Index(value, "=?")
		if start < 0 {
			return appendRaw(dst, value, charset)
		}
		w, ok := cutWord(value[start:])
		if !ok {
			dst = appendRaw(dst, value[:start+2], charset)
			value = value[start+2:]
			continue
		}
		dst = appendRaw(dst, value[:start], charset)
		value = value[start+w.size:]
		data := w.decode()
		for { // words of one charset that follow each other: a letter may be cut between them
			next, ok := cutWord(strings.TrimLeft(value, " \t\r\n"))
			if !ok {
				break
			}
			value = strings.TrimLeft(value, " \t\r\n")[next.size:]
			if strings.EqualFold(next.charset, w.charset) {
				data = append(data, next.decode()...)
				continue
			}
			dst = append(dst, toUTF8(w.charset, data)...)
			w, data = next, next.decode()
		}
		dst = append(dst, toUTF8(w.charset, data)...)
	}
}

func appendRaw(dst []byte, value, charset string) []byte {
	if isASCIIString(value) {
		return append(dst, value...)
	}
	raw := []byte(value)
	if isUTF8Name(charset) {
		charset = ""
	}
	if charset != "" && strings.ToValidUTF8(value, "") == value {
		charset = "" // UTF-8 is never so by chance
	}
	return append(dst, toUTF8(charset, raw)...)
}

func isASCIIString(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 || s[i] == 0x1b {
			return false
		}
	}
	return true
}

// word is an encoded word.
type word struct {
	charset string
	base64  bool
	text    string
	size    int // of the whole, with its delimiters
}

// cutWord reads the encoded word that s begins with.
func cutWord(s string) (w word, ok bool) {
	if !strings.HasPrefix(s, "=?") {
		return word{}, false
	}
	charset, rest, ok := strings.Cut(s[2:min(len(s), 100)], "?")
	if !ok || len(rest) < 2 || rest[1] != '?' {
		return word{}, false
	}
	head := 2 + len(charset) + 3
	end := strings.Index(s[head:min(len(s), head+2000)], "?=")
	if end < 0 {
		return word{}, false
	}
	charset, _, _ = strings.Cut(charset, "*") // a language (RFC 2231, section 5)
	w = word{charset: charset, text: s[head : head+end], size: head + end + 2}
	switch rest[0] {
	case 'B', 'b':
		w.base64 = true
	case 'Q', 'q':
	default:
		return word{}, false
	}
	return w, true
}

func (w word) decode() []byte {
	if w.base64 {
		return decodeBase64([]byte(w.text))
	}
	return decodeQuoted([]byte(w.text), true)
}

// decodeValue is appendDecoded for a single value, unfolded.
func decodeValue(value, charset string) string {
	value = unfold(value)
	if !strings.Contains(value, "=?") && isASCIIString(value) {
		return value
	}
	return strings.ToValidUTF8(string(appendDecoded(nil, value, charset)), "\uFFFD")
}
