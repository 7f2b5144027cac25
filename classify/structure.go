package classify

import (
	"bytes"
	"slices"
	"strings"
)

// returned reports whether what came back was written by whoever the notice went
// to: only what could not be delivered returns to its author, whatever language
// the notice is in.
func (m *message) returned() bool {
	f, o := &m.facts, &m.result.Original
	if f.answer && !f.poster && !f.null && f.score(speaksDaemon) == 0 || o.Extent != Full && o.Extent != Headers {
		return false
	}
	to := m.reader()
	if to == "" || strings.EqualFold(to, addressOf(decodeValue(m.header.first("From"), ""))) {
		return false
	}
	return strings.EqualFold(to, untagged(addressOf(o.From))) || strings.EqualFold(to, untagged(o.ReturnPath))
}

// namesOwn reports whether the notice names a message-id of its reader's site.
func (m *message) namesOwn() bool {
	site := domainOf(strings.Trim(m.result.Original.MessageID, "<>"))
	return site != "" && !m.facts.answer && sameSite(site, domainOf(m.reader()))
}

// reader returns the address that the notice went to, without a tag, or "".
func (m *message) reader() string {
	if to := addressOf(decodeValue(m.header.first("To"), "")); to != "" {
		return untagged(to)
	}
	if e := m.opts.Envelope; e != nil && len(e.Recipients) == 1 {
		return untagged(e.Recipients[0])
	}
	return ""
}

// untagged returns an address without the tag of BATV, as in
// "prvs=0123456789=user@example.com" (draft-levine-smtp-batv, section 3) and
// "user+prvs=0123456789@example.com".
func untagged(address string) string {
	local := localPart(address)
	if rest, ok := strings.CutPrefix(local, "prvs="); ok {
		if tag, _, ok := strings.Cut(rest, "="); ok {
			return address[len("prvs=")+len(tag)+1:]
		}
	}
	if plain, _, ok := strings.Cut(local, "+prvs="); ok {
		return plain + "@" + domainOf(address)
	}
	return address
}

// refused reports whether the notice quotes a server that did not take mail: an
// SMTP reply that has a status with it (RFC 3463), or, from a mail system, whose
// code is one of those for mail. Streets and rooms have numbers, too.
func (m *message) refused() bool {
	text := m.raw[:min(len(m.raw), maxNotice)]
	lines := lineReader{data: text}
	for range maxFailedLines {
		line, ok := lines.next()
		if !ok {
			return false
		}
		at := replyCode(line)
		if at < 0 {
			continue
		}
		if findStatus(string(line[at+4:min(len(line), at+20)])) != "" {
			return true
		}
		before := bytes.TrimRight(line[:at], " \t")
		stands := len(before) == 0 || bytes.IndexByte([]byte(":;([{=\"'>-,"), before[len(before)-1]) >= 0
		if stands && m.facts.score(speaksDaemon) > 0 && slices.Contains(mailReplies, string(line[at:at+3])) {
			return true
		}
	}
	return false
}

// mailReplies are the codes that servers refuse mail with (RFC 5321, section
// 4.2.3).
var mailReplies = []string{"421", "450", "451", "452", "550", "551", "552", "553", "554"}
