package origin

import (
	"bytes"
	"slices"
	"strings"

	"github.com/backscatter-milter/backscatter-milter/classify"
)

// foreign: the original names itself, claims to be ours, and would be in the
// ledger had it been sent here. Everything else is Unknown, with the reason why.
func (f *Finder) foreign(q Question, claimed bool) (Evidence, string) {
	o := &q.Message.Original
	if o.MessageID == "" {
		return Unknown, ""
	}
	date := dateOf(o.Date)
	about := f.outside(append(reported(q.Message), mentionedIn(o.To)...))
	partners := slices.Concat(about, f.outside(q.Reporters))
	var why string
	switch {
	case !q.Signable:
		why = "mail of the recipient's is not signed here"
	case !f.fromUs(o) && !f.returnsToUs(o):
		why = "the original does not claim to be from a domain of ours"
	case !intact(o):
		why = "the original's message-id did not come back as it was"
	case date.IsZero():
		why = "the original has no date that can be read"
	case !f.o.Record.Covers(domainOf(q.Recipient), date):
		why = "the record does not cover the original's date"
	case claimed:
		why = "a DKIM signature of ours may have come back, and does not prove it"
	case f.sentByOthers(o):
		why = "somebody else here sent a message of that id"
	case f.relayed(o.Received):
		why = "the original passed a host of ours"
	case !f.fromUs(o) && f.anyOurs(mentionedIn(o.To)):
		why = "the original may be mail to us that was passed on"
	case len(about) == 0:
		why = "whom the original was for is not known"
	case slices.ContainsFunc(partners, func(a string) bool { return f.o.Record.WroteDomain(q.Recipient, domainOf(a)) }):
		why = "the recipient wrote to that domain"
	case slices.ContainsFunc(partners, func(a string) bool { return f.o.Record.WithoutID(q.Recipient, a) }):
		why = "the recipient wrote there without a message-id"
	default:
		return Foreign, "the original is dated " + date.UTC().Format("2006-01-02 15:04") + " and not on record"
	}
	return Unknown, why
}

func (f *Finder) fromUs(o *classify.Original) bool { return f.anyOurs(addressesIn(o.From)) }

func (f *Finder) returnsToUs(o *classify.Original) bool { return f.anyOurs([]string{o.ReturnPath}) }

func (f *Finder) anyOurs(addresses []string) bool {
	return slices.ContainsFunc(addresses, func(a string) bool { d := domainOf(a); return d != "" && f.o.Ours(d) })
}

// intact reports whether the message-id stands in the returned header as it is
// given: one that was cut, wrapped, or holds what hops recode is not the one
// that was recorded.
func intact(o *classify.Original) bool {
	plain := func(r rune) bool { return r > ' ' && r <= '~' }
	return bytes.Contains(o.HeaderBlock, []byte(o.MessageID)) &&
		!strings.ContainsFunc(o.MessageID, func(r rune) bool { return !plain(r) })
}

// sentByOthers reports whether the original's author, or whom it returns to,
// sent a message of that id, whoever the notification is for: mail to an alias
// returns to the alias's owner.
func (f *Finder) sentByOthers(o *classify.Original) bool {
	return slices.ContainsFunc(append(addressesIn(o.From), o.ReturnPath), func(a string) bool {
		return f.onRecord(a, o.MessageID) != ""
	})
}

// relayed reports whether a Received field (RFC 5321, section 4.4) names as the
// host that took the message ("by") this one, or one in a domain of ours, or an
// address of ours as the one that it took it for; or a relay of ours anywhere.
// What "from" says is the sender's own word, and forgers like the names of our MX
// for it; relays that do not take mail but make it are named by nothing else.
func (f *Finder) relayed(received []string) bool {
	const most, longest = 100, 2 << 10
	for _, field := range received[:min(len(received), most)] {
		before := ""
		for word := range strings.FieldsFuncSeq(field[:min(len(field), longest)], endsHost) {
			word = strings.Trim(word, ".")
			if f.isRelay(word) || strings.EqualFold(before, "by") && f.hostOurs(word) ||
				strings.EqualFold(before, "for") && f.anyOurs([]string{word}) {
				return true
			}
			before = word
		}
	}
	return false
}

// endsHost reports whether r stands between the words of a Received field, as in
// "from a.example (HELO b.example) (192.0.2.1)" and "(helo=b.example)".
func endsHost(r rune) bool { return r <= ' ' || strings.ContainsRune("<>;,()[]=", r) }

func (f *Finder) isRelay(host string) bool {
	return slices.ContainsFunc(f.o.Relays, func(relay string) bool { return sameHost(relay, host) })
}

func sameHost(a, b string) bool {
	return a != "" && strings.EqualFold(strings.TrimSuffix(a, "."), b)
}

func (f *Finder) hostOurs(host string) bool {
	if sameHost(f.o.Host, host) {
		return true
	}
	const deepest = 10
	for range deepest {
		if !strings.Contains(host, ".") {
			return false
		}
		if f.o.Ours(host) {
			return true
		}
		_, host, _ = strings.Cut(host, ".")
	}
	return false
}
