package main

import (
	"net/netip"
	"strings"
)

// clientIn finds the address of the client that a Received field names (RFC 5321,
// section 4.4), or none. The name that follows "from" is the client's own word,
// whatever it looks like: the address that the MTA has seen stands in a comment
// as "(name [192.0.2.1])", of Postfix, Sendmail and most others, or as
// "([192.0.2.1]:25 helo=name)" of Exim, else as "(192.0.2.1)" of Exchange or
// "(HELO name) (ident@192.0.2.1)" of qmail. Where there is neither, Exim and
// CommuniGate have put it into the place of the name: "[192.0.2.1] (helo=name)".
func clientIn(received string) netip.Addr {
	name, comments := fromClause(received)
	for _, c := range comments {
		before := ""
		for _, word := range c {
			if strings.HasPrefix(word, "[") && !strings.EqualFold(before, "HELO") && !strings.EqualFold(before, "EHLO") {
				return literal(word)
			}
			before = word
		}
	}
	for _, c := range comments {
		if len(c) == 1 {
			if a := address(c[0][strings.LastIndexByte(c[0], '@')+1:]); a.IsValid() {
				return a
			}
		}
	}
	return literal(name)
}

// fromClause takes apart what a Received field says of the client: its name, and
// the words of each comment. Bare words after the name count as comments.
func fromClause(received string) (name string, comments [][]string) {
	const blank = " \t\r\n"
	rest := strings.TrimLeft(received, blank)
	word, rest := cutAt(rest, strings.IndexAny(rest, blank))
	if !strings.EqualFold(word, "from") {
		return "", nil
	}
	for {
		rest = strings.TrimLeft(rest, blank)
		switch {
		case rest == "" || rest[0] == ';':
			return name, comments
		case rest[0] == '(':
			word, rest = cutAt(rest, commentEnd(rest))
			comments = append(comments, strings.FieldsFunc(word, func(r rune) bool { return strings.ContainsRune(blank+"()", r) }))
			continue
		}
		word, rest = cutAt(rest, strings.IndexAny(rest, blank+"(;"))
		switch {
		case name == "":
			name = word
		case strings.EqualFold(word, "by"):
			return name, comments
		default:
			comments = append(comments, []string{word})
		}
	}
}

// cutAt cuts s at a place; there is none if it is negative.
func cutAt(s string, at int) (before, after string) {
	if at < 0 {
		return s, ""
	}
	return s[:at], s[at:]
}

// commentEnd is where the comment that s begins with has ended, comments in it
// included; negative where it has no end.
func commentEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// literal reads an address in brackets, after which a port may stand.
func literal(s string) netip.Addr {
	inside, ok := strings.CutPrefix(s, "[")
	if !ok {
		return netip.Addr{}
	}
	inside, _, _ = strings.Cut(inside, "]")
	return address(inside)
}

// address reads an address as it is, or as RFC 5321, section 4.1.3, writes those
// of IPv6.
func address(s string) netip.Addr {
	const tag = "IPv6:"
	if len(s) > len(tag) && strings.EqualFold(s[:len(tag)], tag) {
		s = s[len(tag):]
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return a.WithZone("").Unmap()
}
