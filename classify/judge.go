package classify

import (
	"bytes"
	"strings"
)

// message is a message whose body has come, on its way to a Result.
type message struct {
	*Scanner
	parts  []part
	notice int    // index of the part with the notice, -1 if there is none
	text   []byte // the notice, folded, without the original
	raw    []byte // the notice, decoded, without the original
	shown  []byte // raw without the tags of HTML
	status deliveryStatus
	result Result
}

// judge classifies a message by its header and body.
func (s *Scanner) judge() Result {
	m := &message{Scanner: s}
	m.parts = split(s.header, s.body)
	m.notice = findNotice(m.parts)
	m.result.Original = Original{Extent: None}
	m.result.InReplyTo = answered(s.header.first("In-Reply-To"))
	m.result.References = latest(messageIDs(s.header.first("References"), 2000), 100)
	m.result.Original = m.takeOriginal()
	m.readNotice()
	m.readStatus()
	m.result.Class = m.classify()
	m.finish()
	return m.result
}

// findNotice returns the index of the part that a reader would read: the first
// with text in it, plain rather than HTML.
func findNotice(parts []part) int {
	page := -1
	for i := range parts {
		p := &parts[i]
		switch {
		case isMessagePart(p.media) && i > 0:
			if page >= 0 {
				return page
			}
		case p.media == "text/html":
			if page < 0 {
				page = i
			}
		case p.header == nil && len(parts) > 1 && i == 0: // preamble
		case p.media == "" || strings.HasPrefix(p.media, "text/") && p.media != "text/calendar":
			if len(bytes.TrimSpace(p.decoded())) > 0 {
				return i
			}
		}
	}
	if page < 0 && len(parts) > 0 && (parts[0].header == nil || len(parts) == 1 && !isForeignMedia(parts[0].media)) {
		return 0
	}
	return page
}

// takeOriginal finds the original, and cuts the notice where it begins.
func (m *message) takeOriginal() Original {
	o, part, at := findOriginal(m.parts, m.notice, m.rules.matchers["separator"])
	if m.notice >= 0 {
		m.raw = m.parts[m.notice].decoded()
		if part == m.notice && at >= 0 && m.parts[m.notice].media != "text/html" {
			m.raw = m.raw[:at]
		}
	}
	return o
}

// maxNotice is how much of a notice is compared with phrases.
const maxNotice = 24 << 10

// readNotice makes the notice ready to be compared with phrases, and compares.
func (m *message) readNotice() {
	if m.notice < 0 {
		return
	}
	p := &m.parts[m.notice]
	m.shown = m.raw[:min(len(m.raw), maxNotice)]
	if p.media == "text/html" {
		m.shown = htmlText(m.raw[:min(len(m.raw), 4*maxNotice)])
	}
	text := toUTF8(p.charset(), m.shown)
	text = dropQuoted(text)
	m.text = fold(nil, text[:min(len(text), maxNotice)])
	if rules := m.rules.matchers["text"]; rules != nil {
		m.count(&m.facts, rules.find(nil, m.text), m.counts)
	}
	m.readSentences()
}

// top is how far from its beginning the text of an ordinary sender is believed
// to be a machine's: people quote machines below words of their own.
const top = 40

// counts reports whether a phrase found in the notice counts.
func (m *message) counts(h hit) bool {
	switch {
	case m.facts.machine() >= 2, m.rules.rules[h.rule].Speaks == speaksGoods:
		return true
	case m.rules.rules[h.rule].Speaks == string(Challenge):
		return m.facts.class(Challenge) > 0 && (h.at < 5*top || h.at < 20*top && !m.facts.answer)
	case m.rules.rules[h.rule].Speaks == string(AutoReply) && m.facts.machine() > 0:
		return h.at < 10*top
	}
	if h.at < 8 || h.at < 20 && m.rules.rules[h.rule].Speaks != string(Bounce) {
		return true
	}
	// A colon announces somebody else's words.
	return h.at < top && m.text[h.at-1] == '\n' && m.text[h.at-2] != ':' && !m.facts.list
}

// dropQuoted returns text without lines quoted with ">": they are somebody
// else's words. Transcripts of SMTP sessions have ">>>".
func dropQuoted(text []byte) []byte {
	if !bytes.Contains(text, []byte("\n>")) {
		return text
	}
	out := make([]byte, 0, len(text))
	lines := lineReader{data: text}
	for {
		start := lines.pos
		line, ok := lines.next()
		if !ok {
			return out
		}
		if bytes.HasPrefix(line, []byte(">")) && !bytes.HasPrefix(line, []byte(">>>")) {
			continue
		}
		out = append(out, text[start:min(lines.pos, len(text))]...)
	}
}

// readStatus reads the reports among the parts.
func (m *message) readStatus() {
	for i := range m.parts {
		p := &m.parts[i]
		named := p.media == "message/delivery-status" || p.media == "message/global-delivery-status"
		if !named && (i == m.notice || p.media == "text/html" || isMessagePart(p.media)) {
			continue
		}
		if !named && (isForeignMedia(p.media) || !looksLikeReport(p.decoded())) {
			continue
		}
		d := parseDeliveryStatus(p.decoded())
		if named || d.isReport() {
			m.status = d
			if m.status.isReport() {
				return
			}
		}
	}
}

// finish fills in what depends on the class.
func (m *message) finish() {
	r := &m.result
	r.Evidence = m.facts.evidence
	if !r.Class.IsNotification() {
		return
	}
	r.ReportingMTA = m.status.reportingMTA
	r.OriginalMessageIDs = m.status.ids
	r.Recipients = m.status.recipients
	switch r.Class {
	case DSN:
		if r.Action = m.status.action(); r.Action == "" {
			r.Action = m.textAction()
		}
	case Bounce:
		if len(r.Recipients) == 0 {
			m.recipientsFromText()
		}
		r.Action = m.textAction()
		for i := range r.Recipients {
			if r.Recipients[i].Action == "" {
				r.Recipients[i].Action = r.Action
			}
		}
	}
}

// recipientsFromText takes from the notice what a report would have said.
func (m *message) recipientsFromText() {
	if looksLikeReport(m.raw) {
		if d := parseDeliveryStatus(m.raw); d.isReport() {
			m.result.Recipients, m.result.ReportingMTA, m.result.OriginalMessageIDs = d.recipients, d.reportingMTA, d.ids
			if a := d.action(); a != "" {
				m.result.Action = a
			}
			return
		}
	}
	m.result.Recipients = recipientsOf(m.raw, m.header, addressOf(decodeValue(m.header.first("To"), "")))
}

// textAction is what became of the original, by what a notice says in words.
func (m *message) textAction() Action {
	if m.facts.score(speaksDelay) > m.facts.class(Bounce) || m.facts.score(speaksDelay) >= 4 {
		return Delayed
	}
	return Failed
}
