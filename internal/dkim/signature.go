package dkim

import (
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A signature is a DKIM-Signature field, read (RFC 6376, section 3.5).
type signature struct {
	algorithm string // "rsa" or "ed25519"; the hash is SHA-256
	relaxed   bool
	domain    string // lower case
	selector  string // lower case
	identity  string
	names     []string // h=, lower case
	bodyHash  []byte
	signed    []byte    // b=
	expires   time.Time // zero: never
	unsigned  field     // the field with b= emptied
}

// parseSignature reads the field. With an error, a *refusal, it still has the
// domain, if that could be read.
func parseSignature(f field) (signature, error) {
	if len(f.raw) > maxSignature {
		return signature{}, refuse(Malformed, "longer than %d octets", maxSignature)
	}
	list, err := parseTags(string(f.raw[f.value:]))
	s := signature{domain: strings.ToLower(list.or("d", ""))}
	if !isDomain(s.domain) {
		s.domain = ""
	}
	if err != nil {
		return s, refuse(Malformed, "%v", err)
	}
	for _, read := range []func(tags) error{s.readVersion, s.readNames, s.readHeaders, s.readMethods, s.readTimes, s.readValues} {
		if err := read(list); err != nil {
			return s, err
		}
	}
	s.unsigned = withoutValue(f, list)
	return s, nil
}

func (s *signature) readVersion(list tags) error {
	if v, _ := list.get("v"); v != "1" {
		return refuse(Malformed, "v=%q", shorten(v))
	}
	for _, name := range []string{"a", "b", "bh", "d", "h", "s"} {
		if v, _ := list.get(name); v == "" {
			return refuse(Malformed, "no %s=", name)
		}
	}
	return nil
}

// readNames reads d=, s= and i=.
func (s *signature) readNames(list tags) error {
	if s.domain == "" {
		return refuse(Malformed, "d= is no domain")
	}
	s.selector = strings.ToLower(list.or("s", ""))
	if !isDomain(s.selector) || !isDomain(keyName(s.selector, s.domain)) {
		return refuse(Malformed, "s= is no selector")
	}
	s.identity = list.or("i", "@"+s.domain)
	at := strings.LastIndexByte(s.identity, '@')
	if at < 0 || !within(strings.ToLower(s.identity[at+1:]), s.domain) {
		return refuse(Malformed, "i= is not within d=")
	}
	return nil
}

func (s *signature) readHeaders(list tags) error {
	s.names = splitList(list.or("h", ""))
	if len(s.names) > maxNames {
		return refuse(Malformed, "h= names more than %d fields", maxNames)
	}
	for _, name := range s.names {
		if !isFieldName(name) {
			return refuse(Malformed, "h= holds %q", shorten(name))
		}
	}
	// RFC 6376, section 5.4.
	if !slices.Contains(s.names, "from") {
		return refuse(Malformed, "h= leaves out From")
	}
	return nil
}

// readMethods reads a=, c=, q= and l=.
func (s *signature) readMethods(list tags) error {
	var ok bool
	switch a := list.or("a", ""); strings.ToLower(a) {
	case "rsa-sha256":
		s.algorithm = "rsa"
	case "ed25519-sha256": // RFC 8463, section 3
		s.algorithm = "ed25519"
	default: // with rsa-sha1: RFC 8301, section 3.1
		return refuse(Unsupported, "a=%q", shorten(a))
	}
	c := strings.ToLower(list.or("c", "simple"))
	header, body, two := strings.Cut(c, "/")
	if s.relaxed, ok = isRelaxed(header); !ok {
		return refuse(Unsupported, "c=%q", shorten(c))
	}
	if _, ok := isRelaxed(body); two && !ok {
		return refuse(Unsupported, "c=%q", shorten(c))
	}
	if q := splitList(list.or("q", "dns/txt")); !slices.Contains(q, "dns/txt") {
		return refuse(Unsupported, "q=%q", shorten(strings.Join(q, ":")))
	}
	if l, ok := list.get("l"); ok && !isNumber(l, 76) {
		return refuse(Malformed, "l= is no number")
	}
	return nil
}

func isRelaxed(c string) (relaxed, ok bool) {
	return c == "relaxed", c == "relaxed" || c == "simple"
}

// readTimes reads t= and x=.
func (s *signature) readTimes(list tags) error {
	var at [2]int64
	for i, name := range []string{"t", "x"} {
		v, ok := list.get(name)
		if !ok {
			continue
		}
		if !isNumber(v, 12) {
			return refuse(Malformed, "%s= is no time", name)
		}
		at[i], _ = strconv.ParseInt(v, 10, 64)
		if name == "x" {
			s.expires = time.Unix(at[i], 0)
		}
	}
	if _, ok := list.get("t"); ok && !s.expires.IsZero() && at[1] <= at[0] {
		return refuse(Malformed, "x= is not after t=")
	}
	return nil
}

func isNumber(s string, digits int) bool {
	return s != "" && len(s) <= digits && strings.Trim(s, "0123456789") == ""
}

// readValues reads b= and bh=.
func (s *signature) readValues(list tags) (err error) {
	if s.signed, err = decode64(list.or("b", "")); err != nil {
		return refuse(Malformed, "b= is %v", err)
	}
	if s.bodyHash, err = decode64(list.or("bh", "")); err != nil || len(s.bodyHash) != sha256.Size {
		return refuse(Malformed, "bh= is no hash")
	}
	return nil
}

// withoutValue takes the value of b= out, with the white space around it (RFC
// 6376, sections 3.5 and 3.7).
func withoutValue(f field, list tags) field {
	for _, t := range list {
		if t.name == "b" {
			raw := slices.Concat(f.raw[:f.value+t.from], f.raw[f.value+t.to:])
			return field{f.name, raw, f.value}
		}
	}
	return f
}
