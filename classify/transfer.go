package classify

import "strings"

// decodeTransfer takes a transfer encoding (RFC 2045, section 6) off body. What
// does not belong to it is passed over (base64) or kept (quoted-printable):
// half a report is better than none. Without an encoding body itself is
// returned.
func decodeTransfer(encoding string, body []byte) []byte {
	encoding = strings.ToLower(strings.Trim(unfold(encoding), " \t\"';"))
	switch {
	case strings.HasPrefix(encoding, "base64"):
		return decodeBase64(body)
	case strings.HasPrefix(encoding, "quoted"):
		return decodeQuoted(body, false)
	}
	return body
}

// decodeBase64 reads the digits in body, whatever stands between them, until
// the padding is followed by no more digits.
func decodeBase64(body []byte) []byte {
	out := make([]byte, 0, len(body)/4*3+3)
	var bits uint32
	n := 0
	for _, c := range body {
		if c == '=' { // padding: the next quantum begins afresh
			n = 0
			continue
		}
		v := base64Value(c)
		if v < 0 {
			continue
		}
		bits, n = bits<<6|uint32(v), n+1
		switch n {
		case 2:
			out = append(out, byte(bits>>4))
		case 3:
			out = append(out, byte(bits>>2))
		case 4:
			out = append(out, byte(bits))
			n = 0
		}
	}
	return out
}

// decodeQuoted reads quoted-printable text. In header words (RFC 2047, section
// 4.2) an underscore is a blank.
func decodeQuoted(body []byte, word bool) []byte {
	out := make([]byte, 0, len(body))
	for i := 0; i < len(body); i++ {
		c := body[i]
		switch {
		case c == '_' && word:
			out = append(out, ' ')
		case c != '=':
			out = append(out, c)
		case i+2 < len(body) && hexValue(body[i+1]) >= 0 && hexValue(body[i+2]) >= 0:
			out = append(out, byte(hexValue(body[i+1])<<4|hexValue(body[i+2])))
			i += 2
		default:
			if end := softBreak(body[i+1:]); end > 0 {
				i += end
			} else {
				out = append(out, c)
			}
		}
	}
	return out
}

// softBreak returns the length of the line ending that b begins with, blanks
// before it included, or 0.
func softBreak(b []byte) int {
	i := 0
	for i < len(b) && i < 80 && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	switch {
	case i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n':
		return i + 2
	case i < len(b) && (b[i] == '\n' || b[i] == '\r'):
		return i + 1
	}
	return 0
}

func hexValue(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
