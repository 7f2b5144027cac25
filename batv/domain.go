package batv

import (
	"hash/maphash"
	"strings"
	"sync/atomic"

	"golang.org/x/net/idna"
)

// toASCII returns the canonical form of a domain: A-labels (RFC 5891), in lower
// case. What cannot be a U-label keeps its characters.
func toASCII(domain string) string {
	domain = string(appendLower(nil, domain)) // idna maps the case of valid labels only
	if isASCII(domain) {
		return domain
	}
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil && !isASCII(ascii) {
		return domain
	}
	return string(appendLower(nil, ascii))
}

// labelCache remembers the A-labels of domains lately seen as U-labels. Its
// size is fixed: a newer domain takes the place of an older one.
type labelCache struct {
	seed  maphash.Seed
	slots [64]atomic.Pointer[labels]
}

type labels struct{ unicode, ascii string }

func newLabelCache() *labelCache { return &labelCache{seed: maphash.MakeSeed()} }

// append appends the canonical form of domain to b.
func (c *labelCache) append(b []byte, domain string) []byte {
	if isASCII(domain) {
		return appendLower(b, domain)
	}
	slot := &c.slots[maphash.String(c.seed, domain)%uint64(len(c.slots))]
	known := slot.Load()
	if known == nil || known.unicode != domain {
		known = &labels{strings.Clone(domain), toASCII(domain)}
		slot.Store(known)
	}
	return append(b, known.ascii...)
}
