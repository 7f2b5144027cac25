package classify

import "slices"

// How far down a notice its sentences are read, in folded bytes: of a machine's
// and of what a person may have sent.
const (
	maxRead       = 6 << 10
	maxReadPerson = 2 << 10
)

// readSentences notes what the sentences of the notice say, if that matters.
func (m *message) readSentences() {
	if m.fromDaemon() {
		return
	}
	limit := maxReadPerson
	if m.facts.score(speaksMachine, speaksDaemon) >= 2 {
		limit = maxRead
	}
	text := m.text[:min(len(m.text), limit)]
	if m.facts.machine() < 2 {
		text = beforeHeader(text)
	}
	m.hear("text", text)
}

// beforeHeader returns what stands in text, which is folded, above a line that
// belongs to a header: from there on people show somebody else's words.
func beforeHeader(text []byte) []byte {
	lines := lineReader{data: text}
	for {
		start := lines.pos
		line, ok := lines.next()
		if !ok {
			return text
		}
		if start > 0 && beginsHeader(line) {
			return text[:start]
		}
	}
}

// fromDaemon reports whether a mail system itself wrote this, or speaks in it:
// its notices say of messages what replies and challenges do.
func (m *message) fromDaemon() bool {
	f := &m.facts
	return f.score(speaksDaemon) > 0 || f.class(Bounce) >= 2 || f.score(speaksDelay) >= 2 || f.reportType != "" || m.status.isReport()
}

// repliesInWords reports whether what the notice says is what automatic replies
// say. The less the header shows of a machine the more it takes.
func (m *message) repliesInWords() bool {
	f := &m.facts
	count, weight := m.told(string(AutoReply))
	switch {
	case count == 0 || f.score(speaksPerson) > 1 || f.list && !f.null || m.fromDaemon():
		return false
	case f.null && (f.answer || m.repliesTo()):
		return true
	case f.null:
		return count >= 2 && weight >= 3 && (m.isOurs() || f.score(speaksGoods) == 0 && m.isAway())
	case f.machine() >= 2:
		return weight >= 2
	case f.answer:
		return m.answersInWords(count)
	}
	return m.isOurs() && !m.heard(speaksGoods, "goods") && m.noticesInWords(count, weight)
}

// isOurs reports whether the notice speaks of the message that it answers, or
// says itself that it is automatic.
func (m *message) isOurs() bool {
	return m.says(string(AutoReply), "received", "soon", "later") || m.heard(string(AutoReply), "robot")
}

// isAway reports whether the notice says that its writer is away, and what that
// means for who wrote to him.
func (m *message) isAway() bool {
	return m.says(string(AutoReply), "away", "unread") && m.says(string(AutoReply), "back", "instead", "unread")
}

// noticesInWords is repliesInWords for what has a subject of its own.
func (m *message) noticesInWords(count, weight int) bool {
	switch {
	case m.facts.machine() == 1:
		return weight >= 4 && (m.says(string(AutoReply), "received", "thanks") || m.heard(string(AutoReply), "robot"))
	case m.repliesTo():
		return count >= 2 && weight >= 3
	case weight < 4 || m.says(speaksPerson, "announcement", "mine"):
		return false
	case m.heard(string(AutoReply), "received"):
		return true
	case m.heard(string(AutoReply), "thanks", "soon", "ticket", "robot"):
		return count >= 3
	}
	return count >= 3 && m.says(string(AutoReply), "later", "unread") // people tell that they will be away, too
}

// answersInWords is repliesInWords for answers, which people and ticket systems
// send more than machines.
func (m *message) answersInWords(count int) bool {
	return m.facts.machine() == 1 && count >= 3 && (m.isAway() || m.says(string(AutoReply), "received") && m.says(string(AutoReply), "robot"))
}

// challengesInWords reports whether the notice wants its reader to prove
// something, so that a message that is held goes on to somebody who does not
// know him yet.
func (m *message) challengesInWords() bool {
	f := &m.facts
	count, weight := m.told(string(Challenge))
	switch {
	case !m.says(string(Challenge), "prove") || m.fromDaemon() || f.score(speaksPerson) > 1:
		return false
	case f.list && !f.null && f.stated[speaker(string(Challenge))] == 0:
		return false
	case f.null || f.machine() >= 2:
		return count >= 3 && m.says(string(Challenge), "stranger", "held", "released") && m.says(string(Challenge), "stranger", "human", "once", "condition")
	case !m.says(string(Challenge), "stranger", "human"):
		return false
	case f.class(Challenge) > 0:
		return count >= 3 && m.says(string(Challenge), "stranger", "held", "released")
	}
	return count >= 4 && weight >= 6 && m.says(string(Challenge), "held", "released")
}

// heard reports whether the subject holds one of the concepts of a class named.
func (s *Scanner) heard(class string, names ...string) bool {
	return slices.ContainsFunc(s.facts.said, func(h said) bool {
		r := &s.rules.rules[h.rule]
		return h.where == "subject" && r.Speaks == class && slices.Contains(names, r.Software)
	})
}
