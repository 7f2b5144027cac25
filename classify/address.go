package classify

import "strings"

// addressOf returns the first address in a value such as
// `Name <user@example.com>`, "rfc822; user@example.com" or
// "user@example.com (Name)", without angle brackets; "" if there is none.
func addressOf(value string) string {
	if _, after, ok := cutType(value); ok {
		value = after
	}
	if i := strings.LastIndexByte(value, '<'); i >= 0 {
		if a, _, ok := strings.Cut(value[i+1:], ">"); ok {
			return strings.TrimPrefix(strings.TrimSpace(a), "mailto:")
		}
	}
	for token := range strings.FieldsFuncSeq(value, endsAddress) {
		if token = strings.Trim(token, ".:'\""); isAddress(token) {
			return token
		}
	}
	return ""
}

// endsAddress reports whether r stands between addresses rather than in them.
func endsAddress(r rune) bool {
	return r <= ' ' || strings.ContainsRune("<>()[],;\"", r)
}

// isAddress reports whether s is made like an address; whether it could be
// delivered to is not asked.
func isAddress(s string) bool {
	at := strings.LastIndexByte(s, '@')
	return at > 0 && at < len(s)-1 && len(s) <= 320 && !strings.ContainsAny(s, " \t<>,;()")
}

// cutType splits a value such as "rfc822; user@example.com" (RFC 3464, section
// 2.1.2) at its semicolon.
func cutType(value string) (kind, rest string, ok bool) {
	kind, rest, ok = strings.Cut(value, ";")
	kind = strings.TrimSpace(kind)
	if !ok || kind == "" || len(kind) > 20 || strings.ContainsAny(kind, "@<> ") {
		return "", value, false
	}
	return kind, strings.TrimSpace(rest), true
}

// localPart returns what stands before the @ of an address, in lower case.
func localPart(address string) string {
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		address = address[:i]
	}
	return strings.ToLower(address)
}

// messageIDs returns the message-ids of a value (RFC 5322, section 3.6.4), at
// most limit, with their angle brackets.
func messageIDs(value string, limit int) []string {
	var ids []string
	for len(ids) < limit {
		start := strings.IndexByte(value, '<')
		if start < 0 {
			break
		}
		end := strings.IndexByte(value[start:], '>')
		if end < 0 {
			break
		}
		id := strings.Join(strings.Fields(value[start:start+end+1]), "")
		if len(id) > 2 && len(id) < 1000 {
			ids = append(ids, id)
		}
		value = value[start+end+1:]
	}
	return ids
}

// answered returns the message-ids of an In-Reply-To. Where none stands in angle
// brackets and the value is a single word, that is one without.
func answered(value string) []string {
	if ids := messageIDs(value, 20); len(ids) > 0 {
		return ids
	}
	if id := messageID(value); strings.Contains(id, "@") {
		return []string{id}
	}
	return nil
}

// latest returns the end of a list that is too long: what is answered stands last.
func latest(list []string, limit int) []string { return list[max(0, len(list)-limit):] }

// messageID returns the first message-id of a value; one without its angle
// brackets is given them.
func messageID(value string) string {
	if ids := messageIDs(value, 1); len(ids) > 0 {
		return ids[0]
	}
	value = strings.Trim(unfold(value), "<> \t")
	if value == "" || strings.ContainsAny(value, " \t<>") || len(value) > 998 {
		return ""
	}
	return "<" + value + ">"
}
