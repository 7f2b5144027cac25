package batv

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of RFC 5321 section 4.5.3.1, in octets.
const (
	maxLocal  = 64  // of a local part, its quotes included
	maxDomain = 255 // of a domain
	maxPath   = 256 // of a path, its angle brackets included
)

// maxAddress is the longest address looked at when verifying. Some software
// signs without regard to maxLocal, so the limits above would be too narrow.
const maxAddress = 1024

// mailbox is a Mailbox of RFC 5321 section 4.1.2 (with RFC 6531 section 3.3).
type mailbox struct {
	local  string // as written, less the quotes around a Quoted-string
	quoted bool
	domain string // as written
}

// parseMailbox splits an address at its last unquoted @. It reports false for
// anything that is no mailbox: source routes, control characters, an empty
// local part or domain, text in angle brackets.
func parseMailbox(address string) (mailbox, bool) {
	if len(address) > maxAddress {
		return mailbox{}, false
	}
	var m mailbox
	if strings.HasPrefix(address, `"`) {
		end := closingQuote(address)
		if end < 0 || !strings.HasPrefix(address[end+1:], "@") {
			return mailbox{}, false
		}
		m = mailbox{local: address[1:end], quoted: true, domain: address[end+2:]}
	} else {
		at := strings.LastIndexByte(address, '@')
		if at < 0 {
			return mailbox{}, false
		}
		m = mailbox{local: address[:at], domain: address[at+1:]}
	}
	return m, validLocal(m.local, m.quoted) && validDomain(m.domain)
}

// closingQuote returns the index of the quote that ends the Quoted-string at
// the start of s, or -1.
func closingQuote(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// validLocal reports whether every character may stand in a local part. Dots
// may stand anywhere: addresses such as "a..b@" and "a.@" break RFC 5321 and
// are in daily use.
func validLocal(local string, quoted bool) bool {
	if local == "" {
		return false
	}
	for i, r := range local {
		switch {
		case r >= utf8.RuneSelf:
			if !validWide(local[i:], r) {
				return false
			}
		case quoted:
			if r < ' ' || r == 0x7f {
				return false
			}
		case !isAtext(byte(r)) && r != '.':
			return false
		}
	}
	return true
}

// validDomain reports whether domain is made of labels or is an address
// literal. One dot at the end is let pass, and so are underscores.
func validDomain(domain string) bool {
	if domain == "" || len(domain) > maxDomain {
		return false
	}
	if domain[0] == '[' {
		return validLiteral(domain)
	}
	previous := '.'
	for i, r := range domain {
		switch {
		case r >= utf8.RuneSelf:
			if !validWide(domain[i:], r) {
				return false
			}
		case r == '.':
			if previous == '.' {
				return false
			}
		case !isAlnum(byte(r)) && r != '-' && r != '_':
			return false
		}
		previous = r
	}
	return true
}

// validLiteral reports whether domain has the form of an Address-literal of
// RFC 5321 section 4.1.3.
func validLiteral(domain string) bool {
	if len(domain) < 3 || domain[len(domain)-1] != ']' {
		return false
	}
	for _, c := range []byte(domain[1 : len(domain)-1]) {
		if !isAlnum(c) && c != '.' && c != ':' && c != '-' {
			return false
		}
	}
	return true
}

// validWide reports whether r, the first rune of s, is well-formed UTF-8 and no
// control character.
func validWide(s string, r rune) bool {
	if r == utf8.RuneError {
		if _, size := utf8.DecodeRuneInString(s); size == 1 {
			return false
		}
	}
	return !unicode.IsControl(r)
}

// isAtext reports whether c is atext of RFC 5322 section 3.2.3.
func isAtext(c byte) bool {
	return isAlnum(c) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// appendTo appends the mailbox as it was written.
func (m mailbox) appendTo(b []byte) []byte {
	if m.quoted {
		b = append(b, '"')
	}
	b = append(b, m.local...)
	if m.quoted {
		b = append(b, '"')
	}
	b = append(b, '@')
	return append(b, m.domain...)
}

// appendCanonical appends the form of the mailbox that is signed: the local
// part unquoted, ASCII letters lower-cased, then the given canonical domain.
func (m mailbox) appendCanonical(b, domain []byte) []byte {
	for i := 0; i < len(m.local); i++ {
		if m.quoted && m.local[i] == '\\' {
			i++ // a quoted-pair stands for its second character
		}
		b = append(b, lower(m.local[i]))
	}
	b = append(b, '@')
	return append(b, domain...)
}

func appendLower(b []byte, s string) []byte {
	for i := range len(s) {
		b = append(b, lower(s[i]))
	}
	return b
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
