package batv

import "strings"

// The tag is a word, ten characters KDDDSSSSSS, and one separator: a "=" after
// it in LayoutPRVS, the recipient delimiter before it in LayoutSubaddress.
const (
	tagWord   = "prvs="
	tagDigits = 10
	tagLength = len(tagWord) + tagDigits + 1 // octets it adds to a local part
)

// tag is a well-formed tag found in an address.
type tag struct {
	layout   Layout
	number   int             // K
	expiry   int             // DDD
	prefix   string          // KDDD as written
	sum      [sumLength]byte // SSSSSS
	from, to int             // where it stands in the address
	bare     mailbox         // the mailbox without it
}

// findTag looks for a tag of either layout in the mailbox. When both are
// there, the one in front is the outer one.
func findTag(m mailbox, delimiter byte) (tag, bool) {
	if len(m.local) <= tagLength {
		return tag{}, false
	}
	start := 0 // of the local part in the address
	if m.quoted {
		start = 1
	}
	if t, ok := parseTag(m.local[:tagLength-1]); ok && m.local[tagLength-1] == '=' {
		t.layout = LayoutPRVS
		t.from, t.to = start, start+tagLength
		t.bare = mailbox{m.local[tagLength:], m.quoted, m.domain}
		return t, true
	}
	cut := len(m.local) - tagLength
	if t, ok := parseTag(m.local[cut+1:]); ok && isDelimiter(m, cut, delimiter) {
		t.layout = LayoutSubaddress
		t.from, t.to = start+cut, start+cut+tagLength
		t.bare = mailbox{m.local[:cut], m.quoted, m.domain}
		return t, true
	}
	return tag{}, false
}

// parseTag reads "prvs=KDDDSSSSSS" in any case.
func parseTag(s string) (tag, bool) {
	if !hasPrefixFold(s, tagWord) {
		return tag{}, false
	}
	s = s[len(tagWord):]
	for i := range 4 {
		if s[i] < '0' || s[i] > '9' {
			return tag{}, false
		}
	}
	t := tag{prefix: s[:4], number: int(s[0] - '0')}
	t.expiry = int(s[1]-'0')*100 + int(s[2]-'0')*10 + int(s[3]-'0')
	for i := range sumLength {
		high, low := hexDigit(s[4+2*i]), hexDigit(s[5+2*i])
		if high > 15 || low > 15 {
			return tag{}, false
		}
		t.sum[i] = high<<4 | low
	}
	return t, true
}

// hexDigit returns the value of c, or 255.
func hexDigit(c byte) byte {
	switch c = lower(c); {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}

// isDelimiter reports whether the local part has a recipient delimiter at i: +
// or -, which most mail systems use, or the configured one. Within quotes the
// delimiter must not be the second half of a quoted-pair.
func isDelimiter(m mailbox, i int, delimiter byte) bool {
	if c := m.local[i]; c != '+' && c != '-' && c != delimiter {
		return false
	}
	if !m.quoted {
		return true
	}
	before := m.local[:i]
	backslashes := len(before) - len(strings.TrimRight(before, `\`))
	return backslashes%2 == 0
}

// isForeign reports whether the local part carries a tag in a form of which
// only the maker can check the hash:
//
//	btv1==DDDHHHHHHHH==local   Barracuda
//	msprvs1=DDDDDHHHHHHHH=local  SparkPost (letters and digits)
//	prvs=local=TTTTTTTTTT      Cisco, the tag of ten letters and digits behind
func isForeign(local string) bool {
	if hasPrefixFold(local, "btv1==") {
		value, rest, _ := strings.Cut(local[len("btv1=="):], "==")
		return isToken(value) && rest != ""
	}
	if hasPrefixFold(local, "msprvs1=") {
		value, rest, _ := strings.Cut(local[len("msprvs1="):], "=")
		return isToken(value) && rest != ""
	}
	if hasPrefixFold(local, tagWord) {
		rest := local[len(tagWord):]
		i := strings.LastIndexByte(rest, '=')
		return i > 0 && len(rest)-i-1 == tagDigits && isToken(rest[i+1:])
	}
	return false
}

// isTagged reports whether the mailbox carries a tag of any known kind, or at
// least begins like one: a second tag on top would help nobody.
func isTagged(m mailbox, delimiter byte) bool {
	for _, word := range [...]string{tagWord, "btv1=", "msprvs1="} {
		if hasPrefixFold(m.local, word) {
			return true
		}
	}
	_, ok := findTag(m, delimiter)
	return ok
}

// isRewritten reports whether the local part was made by the Sender Rewriting
// Scheme, whose separator may be =, + or -.
func isRewritten(local string) bool {
	if !hasPrefixFold(local, "SRS0") && !hasPrefixFold(local, "SRS1") {
		return false
	}
	return len(local) > 4 && strings.IndexByte("=+-", local[4]) >= 0
}

func isToken(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) {
			return false
		}
	}
	return s != ""
}

// hasPrefixFold is strings.HasPrefix without regard to the case of ASCII
// letters.
func hasPrefixFold(s, prefix string) bool {
	if len(s) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if lower(s[i]) != lower(prefix[i]) {
			return false
		}
	}
	return true
}
