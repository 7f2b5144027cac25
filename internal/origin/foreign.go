package origin

import (
	"slices"
	"strings"

	"github.com/backscatter-milter/backscatter-milter/internal/dkim"
)

// foreign: the original names itself, claims to be ours, and would be in the
// ledger had it been sent here. Everything else is Unknown, with the reason why.
func (f *Finder) foreign(q Question, signatures dkim.Result) (Evidence, string) {
	o := &q.Message.Original
	if o.MessageID == "" {
		return Unknown, ""
	}
	date := dateOf(o.Date)
	for _, hindrance := range []struct {
		holds bool
		why   string
	}{
		{!q.Signable, "mail of the recipient's is not signed here"},
		{!f.claimsOurs(o.From, o.ReturnPath), "the original does not claim to be from a domain of ours"},
		{date.IsZero(), "the original has no date that can be read"},
		{!date.IsZero() && !f.o.Record.Covers(domainOf(q.Recipient), date), "the record does not cover the original's date"},
		{signatures.Claimed(), "a DKIM signature came back that could not be verified"},
		{f.wroteThere(q), "the recipient wrote to that domain"},
		{f.relayed(o.Received), "the original passed a relay of ours"},
		{f.withoutID(q), "the recipient wrote there without a message-id"},
	} {
		if hindrance.holds {
			return Unknown, hindrance.why
		}
	}
	return Foreign, "the original is dated " + date.UTC().Format("2006-01-02 15:04") + " and not on record"
}

func (f *Finder) claimsOurs(from, returnPath string) bool {
	if domain := domainOf(returnPath); domain != "" && f.o.Ours(domain) {
		return true
	}
	return slices.ContainsFunc(addressesIn(from), func(a string) bool { return f.o.Ours(domainOf(a)) })
}

func (f *Finder) wroteThere(q Question) bool {
	return slices.ContainsFunc(q.partners(), func(a string) bool { return f.o.Record.WroteDomain(q.Recipient, domainOf(a)) })
}

func (f *Finder) withoutID(q Question) bool {
	return slices.ContainsFunc(q.partners(), func(a string) bool { return f.o.Record.WithoutID(q.Recipient, a) })
}

// relayed reports whether a Received field names a relay of ours as the host
// that took the message ("by", RFC 5321 section 4.4).
func (f *Finder) relayed(received []string) bool {
	const most = 100
	for _, field := range received[:min(len(received), most)] {
		words := strings.Fields(field)
		for i := 0; i+1 < len(words); i++ {
			if strings.EqualFold(words[i], "by") && slices.ContainsFunc(f.o.Relays, func(relay string) bool {
				return strings.EqualFold(strings.TrimRight(words[i+1], ";."), relay)
			}) {
				return true
			}
		}
	}
	return false
}
