package classify

import (
	"slices"
	"strings"
)

// scores are the weights of what spoke, by speaker.
type scores [16]int

// speaker returns the index of a speaker in scores.
func speaker(name string) int { return slices.Index(speakers, name) }

// facts are what the header of a message tells.
type facts struct {
	hint       Hint
	site       Class // what a rule of the site's own says
	null       bool  // null sender
	unknown    bool  // nothing tells the sender
	list       bool  // list mail
	answer     bool  // a reply or a forwarded message, by its subject
	reportType string
	media      string
	scores     scores
	proofs     scores // how many proofs spoke, by speaker
	stated     scores // those of them that stand in the header
	said       []said // what sentences say
	evidence   []Evidence
}

// note adds a piece of evidence.
func (f *facts) note(signal, value string) {
	if len(f.evidence) < 60 {
		f.evidence = append(f.evidence, Evidence{signal, excerpt([]byte(value))})
	}
}

// score returns what spoke for all the names given.
func (f *facts) score(names ...string) int {
	n := 0
	for _, name := range names {
		n += f.scores[speaker(name)]
	}
	return n
}

func (f *facts) class(c Class) int { return f.scores[speaker(string(c))] }

func (f *facts) add(name string, points int) { f.scores[speaker(name)] += points }

// machine is how surely no person sent this. Newsletters and notices of all
// kinds come from programs: that counts for little.
func (f *facts) machine() int {
	n := f.score(speaksMachine, speaksDaemon) + min(f.score(speaksProgram), 1)
	if f.null {
		n += 2
	}
	return n
}

// proven reports whether the words of the notice prove what a speaker says.
func (f *facts) proven(name string) bool {
	return f.proofs[speaker(name)] > f.stated[speaker(name)]
}

// ofDaemon reports whether a mail system itself says that it sent this.
func (f *facts) ofDaemon() bool {
	return f.score(speaksDaemon) >= proof && (f.null || f.unknown) && !f.list
}

// quiet reports whether nothing has spoken for any class.
func (f *facts) quiet() bool {
	return f.topic() == 0 && f.class(List) == 0 && f.score(speaksPerson, speaksGoods) == 0
}

// topic is the most that speaks for one class of notification.
func (f *facts) topic() int {
	n := f.score(speaksDelay)
	for _, c := range []Class{Bounce, AutoReply, Challenge, Receipt, Report, Calendar, VirusNotice} {
		n = max(n, f.class(c))
	}
	return n
}

// gather collects what the header tells.
func (s *Scanner) gather() {
	f := &s.facts
	f.null, f.media = s.nullSender(), mediaType(s.header.first("Content-Type"))
	f.unknown = s.opts.Envelope == nil && !s.header.has("Return-Path")
	if f.null {
		f.note("null-sender", "<>")
	}
	f.answer = isAnswer(s.subject())
	s.count(f, s.hits, nil)
	f.list = f.class(List) >= 2
	if f.media == "multipart/report" {
		f.reportType = strings.ToLower(parameter(s.header.first("Content-Type"), "report-type"))
		f.add(speaksMachine, 2)
		f.note("multipart-report", f.reportType)
	}
	if from := s.header.first("From"); from != "" && strings.Trim(unfold(from), "<> \t\"") == "" {
		f.add(speaksDaemon, 2)
		f.note("from", "<>")
	}
	f.stated = f.proofs
	f.hint = f.judgeHeader(s)
}

// subject returns the subject, decoded.
func (s *Scanner) subject() string { return decodeValue(s.header.first("Subject"), s.charset) }

// nullSender reports whether the message came from the null sender, or from
// what some MTAs make of it.
func (s *Scanner) nullSender() bool {
	sender := unfold(s.header.first("Return-Path"))
	if s.opts.Envelope != nil {
		sender = s.opts.Envelope.Sender
	} else if !s.header.has("Return-Path") {
		return false
	}
	sender = strings.Trim(sender, "<> \t")
	return sender == "" || localPart(sender) == "mailer-daemon"
}

