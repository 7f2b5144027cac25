package classify

import "strings"

// weighBounce adds what speaks for a bounce besides phrases.
func (m *message) weighBounce() {
	f := &m.facts
	if m.back && m.mayReturn() {
		f.add(string(Bounce), 3)
		f.note("original", "returned to its author")
	}
	if f.machine() < 2 {
		return
	}
	if f.media == "multipart/report" && (f.reportType == "delivery-status" || f.reportType == "") {
		f.add(string(Bounce), 2)
	}
	if looksLikeReport(m.raw) {
		f.add(string(Bounce), 3)
		f.note("structure", "delivery-status in the text")
	}
	m.weighOriginal()
	if !m.weighReply() && f.score(speaksDaemon) >= 2 && f.onlyBounce() {
		m.weighRecipient()
	}
}

// mayReturn reports whether nothing but a bounce is known to bring an original
// back: automatic replies do so, too.
func (m *message) mayReturn() bool {
	return m.facts.class(AutoReply) == 0 || m.facts.score(speaksDaemon) >= 2
}

// weighReply takes an SMTP reply in the notice for a hint, and for more if it is
// about somebody: that it reports.
func (m *message) weighReply() bool {
	answer := m.serverAnswer()
	if answer == "" {
		return false
	}
	f := &m.facts
	f.add(string(Bounce), 1)
	f.note("smtp-reply", answer)
	address := m.namesRecipient()
	if address == "" || !m.mayReturn() || !m.refused() {
		return false
	}
	f.add(string(Bounce), 2)
	f.note("recipient", address)
	return true
}

// weighOriginal takes an original for a sign, by who sends it.
func (m *message) weighOriginal() {
	f, o := &m.facts, &m.result.Original
	if (o.Extent == Full || o.Extent == Headers) && f.score(speaksDaemon) > 0 {
		f.add(string(Bounce), 1)
		f.note("original", o.Where)
	}
	if o.Where == InPart && f.null && f.class(AutoReply) == 0 {
		f.add(string(Bounce), 2)
		f.note("original", InPart)
	}
	if !m.back && m.mayReturn() && m.namesOwn() {
		f.add(string(Bounce), 2)
		f.note("original", o.MessageID)
	}
}

// weighRecipient takes it for a hint that the notice of a mail system names
// somebody else's address.
func (m *message) weighRecipient() {
	if address := m.namesRecipient(); address != "" {
		m.facts.add(string(Bounce), 1)
		m.facts.note("recipient", address)
	}
}

// namesRecipient returns an address in the notice that is neither who it went to
// nor who sent it, or "".
func (m *message) namesRecipient() string {
	if m.named == nil {
		address := m.findRecipient()
		m.named = &address
	}
	return *m.named
}

func (m *message) findRecipient() string {
	to := m.reader()
	from := addressOf(decodeValue(m.header.first("From"), ""))
	for _, r := range recipientsOf(m.raw[:min(len(m.raw), maxNotice)], m.header, to) {
		if to != "" && !strings.EqualFold(r.Final, from) {
			return r.Final
		}
	}
	return ""
}

// isAbout reports whether the notice shows what it is about: an original, a
// recipient, or what a server answered. Spam that looks like a bounce, and
// notices of shops, do not.
func (m *message) isAbout() bool {
	return m.result.Original.Extent != None || m.namesRecipient() != "" || m.serverAnswer() != ""
}

// isAboutGoods reports whether a notice of no mail system tells of goods, and of
// no message.
func (m *message) isAboutGoods() bool {
	return m.facts.score(speaksGoods) > 0 && m.facts.score(speaksDaemon) == 0 && m.result.Original.Extent == None && !m.refused()
}

// serverAnswer returns what an SMTP server said, by the notice as it is read.
func (m *message) serverAnswer() string {
	return serverAnswer(m.raw[:min(len(m.raw), maxNotice)])
}

// isBounce reports whether so many points make a bounce, given who sent it.
func (m *message) isBounce(points int) bool {
	f := &m.facts
	switch {
	case f.score(speaksPerson) > 0 || m.isAboutGoods() || m.poses():
		return false
	case f.fromList():
		return points >= 7 && m.bounceProven() && !f.answer && (f.machine() > 0 || m.isAbout())
	case f.poster:
		return points >= 3 && m.isAbout()
	case f.ofDaemon():
		return true // whatever it says, and in whatever language
	case f.null || f.machine() >= 2:
		return m.isMachineBounce(points)
	}
	return m.isPlainBounce(points)
}

// isMachineBounce is isBounce for what no person seems to have sent.
func (m *message) isMachineBounce(points int) bool {
	f := &m.facts
	switch {
	case f.machine() >= 4:
		return points >= 1
	case f.null:
		return points >= 3 || points == 2 && f.score(speaksDaemon) > 0
	case f.answer: // postmasters answer, too
		return points >= 3 && m.isAbout()
	}
	return points >= 3 && (f.score(speaksDaemon) >= proof || m.bounceProven() || m.isAbout())
}

// isPlainBounce is isBounce for what a person may have sent.
func (m *message) isPlainBounce(points int) bool {
	need := 6
	switch {
	case m.facts.answer:
		need = 8
	case m.facts.score(speaksDaemon) > 0:
		need = 4
	}
	if m.facts.score(speaksGoods) > 0 {
		return false
	}
	if m.facts.titled() >= 2 && m.back {
		return true // in whatever language
	}
	if m.facts.titled() >= proof && m.result.Original.Extent == Full && !hasText(m.raw) {
		return true // a subject, and below it nothing but the original
	}
	return points >= need && m.bounceProven() && m.isAbout()
}

// bounceProven reports whether the words of the notice prove a bounce: a subject
// is soon quoted.
func (m *message) bounceProven() bool {
	return m.facts.proven(string(Bounce)) || m.facts.proven(speaksDelay)
}
