package grace

import (
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"
)

// SawAccepted notes that the MTA accepted a recipient in the domain from an
// untrusted client. Recipients that the MTA refused must not be shown.
func (g *Grace) SawAccepted(name string, now time.Time) {
	g.see(name, now, func(d *domain) (*int, *time.Time) { return &d.Accepted, &d.LastIn })
}

// SawSent notes that a trusted client sent mail with a reverse-path in the
// domain.
func (g *Grace) SawSent(name string, now time.Time) {
	g.see(name, now, func(d *domain) (*int, *time.Time) { return &d.Sent, &d.LastOut })
}

// see counts a sighting, unless there have been enough and the last is fresh.
func (g *Grace) see(name string, now time.Time, pick func(*domain) (*int, *time.Time)) {
	if name = fold(name); name == "" {
		return
	}
	g.mu.RLock()
	d, ok := g.domains[name]
	if ok && g.clock.steady(now) {
		n, last := pick(d)
		ok = *n >= Sightings && isFresh(*last, now)
	} else {
		ok = false
	}
	g.mu.RUnlock()
	if ok {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now = g.advance(now)
	if d = g.domain(name); d == nil {
		return
	}
	n, last := pick(d)
	*n, *last = min(*n+1, Sightings), now
	g.saveDomain(name, d)
}

// domain finds a domain or makes room for it; nil where there is none.
func (g *Grace) domain(name string) *domain {
	d := g.domains[name]
	if d != nil {
		return d
	}
	if len(g.domains) >= MaxDomains && !g.makeRoom() || len(name) > maxName {
		g.counts.NotLearned++
		return nil
	}
	d = &domain{}
	g.domains[name] = d
	delete(g.sharing.others, name)
	return d
}

// maxName is the length of the longest domain (RFC 1035, section 2.3.4).
const maxName = 253

// makeRoom forgets the older half of the domains that have only been seen to
// send, or only to receive. Trusted clients that forward mail, and outsiders who
// write to ever new names, show any number of these, and they must not keep the
// site's own from being learned.
func (g *Grace) makeRoom() bool {
	type candidate struct {
		name string
		seen time.Time
	}
	var old []candidate
	for name, d := range g.domains {
		if !d.settled() {
			old = append(old, candidate{name, d.seen()})
		}
	}
	slices.SortFunc(old, func(a, b candidate) int { return a.seen.Compare(b.seen) })
	for _, c := range old[:(len(old)+1)/2] {
		delete(g.domains, c.name)
		g.remove(domainKey + c.name)
	}
	return len(old) > 0
}

// Ours reports whether the domain has been learned to be of this site. Names
// listed in the configuration are none of its business.
func (g *Grace) Ours(name string) bool {
	name = fold(name)
	g.mu.RLock()
	defer g.mu.RUnlock()
	d := g.known(name)
	return d != nil && g.merged(name, d).learned()
}

// Domains lists the domains learned to be ours, sorted.
func (g *Grace) Domains() []string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	var names []string
	for name, d := range g.each() {
		if g.merged(name, d).learned() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// fold gives the form in which domains are compared: lower case, A-labels
// (RFC 5891, section 5), no final dot. Lower-case ASCII is returned as it is.
func fold(name string) string {
	name = strings.TrimSuffix(name, ".")
	for i := range len(name) {
		if c := name[i]; c >= 0x80 || 'A' <= c && c <= 'Z' {
			if a, err := idna.Lookup.ToASCII(name); err == nil {
				return a
			}
			return strings.ToLower(name)
		}
	}
	return name
}
