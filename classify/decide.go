package classify

import (
	"bytes"
	"strings"
)

// classify says what the message is: by its structure where there is one, by
// what speaks for each class otherwise.
func (m *message) classify() Class {
	if m.facts.site != "" {
		return m.facts.site
	}
	for _, look := range []func() Class{m.byReport, m.byCalendar, m.byReceipt, m.byChallenge, m.byStatus, m.byWords} {
		if c := look(); c != "" {
			return c
		}
	}
	if m.facts.class(List) > 0 {
		return List
	}
	return Ordinary
}

// byReport knows abuse reports (RFC 5965), DMARC's (RFC 7489, section 7.2, and
// RFC 6591) and TLS-RPT's (RFC 8460, section 5.3).
func (m *message) byReport() Class {
	switch m.facts.reportType {
	case "feedback-report", "tlsrpt":
		return Report
	}
	for i := range m.parts {
		p := &m.parts[i]
		name := strings.ToLower(p.fileName())
		switch {
		case p.media == "message/feedback-report", strings.HasPrefix(p.media, "application/tlsrpt"):
			m.facts.note("structure", p.media)
			return Report
		case strings.Count(name, "!") >= 3 && hasAnySuffix(name, ".xml", ".xml.gz", ".zip", ".gz", ".json", ".json.gz"):
			m.facts.note("structure", name)
			return Report
		}
	}
	if f := &m.facts; f.class(Report) >= 4 && !f.list || f.class(Report) >= 6 || f.class(Report) >= 2 && f.machine() >= 2 && f.score(speaksDaemon) == 0 {
		return Report
	}
	return ""
}

func hasAnySuffix(s string, suffixes ...string) bool {
	for _, suffix := range suffixes {
		if strings.HasSuffix(s, suffix) {
			return true
		}
	}
	return false
}

// byCalendar knows answers to invitations (RFC 5546, section 3.2.3 and 3.2.7;
// RFC 6047, section 2.4).
func (m *message) byCalendar() Class {
	for i := range m.parts {
		p := &m.parts[i]
		if p.media != "text/calendar" && p.media != "application/ics" && !strings.HasSuffix(strings.ToLower(p.fileName()), ".ics") {
			continue
		}
		method := strings.ToUpper(parameter(p.header.first("Content-Type"), "method"))
		if method == "" {
			method = calendarMethod(p.decoded())
		}
		switch method {
		case "REPLY", "COUNTER", "DECLINECOUNTER", "REFRESH":
			m.facts.note("structure", "text/calendar; method="+method)
			return Calendar
		}
	}
	if m.facts.class(Calendar) >= 4 {
		return Calendar
	}
	return ""
}

func calendarMethod(text []byte) string {
	lines := lineReader{data: text}
	for range 50 {
		line, ok := lines.next()
		if !ok {
			return ""
		}
		if hasPrefixFold(line, "METHOD:") {
			return strings.ToUpper(string(bytes.TrimSpace(line[7:])))
		}
	}
	return ""
}

// byReceipt knows message disposition notifications (RFC 8098) and the words of
// their forerunners.
func (m *message) byReceipt() Class {
	if m.facts.reportType == "disposition-notification" {
		m.readDisposition()
		return Receipt
	}
	for i := range m.parts {
		if strings.HasPrefix(m.parts[i].media, "message/disposition-notification") || m.parts[i].media == "message/global-disposition-notification" {
			if m.facts.machine() > 0 || m.facts.class(Receipt) > 0 {
				m.readDisposition()
				return Receipt
			}
		}
	}
	if m.facts.class(Receipt) >= 4 && !m.facts.list {
		return Receipt
	}
	return ""
}

// readDisposition takes from an MDN what it says of the original.
func (m *message) readDisposition() {
	m.facts.note("structure", "disposition-notification")
	for i := range m.parts {
		if p := &m.parts[i]; strings.Contains(p.media, "disposition-notification") {
			m.status = parseDeliveryStatus(p.decoded())
		}
	}
}

