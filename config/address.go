package config

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Addresses is a set of mail addresses and patterns of them:
// "user@example.com", "postmaster@*" for a local part in any domain, and
// "*@example.com" or "@example.com" for any local part. The zero value is
// empty.
type Addresses struct {
	list    []string
	full    map[string]struct{} // local@domain
	locals  map[string]struct{}
	domains map[string]struct{}
}

// pattern is an address whose local part or domain may be "*"; both are folded.
type pattern struct {
	local, domain string
}

func newAddresses(patterns []pattern) Addresses {
	if len(patterns) == 0 {
		return Addresses{}
	}
	a := Addresses{full: map[string]struct{}{}, locals: map[string]struct{}{}, domains: map[string]struct{}{}}
	for _, p := range patterns {
		a.list = append(a.list, p.local+"@"+p.domain)
		switch {
		case p.domain == "*":
			a.locals[p.local] = struct{}{}
		case p.local == "*":
			a.domains[p.domain] = struct{}{}
		default:
			a.full[p.local+"@"+p.domain] = struct{}{}
		}
	}
	return a
}

// Match reports whether an address, without angle brackets, is in the set.
// Case makes no difference, in the local part neither, nor does whether the
// domain is in A- or U-label form. "postmaster@*" also matches an address
// without a domain, as RFC 5321, section 4.5.1, allows it. The null sender,
// "", is never in the set.
func (a Addresses) Match(address string) bool {
	if len(a.list) == 0 || address == "" {
		return false
	}
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		_, ok := a.locals[fold(address)]
		return ok
	}
	local, domain := fold(address[:at]), FoldDomain(address[at+1:])
	if _, ok := a.domains[domain]; ok {
		return true
	}
	if _, ok := a.locals[local]; ok {
		return true
	}
	if len(a.full) == 0 {
		return false
	}
	if local != address[:at] || domain != address[at+1:] {
		address = local + "@" + domain
	}
	_, ok := a.full[address]
	return ok
}

// Empty reports whether nothing is in the set.
func (a Addresses) Empty() bool {
	return len(a.list) == 0
}

// List gives the patterns of the set, folded, in the order of the file.
func (a Addresses) List() []string {
	return slices.Clone(a.list)
}

// String gives the list with commas.
func (a Addresses) String() string {
	return strings.Join(a.list, ", ")
}

const addressAllowed = `an address such as "user@example.com", "user@*" or "*@example.com"`

// addressPattern parses a pattern of Addresses.
func addressPattern(v any) (pattern, error) {
	s, _ := v.(string)
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return pattern{}, errAllowed
	}
	local, domain := s[:at], s[at+1:]
	if local == "" {
		local = "*"
	}
	if !validLocal(local) || local == "*" && domain == "*" {
		return pattern{}, errAllowed
	}
	if domain == "*" {
		return pattern{fold(local), domain}, nil
	}
	domain, err := hostName(domain)
	return pattern{fold(local), domain}, err
}

// validLocal checks a local part (RFC 5321, section 4.1.2, and RFC 6531), or
// "*": no other star is a pattern, so it is not taken for one.
func validLocal(s string) bool {
	if s == "*" {
		return true
	}
	if s == "" || len(s) > 64 || !utf8.ValidString(s) {
		return false
	}
	quoted := len(s) > 2 && s[0] == '"' && s[len(s)-1] == '"'
	return !strings.ContainsFunc(s, func(c rune) bool {
		if quoted {
			return !unicode.IsPrint(c)
		}
		return !unicode.IsPrint(c) || strings.ContainsRune(` "(),:;<>@[\]*`, c)
	})
}

// Destinations are recipients, by address or by domain. The zero value is
// empty.
type Destinations struct {
	Addresses Addresses
	Domains   DomainSet
}

// Match reports whether a recipient, without angle brackets, is one of them.
func (d Destinations) Match(address string) bool {
	if d.Addresses.Match(address) {
		return true
	}
	at := strings.LastIndexByte(address, '@')
	return at >= 0 && d.Domains.Match(address[at+1:])
}

// Empty reports whether there are none.
func (d Destinations) Empty() bool {
	return d.Addresses.Empty() && d.Domains.Empty()
}

const destinationAllowed = addressAllowed + `, or a domain such as "example.com" or "*.example.com"`

// destination is an address pattern, or a domain.
type destination struct {
	address pattern
	domain  string
}

func destinationPattern(v any) (destination, error) {
	if s, _ := v.(string); strings.Contains(s, "@") {
		p, err := addressPattern(v)
		return destination{address: p}, err
	}
	name, err := domainPattern(v)
	return destination{domain: name}, err
}

func newDestinations(list []destination) Destinations {
	var patterns []pattern
	var names []string
	for _, d := range list {
		if d.domain != "" {
			names = append(names, d.domain)
		} else {
			patterns = append(patterns, d.address)
		}
	}
	return Destinations{newAddresses(patterns), newDomainSet(names)}
}

// addresses is a key whose value is a list of address patterns.
func addresses[S any](path string, at func(*S) *Addresses) key[S] {
	return gather(path, addressAllowed, addressPattern, newAddresses, at)
}

// destinations is a key whose value is a list of addresses and domains.
func destinations[S any](path string, at func(*S) *Destinations) key[S] {
	return gather(path, destinationAllowed, destinationPattern, newDestinations, at)
}
