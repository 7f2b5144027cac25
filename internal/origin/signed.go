package origin

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/dkim"
)

// skew is how far clocks of others may be ahead.
const skew = 2 * time.Hour

// signed is what the signatures in a returned header tell.
type signed struct {
	Finding        // that one proves the original ours
	claimed   bool // one may be ours, whatever it is worth
	elsewhere string
}

// signed: the header that came back carries a signature of one of our domains
// which verifies, the mail was the recipient's or its domain's, and it is not
// older than what the ledger would know. A signature can be sent back by
// anybody who has seen it, hence the bounds.
func (f *Finder) signed(ctx context.Context, q Question) (found signed) {
	o := &q.Message.Original
	if len(o.DKIMSignatures) == 0 {
		return found
	}
	r := q.Signatures.once(config.FoldDomain(domainOf(q.Recipient)), func() dkim.Result {
		return dkim.Verify(ctx, o.HeaderBlock, dkim.Options{Ours: f.speaksForUs(q), Keys: f.o.Keys, At: dateOf(o.Date)})
	})
	found.claimed = r.Claimed() || len(r.Signatures)+r.Unread < len(o.DKIMSignatures)
	for _, s := range r.Signatures {
		if s.Status == dkim.Pass && f.belongs(q, s) && f.inTime(s.Signed.Sent, q.Now) {
			found.Finding = Finding{DKIM, "signed by " + s.Domain + " (" + s.Selector + ")"}
			found.elsewhere = f.elsewhere(q, s.Signed)
			break
		}
	}
	return found
}

// Signatures is what the signatures in one message's original are worth, by the
// domain of its recipients: they are verified once for each. Its zero value knows
// nothing yet.
type Signatures struct{ verified map[string]dkim.Result }

func (s *Signatures) once(domain string, verify func() dkim.Result) dkim.Result {
	if s == nil {
		return verify()
	}
	r, ok := s.verified[domain]
	if !ok {
		r = verify()
		if s.verified == nil {
			s.verified = map[string]dkim.Result{}
		}
		s.verified[domain] = r
	}
	return r
}

// noKeys is the KeySource of who has none: nothing can be verified.
type noKeys struct{}

func (noKeys) Key(context.Context, string, string) (*dkim.Key, error) {
	return nil, errors.New("no DKIM keys are asked for")
}

// speaksForUs reports of a d= whether it is a domain of ours, or may be the
// organisation's above the recipient's.
func (f *Finder) speaksForUs(q Question) func(string) bool {
	own := config.FoldDomain(domainOf(q.Recipient))
	return func(domain string) bool {
		return f.o.Ours(domain) || strings.Contains(domain, ".") && strings.HasSuffix(own, "."+domain)
	}
}

// belongs reports whether the signed mail was of the domain of the
// notification's recipient: that is its author's, or the one that it returns to.
// Return-Path is no signed field, so there the signature must be the domain's
// own: no other domain's mail can be shown to our user by writing him into it.
func (f *Finder) belongs(q Question, s dkim.Signature) bool {
	own := domainOf(q.Recipient)
	return len(authors(s.Signed, own)) > 0 ||
		sameDomain(domainOf(q.Message.Original.ReturnPath), own) && s.Aligned(config.FoldDomain(own))
}

// authors lists the signed authors of a domain.
func authors(s dkim.Signed, domain string) []string {
	var authors []string
	for _, from := range s.From {
		for _, address := range addressesIn(from) {
			if sameDomain(domainOf(address), domain) {
				authors = append(authors, address)
			}
		}
	}
	return authors
}

// elsewhere tells that a message proven ours left by another way: it is of the
// recipient's domain and dated in covered time, yet none of its authors sent it.
// It rests on signed fields alone, and does not care whom the notification is
// for: else anybody who was sent a message of ours could make it look as if it
// had not passed here, by returning it to somebody else.
func (f *Finder) elsewhere(q Question, s dkim.Signed) string {
	id, sent, own := idIn(s.MessageID), dateOf(s.Date), domainOf(q.Recipient)
	from := authors(s, own)
	if s.MessageID != "" && id == "" || sent.IsZero() || len(from) == 0 || !f.o.Record.Covers(own, sent) {
		return ""
	}
	passed := f.passedByID(q, s, id)
	if s.MessageID == "" {
		passed = f.passedByTo(s)
	}
	if slices.ContainsFunc(append(from, q.Recipient), passed) {
		return ""
	}
	return "a bounce of mail of " + sent.UTC().Format(time.DateOnly) + ", proven by DKIM, is about mail that did not pass here"
}

// passedByID reports of an author whether a message of that id may have passed
// here.
func (f *Finder) passedByID(q Question, s dkim.Signed, id string) func(author string) bool {
	to := f.outside(append(reported(q.Message), mentionedIn(s.To)...))
	return func(author string) bool {
		return f.onRecord(author, id) != "" ||
			slices.ContainsFunc(to, func(a string) bool { return f.o.Record.WithoutID(author, a) })
	}
}

// passedByTo does the same where the id is not signed, as many signers leave it
// (RFC 6376, section 5.4.1): the author wrote to nobody whom the signed To names.
// Where it names nobody elsewhere nothing can be said.
func (f *Finder) passedByTo(s dkim.Signed) func(author string) bool {
	to := f.outside(mentionedIn(s.To))
	return func(author string) bool {
		return len(to) == 0 || slices.ContainsFunc(to, func(a string) bool { return f.o.Record.WroteDomain(author, domainOf(a)) })
	}
}

// idIn is the id of a Message-ID field, "" if it has none or blanks in it.
func idIn(value string) string {
	if _, rest, ok := strings.Cut(value, "<"); ok {
		value, _, _ = strings.Cut(rest, ">")
	}
	value = strings.TrimSpace(value)
	if strings.ContainsAny(value, " \t") {
		return ""
	}
	return value
}

func (f *Finder) inTime(sent, now time.Time) bool {
	return !sent.IsZero() && now.Sub(sent) <= f.o.Lifetime && sent.Sub(now) <= skew
}