// byChallenge knows requests to prove that one is human. Accounts and lists ask
// for confirmation too: without a machine's sender it takes more.
func (m *message) byChallenge() Class {
	f := &m.facts
	points := f.class(Challenge)
	switch {
	case m.challengesInWords():
		return Challenge
	case f.list && !f.null:
		return ""
	case points >= 6 && f.proofs[speaker(string(Challenge))] > 0 && f.score(speaksGoods) == 0,
		points >= 4 && (f.machine() >= 2 || f.stated[speaker(string(Challenge))] > 0):
		return Challenge
	}
	return ""
}

// byStatus knows delivery reports (RFC 3464, RFC 6533) by their report.
func (m *message) byStatus() Class {
	if !m.status.isReport() {
		return ""
	}
	if m.facts.media != "multipart/report" && m.facts.machine() < 1 && m.facts.class(Bounce) < 2 {
		return ""
	}
	m.facts.note("structure", "delivery-status")
	return DSN
}

// byWords weighs what the words of header and notice speak for.
func (m *message) byWords() Class {
	f := &m.facts
	spoken := f.score(string(Bounce), speaksDelay)
	m.weighBounce()
	bounce := f.score(string(Bounce), speaksDelay)
	auto, virus := f.class(AutoReply), f.class(VirusNotice)
	switch {
	case m.isVirusNotice(virus) && virus > spoken && virus >= auto:
		return VirusNotice
	case m.isBounce(bounce) && (bounce > auto || f.score(speaksDaemon) >= 2) && bounce >= f.class(Receipt):
		return Bounce
	case m.isAutoReply(auto) || m.repliesInWords():
		return AutoReply
	case f.class(Challenge) >= 2 && f.machine() >= 2 && !f.list && !f.answer:
		return Challenge
	case f.class(Receipt) >= 2 && f.machine() >= 2:
		return Receipt
	case m.isBounce(bounce):
		return Bounce
	}
	return ""
}

// isVirusNotice reports whether so many points make a virus notice: people warn
// each other of viruses too.
func (m *message) isVirusNotice(points int) bool {
	f := &m.facts
	switch {
	case f.machine() >= 2:
		return points >= 2
	case f.list || f.answer:
		return false
	case f.machine() == 1:
		return points >= 6 && (f.proven(string(VirusNotice)) || m.isAbout())
	}
	return points >= 8
}

// isAutoReply reports whether so many points make an automatic reply.
func (m *message) isAutoReply(points int) bool {
	f := &m.facts
	switch {
	case f.score(speaksPerson) > 0:
		return false
	case f.list && (!f.null || points < 2):
		return points >= 6 && (f.machine() >= 2 || f.proven(string(AutoReply)))
	case f.null && points < 2: // no person answers from the null sender
		return !f.list && m.answers() && f.score(speaksDaemon) == 0 && f.class(Bounce) == 0
	case f.null && f.score(speaksGoods) > 0: // parcels find nobody at home, too
		return m.answers() || f.proofs[speaker(string(AutoReply))] > 0
	case f.machine() >= 2:
		return points >= 2
	case f.machine() == 1 && f.score(speaksGoods) == 0 && m.programReplies(points):
		return true
	case f.answer:
		return f.stated[speaker(string(AutoReply))] > 0
	}
	return f.proofs[speaker(string(AutoReply))] > 0
}

// answers reports whether the message says in any way that it is an answer.
func (m *message) answers() bool { return m.facts.answer || m.repliesTo() }

// programReplies reports whether so many points make an automatic reply of what
// a program may have sent: shops and trackers have programs, too.
func (m *message) programReplies(points int) bool {
	if m.repliesTo() && !m.facts.answer {
		return points >= 3
	}
	return points >= 4 && (m.repliesTo() || !m.facts.answer)
}

// repliesTo reports whether the message says which it is an answer to, as
// automatic replies should (RFC 3834, section 3.1.5).
func (m *message) repliesTo() bool {
	return len(m.result.InReplyTo)+len(m.result.References) > 0
}
