package batv

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Keyring is a set of keys that has been found sound. It never changes and may
// be used by many goroutines at once. The nil Keyring holds no keys.
type Keyring struct {
	keys    []*ringKey
	general *keySet            // keys without domains; nil when there is none
	domains map[string]*keySet // by canonical domain, without a dot at the end
	labels  *labelCache
}

// keySet is the keys of one domain, or those of all domains.
type keySet struct {
	keys     []*ringKey
	byNumber [10]*ringKey
}

// NewKeyring checks the keys and copies them. It refuses, all mistakes at once:
// a number outside 0-9 or used twice for the same domain, an empty secret or
// one over 1024 octets, a domain that is none, a key retired before it signs, a
// domain for which several keys have Signing and no SignFrom, and one for which
// no key ever signs though not all of them are retired.
//
// Keys with Domains and keys without may stand side by side. A domain with keys
// of its own signs with those as long as one of them may sign, and else with
// the keys for all domains; both kinds verify its tags.
func NewKeyring(keys ...Key) (*Keyring, error) {
	var problems []error
	for i := range keys {
		for _, p := range checkKey(&keys[i]) {
			problems = append(problems, p.at(i))
		}
	}
	if len(problems) == 0 {
		for _, p := range checkSets(keys) {
			problems = append(problems, p.at(p.key))
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return newKeyring(keys), nil
}

func newKeyring(keys []Key) *Keyring {
	r := &Keyring{domains: map[string]*keySet{}, labels: newLabelCache()}
	for _, k := range keys {
		held := newRingKey(k)
		r.keys = append(r.keys, held)
		if len(k.Domains) == 0 {
			if r.general == nil {
				r.general = &keySet{}
			}
			r.general.add(held)
		}
		for _, domain := range k.Domains {
			name := domainKey(domain)
			if r.domains[name] == nil {
				r.domains[name] = &keySet{}
			}
			r.domains[name].add(held)
		}
	}
	return r
}

func (s *keySet) add(k *ringKey) {
	s.keys = append(s.keys, k)
	s.byNumber[k.Number] = k
}

// String tells how many keys there are. It keeps package fmt from following
// pointers down to the secrets.
func (r Keyring) String() string { return fmt.Sprintf("keyring of %d", len(r.keys)) }

// Keys returns copies of all keys, secrets included, in their order.
func (r *Keyring) Keys() []Key {
	if r == nil {
		return nil
	}
	keys := make([]Key, len(r.keys))
	for i, k := range r.keys {
		keys[i] = k.Key.clone()
	}
	return keys
}

// Signer returns a copy of the key that signs for the domain at that time: of
// the keys that may, the one whose SignFrom is latest (where a key has none,
// its Created counts). A domain's own keys come before those for all domains.
// It reports false where no key signs. Keys for all domains are found with an
// empty domain, too.
func (r *Keyring) Signer(domain string, now time.Time) (Key, bool) {
	if r == nil {
		return Key{}, false
	}
	k := r.signer([]byte(toASCII(domain)), now)
	if k == nil {
		return Key{}, false
	}
	return k.Key.clone(), true
}

func (r *Keyring) signer(domain []byte, now time.Time) *ringKey {
	own, general := r.sets(domain)
	if k := own.signer(now); k != nil {
		return k
	}
	return general.signer(now)
}

func (s *keySet) signer(now time.Time) *ringKey {
	if s == nil {
		return nil
	}
	var best *ringKey
	for _, k := range s.keys {
		if k.signsAt(now) && (best == nil || k.newerThan(&best.Key)) {
			best = k
		}
	}
	return best
}

// sets returns the keys that apply to a canonical domain, nil for none: those
// of its own, and those for all domains.
func (r *Keyring) sets(domain []byte) (own, general *keySet) {
	if n := len(domain); n > 0 && domain[n-1] == '.' {
		domain = domain[:n-1]
	}
	return r.domains[string(domain)], r.general
}

// held returns the key of that number if it still verifies on that day.
func (s *keySet) held(number int, day Day, lifetime int) *ringKey {
	if s == nil {
		return nil
	}
	k := s.byNumber[number]
	if k == nil || !k.verifiesOn(day, lifetime) {
		return nil
	}
	return k
}

// canonicalDomain appends the canonical form of domain to b.
func (r *Keyring) canonicalDomain(b []byte, domain string) []byte {
	return r.labels.append(b, domain)
}

// domainKey is the form of a domain under which its keys are found.
func domainKey(domain string) string {
	return strings.TrimSuffix(toASCII(domain), ".")
}
