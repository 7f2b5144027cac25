package policy

import (
	"strings"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/config"
)

// Site is what the daemon has found out about the site, as it stands: answers
// are quick, and safe for concurrent use. Domains are given as they stand in an
// address.
type Site interface {
	// Ours reports whether the domain has been learned to be this site's. It is
	// asked only where the configuration names no domains.
	Ours(domain string) bool
	// Strict reports whether a missing tag means something for the domain.
	Strict(domain string) bool
	// StrictByRecord reports whether it means something that the record of sent
	// mail has nothing.
	StrictByRecord(domain string) bool
	// Layout is the form in which tagged recipients of the domain have been
	// seen to be accepted, LayoutNone where none has.
	Layout(domain string) batv.Layout
	// Prove notes that a key has verified a tag that came back, Proven reports
	// whether it has. Only for such a key is a wrong signature a forgery: hosts
	// that share a domain may by mistake hold different keys under one number.
	Prove(key batv.KeyID)
	Proven(key batv.KeyID) bool
	// Probing reports whether the recipient is one that the daemon itself is
	// asking the MTA for: its tag is our own and proves nothing.
	Probing(recipient string) bool
}

// domain is what holds for the addresses of one domain: the global settings,
// and over them those of its [[domain]] table.
type domain struct {
	mode                 config.Mode
	sign                 config.Sign
	neverSends           []config.Addresses // any of them
	unsignedSenders      []config.Addresses
	unsignedDestinations []config.Destinations
	exempt               []config.Exempt
	headers              bool            // header fields can exempt
	action               []config.Action // of each row of the table, "auto" unresolved
}

// globalDomain is what holds where there is no [[domain]] table.
func globalDomain(cfg *config.Config) *domain {
	d := &domain{
		mode:                 cfg.Mode,
		sign:                 cfg.BATV.Sign,
		neverSends:           []config.Addresses{cfg.NeverSends},
		unsignedSenders:      []config.Addresses{cfg.BATV.UnsignedSenders},
		unsignedDestinations: []config.Destinations{cfg.BATV.UnsignedDestinations},
		exempt:               []config.Exempt{cfg.Exempt},
		headers:              len(cfg.Exempt.Headers) > 0,
	}
	for _, r := range table {
		d.action = append(d.action, or(cfg.Policy[string(r.reason)], r.action))
	}
	return d
}

// over is d with a [[domain]] table put over it: single values replace, lists
// add.
func (d *domain) over(table *config.Domain) *domain {
	own := *d
	own.mode = or(table.Mode, d.mode)
	own.sign = or(table.BATV.Sign, d.sign)
	own.neverSends = join(d.neverSends, table.NeverSends)
	own.unsignedSenders = join(d.unsignedSenders, table.BATV.UnsignedSenders)
	own.unsignedDestinations = join(d.unsignedDestinations, table.BATV.UnsignedDestinations)
	own.exempt = join(d.exempt, table.Exempt)
	own.headers = d.headers || len(table.Exempt.Headers) > 0
	own.action = append([]config.Action(nil), d.action...)
	for i, r := range Rows() {
		own.action[i] = or(table.Policy[string(r.Reason)], own.action[i])
	}
	return &own
}

func or[T ~string](first, second T) T {
	if first != "" {
		return first
	}
	return second
}

func join[T any](list []T, more T) []T {
	return append(append([]T(nil), list...), more)
}

// domainOf is what holds for an address, or for one with a tag of ours.
func (s *Settings) domainOf(address string) *domain {
	if len(s.domains) == 0 {
		return s.global
	}
	if d := s.domains[config.FoldDomain(domainPart(address))]; d != nil {
		return d
	}
	return s.global
}

func domainPart(address string) string {
	return address[strings.LastIndexByte(address, '@')+1:]
}

// resolve tells what a row leads to for an address without a tag: "auto" refuses once a
// missing tag means something for its domain, and marks until then. Of a flood
// it lets nothing pass. Of an address that is never signed the record need not
// know: its mail may leave by another way, or under another name.
func (s *Settings) resolve(row int, d *domain, address string) config.Action {
	action := d.action[row]
	switch {
	case action != config.ActionAuto:
		return action
	case table[row].reason == Listed && s.unsigned(address) != "":
		return config.ActionMark
	case s.strict(domainPart(address)).by(table[row].reason):
		return config.ActionReject
	case table[row].reason == Flood:
		return config.ActionTempfail
	}
	return config.ActionMark
}

// strict is what the absence of proof means for a domain.
type strict struct{ bySigning, byRecord bool }

func (s *Settings) strict(domain string) strict {
	return strict{s.site.Strict(domain), s.site.StrictByRecord(domain)}
}

// by picks the record that a reason rests on.
func (s strict) by(r Reason) bool {
	if r == OriginForeign || r == Listed {
		return s.byRecord
	}
	return s.bySigning
}

// action is what a reason leads to for an address.
func (s *Settings) action(reason Reason, address string) config.Action {
	for i, r := range table {
		if r.reason == reason {
			return s.resolve(i, s.domainOf(address), address)
		}
	}
	return config.ActionAccept
}

func anyMatch[T interface{ Match(string) bool }](lists []T, address string) bool {
	for _, l := range lists {
		if l.Match(address) {
			return true
		}
	}
	return false
}
