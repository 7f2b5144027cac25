package origin

import (
	"context"
	"net/mail"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/dkim"
)

// skew is how far clocks of others may be ahead.
const skew = 2 * time.Hour

// signed: the header that came back carries a signature of one of our domains
// which verifies, the mail was the recipient's or its domain's, and it is not
// older than what the ledger would know. A signature can be sent back by
// anybody who has seen it, hence the bounds.
func (f *Finder) signed(ctx context.Context, q Question, recorded bool) (r dkim.Result, found Finding, elsewhere string) {
	o := &q.Message.Original
	if f.o.Keys == nil || len(o.HeaderBlock) == 0 || len(o.DKIMSignatures) == 0 {
		return r, found, ""
	}
	r = dkim.Verify(ctx, o.HeaderBlock, dkim.Options{Ours: f.speaksForUs(q), Keys: f.o.Keys, At: dateOf(o.Date)})
	for _, s := range r.Signatures {
		if s.Status != dkim.Pass || !f.belongs(q, s) || !f.inTime(s.Signed.Sent, q.Now) {
			continue
		}
		if !recorded && f.o.Record.Covers(domainOf(q.Recipient), s.Signed.Sent) {
			elsewhere = "a bounce of mail of " + s.Signed.Sent.UTC().Format(time.DateOnly) + ", proven by DKIM, is about mail that did not pass here"
		}
		return r, Finding{DKIM, "signed by " + s.Domain + " (" + s.Selector + ")"}, elsewhere
	}
	return r, found, ""
}

// speaksForUs reports of a d= whether it is a domain of ours, or may be the
// organisation's above the recipient's.
func (f *Finder) speaksForUs(q Question) func(string) bool {
	own := strings.ToLower(domainOf(q.Recipient))
	return func(domain string) bool {
		return f.o.Ours(domain) || strings.Contains(domain, ".") && strings.HasSuffix(own, "."+domain)
	}
}

// belongs reports whether the signed mail was the notification's recipient's: it
// names that, or its domain, as its author, or returns to it. Return-Path is no
// signed field: there the signature must be its domain's own.
func (f *Finder) belongs(q Question, s dkim.Signature) bool {
	own := domainOf(q.Recipient)
	for _, from := range s.Signed.From {
		for _, address := range addressesIn(from) {
			if strings.EqualFold(domainOf(address), own) {
				return true
			}
		}
	}
	return strings.EqualFold(q.Message.Original.ReturnPath, q.Recipient) && s.Aligned(strings.ToLower(own))
}

func (f *Finder) inTime(sent, now time.Time) bool {
	return !sent.IsZero() && now.Sub(sent) <= f.o.Lifetime && sent.Sub(now) <= skew
}

// addressesIn reads an address field, also one that is not quite right.
func addressesIn(value string) []string {
	if list, err := mail.ParseAddressList(value); err == nil {
		var addresses []string
		for _, a := range list {
			addresses = append(addresses, a.Address)
		}
		return addresses
	}
	if _, rest, ok := strings.Cut(value, "<"); ok {
		if address, _, ok := strings.Cut(rest, ">"); ok && strings.Contains(address, "@") {
			return []string{strings.TrimSpace(address)}
		}
	}
	return nil
}

// dateOf reads a Date, zero where it cannot be read.
func dateOf(value string) time.Time {
	const longest = 200
	if len(value) > longest {
		return time.Time{}
	}
	t, err := mail.ParseDate(value)
	if err != nil {
		return time.Time{}
	}
	return t
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }
