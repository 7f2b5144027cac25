package dkim

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// A tag of a list "name=value; ...", its value without white space around it.
type tag struct {
	name, value string
	from, to    int // where, in the list, the value lies, with that white space
}

type tags []tag

// fws are the octets of folding white space (RFC 6376, section 2.8).
const fws = " \t\r\n"

// parseTags reads a list of tags (RFC 6376, section 3.2). With an error it gives
// the tags before the mistake.
func parseTags(s string) (list tags, err error) {
	for at := 0; ; {
		n := strings.IndexByte(s[at:], ';')
		last := n < 0
		if last {
			n = len(s) - at
		}
		spec := s[at : at+n]
		if last && len(list) > 0 && strings.Trim(spec, fws) == "" {
			return list, nil // the last semicolon may end the list
		}
		name, value, ok := strings.Cut(spec, "=")
		t := tag{strings.Trim(name, fws), strings.Trim(value, fws), at + len(name) + 1, at + n}
		if err := list.check(t, ok); err != nil {
			return list, err
		}
		list = append(list, t)
		if last {
			return list, nil
		}
		at += n + 1
	}
}

// check says what is wrong with the next tag.
func (list tags) check(t tag, equals bool) error {
	_, again := list.get(t.name)
	switch {
	case !equals:
		return fmt.Errorf("%q is no tag", shorten(t.name))
	case !isTagName(t.name):
		return fmt.Errorf("%q is no name of a tag", shorten(t.name))
	case again:
		return fmt.Errorf("%s= comes twice", shorten(t.name))
	case len(list) == maxTags:
		return errors.New("too many tags")
	case strings.ContainsFunc(t.value, isNoValue):
		return fmt.Errorf("the value of %s= holds what no value may", shorten(t.name))
	}
	return nil
}

// get gives the value of a tag; names are case-sensitive.
func (list tags) get(name string) (string, bool) {
	for _, t := range list {
		if t.name == name {
			return t.value, true
		}
	}
	return "", false
}

// or gives the value of a tag, or what its absence means.
func (list tags) or(name, absent string) string {
	if v, ok := list.get(name); ok {
		return v
	}
	return absent
}

func isTagName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && (i == 0 || !isDigit(c) && c != '_') {
			return false
		}
	}
	return s != ""
}

// isNoValue: neither VALCHAR nor FWS nor, for the sake of RFC 8616, section 5,
// beyond ASCII.
func isNoValue(r rune) bool {
	return r < ' ' && !strings.ContainsRune(fws, r) || r == ';' || r == 0x7f
}

// splitList reads a list whose items colons separate, in lower case.
func splitList(s string) []string {
	list := strings.Split(strings.ToLower(s), ":")
	for i := range list {
		list[i] = strings.Trim(list[i], fws)
	}
	return list
}

// decode64 reads base64 with white space in it (RFC 6376, section 2.10).
func decode64(s string) ([]byte, error) {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune(fws, r) {
			return -1
		}
		return r
	}, s)
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, errors.New("no base64")
	}
	return b, nil
}

// isDomain reports whether s is a name of the DNS as signatures have them, of
// letters, digits, hyphens and underscores.
func isDomain(s string) bool {
	if len(s) > maxName {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, isNoLabel) {
			return false
		}
	}
	return true
}

func isNoLabel(r rune) bool {
	return r > 'z' || !isLetter(byte(r)) && !isDigit(byte(r)) && r != '-' && r != '_'
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// within reports whether name is the domain or lies below it.
func within(name, domain string) bool {
	return name == domain || strings.HasSuffix(name, "."+domain)
}

// shorten keeps what others wrote from filling a log.
func shorten(s string) string {
	if len(s) > 60 {
		return s[:60] + "..."
	}
	return s
}