// count adds the weights of hits to the scores. Where keep is given, hits it
// refuses do not count. Of phrases that begin within another the heaviest counts.
func (s *Scanner) count(f *facts, hits []hit, keep func(hit) bool) {
	for i, h := range hits {
		if keep != nil && !keep(h) {
			continue
		}
		r := &s.rules.rules[h.rule]
		full := r.Weight
		if f.answer && strings.EqualFold(r.Where, "Subject") {
			full = min(full, 2) // the original's subject proves nothing
		}
		weight := full - s.counted(hits[max(0, i-maxHits):i], h)
		if weight <= 0 {
			continue
		}
		f.add(r.Speaks, weight)
		if full >= proof {
			f.proofs[speaker(r.Speaks)]++
		}
		if r.Speaks != speaksSeparator {
			f.note(strings.ToLower(r.Where), r.Speaks+": "+r.Software+": "+h.value)
		}
	}
}

// counted returns the greatest weight among earlier hits that speak for the same
// and within which h begins.
func (s *Scanner) counted(earlier []hit, h hit) int {
	r, most := &s.rules.rules[h.rule], 0
	for _, e := range earlier {
		if er := &s.rules.rules[e.rule]; e.at <= h.at && h.at < e.end && er.Speaks == r.Speaks && strings.EqualFold(er.Where, r.Where) {
			most = max(most, er.Weight)
		}
	}
	return most
}

// isAnswer reports whether a subject begins as answers and forwarded mail do.
func isAnswer(subject string) bool {
	head, _, ok := strings.Cut(strings.TrimSpace(subject), ":")
	if !ok || len(head) > 8 {
		return false
	}
	head, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(head)), "[")
	return slices.Contains(answerPrefixes, strings.TrimSpace(head))
}

// answerPrefixes are what mail programs put before the subject of an answer, or
// of a forwarded message, in the languages of the world.
var answerPrefixes = []string{
	"re", "fw", "fwd", "aw", "wg", "sv", "vs", "vb", "antw", "odp", "pd", "tr", "rv", "res", "enc", "rif", "i", "r", "ynt", "ilt", "vá", "továbbítás",
	"отв", "fs", "vl", "doorst", "bls", "trs", "atb", "na", "回复", "答复", "转发", "回覆", "轉寄", "返信", "転送", "rép", "ref", "re^2",
}

// judgeHeader says whether the body has to be looked at.
func (f *facts) judgeHeader(s *Scanner) Hint {
	if class, ok := s.siteClass(); ok {
		f.site = class
		if !class.IsNotification() {
			return CannotBe
		}
		return Maybe
	}
	topic := f.topic()
	switch {
	case f.null || f.score(speaksDaemon) > 0 || f.media == "multipart/report" || f.media == "text/calendar":
		return Maybe
	case f.list && topic < 2:
		return CannotBe
	case f.answer && topic < 2 && f.machine() == 0:
		return CannotBe
	case len(f.said) > 0 || topic > 0 || f.machine() >= 2 || f.machine() == 1 && (s.header.has("In-Reply-To") || f.score(speaksProgram) >= 2):
		return Maybe
	}
	return CannotBe
}

// siteClass returns what a rule of the site's own says, if there is one.
func (s *Scanner) siteClass() (c Class, ok bool) {
	for _, r := range s.opts.Headers {
		for _, v := range s.header.all(r.Header, 20) {
			if r.Match.MatchString(decodeValue(v, s.charset)) {
				s.facts.note("rule", r.Header)
				return r.Class, true
			}
		}
	}
	return "", false
}

// dismissed is the result for a message whose header is enough.
func (f *facts) dismissed() Result {
	r := Result{Class: Ordinary, Original: Original{Extent: None}, Evidence: f.evidence}
	if f.site != "" {
		r.Class = f.site
	} else if f.class(List) > 0 {
		r.Class = List
	}
	return r
}
