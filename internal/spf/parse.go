package spf

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

const (
	maxRecord = 4096 // octets of a record that is read; RFC 7208, section 3.4, advises 450
	maxTerms  = 256
)

// term is one mechanism (RFC 7208, section 4.6.1).
type term struct {
	text         string // as written, printable
	qualifier    byte   // + - ~ ?
	name         string // lower case
	domain       string // lower case, no final dot; "" for the domain itself
	network      netip.Prefix
	bits4, bits6 int
}

// lookup reports whether the mechanism counts against the limit.
func (t term) lookup() bool {
	return slices.Contains([]string{"a", "mx", "include", "exists", "ptr"}, t.name)
}

// parse takes a record apart: its mechanisms, and the domain of its redirect.
func parse(record string) (terms []term, redirect string, err error) {
	if len(record) > maxRecord {
		return nil, "", broken("%d octets", len(record))
	}
	fields := strings.Split(record, " ")
	if !strings.EqualFold(fields[0], "v=spf1") {
		return nil, "", broken("no v=spf1")
	}
	for _, field := range fields[1:] {
		if field == "" {
			continue
		}
		if len(terms) == maxTerms {
			return nil, "", broken("more than %d terms", maxTerms)
		}
		if name, value, ok := modifier(field); ok {
			if name == "redirect" {
				if redirect != "" || value == "" {
					return nil, "", broken("%q is no term of SPF", printable(field))
				}
				redirect = foldName(value)
			}
			continue
		}
		t, ok := parseTerm(field)
		if !ok {
			return nil, "", broken("%q is no term of SPF", printable(field))
		}
		terms = append(terms, t)
	}
	return terms, redirect, nil
}

// modifier takes name=value apart (RFC 7208, section 6).
func modifier(field string) (name, value string, ok bool) {
	i := strings.IndexAny(field, "=:/")
	if i < 1 || field[i] != '=' {
		return "", "", false
	}
	name = strings.ToLower(field[:i])
	for j, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z'
		if !letter && (j == 0 || (c < '0' || c > '9') && !strings.ContainsRune("-_.", rune(c))) {
			return "", "", false
		}
	}
	return name, field[i+1:], true
}

func parseTerm(field string) (t term, ok bool) {
	t = term{text: printable(field), qualifier: '+', bits4: 32, bits6: 128}
	if strings.IndexByte("+-~?", field[0]) >= 0 {
		t.qualifier, field = field[0], field[1:]
	}
	end := strings.IndexAny(field, ":/")
	if end < 0 {
		end = len(field)
	}
	t.name = strings.ToLower(field[:end])
	rest := field[end:]
	switch t.name {
	case "all":
		return t, rest == ""
	case "ip4", "ip6":
		return t, t.parseNetwork(rest)
	case "include", "exists":
		t.domain = foldName(strings.TrimPrefix(rest, ":"))
		return t, strings.HasPrefix(rest, ":") && t.domain != ""
	case "ptr":
		return t, rest == "" || strings.HasPrefix(rest, ":") && len(rest) > 1
	case "a", "mx":
		return t, t.parseHost(rest)
	}
	return t, false
}

// parseNetwork reads ":address" or ":address/bits".
func (t *term) parseNetwork(rest string) bool {
	value, ok := strings.CutPrefix(rest, ":")
	if !ok {
		return false
	}
	text, bits, long := strings.Cut(value, "/")
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" || addr.Is4() != (t.name == "ip4") {
		return false
	}
	n := addr.BitLen()
	if long {
		if n, ok = number(bits, n); !ok {
			return false
		}
	}
	if addr.Is4In6() {
		if n < 96 {
			return false
		}
		addr, n = addr.Unmap(), n-96
	}
	t.network = netip.PrefixFrom(addr, n).Masked()
	return true
}

// parseHost reads "[:domain][/bits4][//bits6]".
func (t *term) parseHost(rest string) bool {
	var ok bool
	if text, bits, long := strings.Cut(rest, "//"); long {
		if t.bits6, ok = number(bits, 128); !ok {
			return false
		}
		rest = text
	}
	// A slash may stand in a macro, too: the last one begins the bits.
	if i := strings.LastIndexByte(rest, '/'); i >= 0 && !strings.Contains(rest[i:], "}") {
		if t.bits4, ok = number(rest[i+1:], 32); !ok {
			return false
		}
		rest = rest[:i]
	}
	if rest == "" {
		return true
	}
	t.domain = foldName(strings.TrimPrefix(rest, ":"))
	return rest[0] == ':' && t.domain != ""
}

// number reads a length of at most limit bits.
func number(s string, limit int) (int, bool) {
	if s == "" || len(s) > 3 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n <= limit
}

func foldName(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }

// printable makes text of others fit to be shown.
func printable(s string) string {
	s = strings.Map(func(c rune) rune {
		if c <= ' ' || c > '~' {
			return '?'
		}
		return c
	}, s)
	if len(s) > 100 {
		s = s[:100] + "..."
	}
	return s
}
