package batv

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// RotateOptions say how keys are changed.
type RotateOptions struct {
	// Domain names the set of keys: those that this domain has for itself. ""
	// names the keys for all domains.
	Domain string
	// Wait is how long the next key only verifies before it signs, so that every
	// host has it by then; 0 has it sign at once.
	Wait time.Duration
	// Lifetime of tags in days: keys retired for longer, and a day more for
	// clocks that differ, are dropped.
	Lifetime int
}

// Rotation says what has become of the keys. Its keys are copies, secrets
// included.
type Rotation struct {
	Next    Key   // signs next; its SignFrom says from when
	Added   bool  // Next is new; else it had been announced and signs earlier now
	Retired []Key // stop signing at that moment, and verify for a lifetime longer
	Dropped []Key // retired so long ago that no tag of theirs is valid
}

// ErrAnnounced is the reason why keys are not changed when the next key has
// been announced by an earlier change and does not sign yet.
var ErrAnnounced = errors.New("the next key is announced already")

// Rotate returns the keys with the next one added, as the package
// documentation has it under Keys: from now+Wait on it signs, and those that
// sign until then are retired. Its number is the first free one after that of
// the present key, going round after 9, so that a number is long unused when it
// comes back.
//
// Where the next key has been announced already and Wait is 0, that one signs
// at once and none is added. Otherwise the error is ErrAnnounced. It is an
// error, too, when no key is for Domain, and when all ten numbers are needed.
func (r *Keyring) Rotate(now time.Time, o RotateOptions) (*Keyring, Rotation, error) {
	c, err := newChange(r.Keys(), now, o)
	if err != nil {
		return nil, Rotation{}, err
	}
	c.drop(o.Lifetime)
	if err := c.succeed(o.Wait); err != nil {
		return nil, Rotation{}, err
	}
	rotated, err := NewKeyring(c.keys...)
	return rotated, c.result, err
}

// change is a rotation under way.
type change struct {
	keys   []Key // all of the file
	scope  []string
	of     string // the scope in words
	now    time.Time
	result Rotation
}

// newChange finds the keys that are meant: those with the same domains as the
// key that signs for the domain, or where none does, as the last one that is
// for it.
func newChange(keys []Key, now time.Time, o RotateOptions) (*change, error) {
	c := &change{keys: keys, now: now.UTC().Truncate(time.Second), of: "all domains"}
	domain := domainKey(o.Domain)
	var model *Key
	for i := range keys {
		k := &keys[i]
		if inScope(k, domain) && (model == nil || k.signsAt(now) && (!model.signsAt(now) || k.newerThan(model))) {
			model = k
		}
	}
	switch {
	case model == nil && domain == "":
		return nil, errors.New("no key is for all domains: name one of the domains that have keys")
	case model == nil:
		return nil, fmt.Errorf("no key is for %q alone", o.Domain)
	case domain != "":
		c.scope = scopes([]Key{*model})
		c.of = strings.Join(c.scope, ", ")
	}
	return c, c.separate()
}

// separate refuses keys that are for some of the domains and for others, too:
// to retire one would take the others' signer away.
func (c *change) separate() error {
	for i := range c.keys {
		k := &c.keys[i]
		if scope, both := c.touches(k); both && !c.has(k) {
			return fmt.Errorf("key number %d is for %s and for other domains, too: give the domains that share a key the same list in every key", k.Number, scope)
		}
	}
	return nil
}

// has reports whether the key is of the set that is changed.
func (c *change) has(k *Key) bool {
	if c.scope == nil {
		return len(k.Domains) == 0
	}
	return slices.Equal(scopes([]Key{*k}), c.scope) && len(k.Domains) > 0
}

func (c *change) touches(k *Key) (scope string, both bool) {
	for _, scope := range c.scope {
		if inScope(k, scope) {
			return scope, true
		}
	}
	return "", false
}

// spent is the day after which a key that is retired has no valid tag abroad,
// whatever the clock of the host that asks.
func spent(k *Key, lifetime int) Day { return DayOf(k.Retired) + Day(lifetime) + clockSkew }

func (c *change) drop(lifetime int) {
	c.keys = slices.DeleteFunc(c.keys, func(k Key) bool {
		gone := c.has(&k) && !k.Retired.IsZero() && DayOf(c.now) > spent(&k, lifetime)
		if gone {
			c.result.Dropped = append(c.result.Dropped, k)
		}
		return gone
	})
}

// succeed has the next key take over.
func (c *change) succeed(wait time.Duration) error {
	present := c.present()
	at := c.now.Add(wait)
	if present != nil && !at.After(present.SignFrom) {
		at = present.SignFrom.Add(time.Second) // each has its second at least
	}
	next := c.announced()
	switch {
	case next != nil && wait > 0:
		return fmt.Errorf("%w: number %d for %s signs from %s", ErrAnnounced, next.Number, c.of, next.SignFrom.UTC().Format(time.RFC3339))
	case next != nil:
		next.SignFrom = at
	default:
		number, err := c.freeNumber(present)
		if err != nil {
			return err
		}
		c.add(number, at)
		next = &c.keys[len(c.keys)-1]
		c.result.Added = true
	}
	c.result.Next = next.clone()
	for i := range c.keys {
		k := &c.keys[i]
		// A key whose end was set earlier ends then.
		if k.Number != next.Number && c.has(k) && k.signs() && (k.Retired.IsZero() || k.Retired.After(at)) {
			k.Retired = at
			c.result.Retired = append(c.result.Retired, k.clone())
		}
	}
	return nil
}

// present is the key that signs now, nil for none.
func (c *change) present() *Key {
	var best *Key
	for i := range c.keys {
		if k := &c.keys[i]; c.has(k) && k.signsAt(c.now) && (best == nil || k.newerThan(best)) {
			best = k
		}
	}
	return best
}

// announced is the key that is to sign, but not yet.
func (c *change) announced() *Key {
	for i := range c.keys {
		if k := &c.keys[i]; c.has(k) && k.SignFrom.After(c.now) {
			return k
		}
	}
	return nil
}

func (c *change) add(number int, signFrom time.Time) {
	k := Key{Number: number, Secret: newSecret(), SignFrom: signFrom, Created: c.now}
	for i := range c.keys {
		if c.has(&c.keys[i]) {
			k.Domains = slices.Clone(c.keys[i].Domains) // as they are written there
			break
		}
	}
	if k.Domains == nil {
		k.Domains = slices.Clone(c.scope)
	}
	c.keys = append(c.keys, k)
}

func newSecret() []byte {
	secret := make([]byte, secretSize)
	rand.Read(secret) // never fails
	return secret
}

// freeNumber is the first number after the present key's that no key of the
// set has.
func (c *change) freeNumber(present *Key) (int, error) {
	var used [10]bool
	last := -1
	var first *Key // to be dropped
	for i := range c.keys {
		k := &c.keys[i]
		if !c.has(k) {
			continue
		}
		used[k.Number] = true
		last = k.Number
		if !k.Retired.IsZero() && (first == nil || k.Retired.Before(first.Retired)) {
			first = k
		}
	}
	if present != nil {
		last = present.Number
	}
	for i := 1; i <= len(used); i++ {
		if number := (last + i) % len(used); !used[number] {
			return number, nil
		}
	}
	if first == nil {
		return 0, fmt.Errorf("all ten numbers for %s are in use: retire keys, or delete those that never sign, first", c.of)
	}
	return 0, fmt.Errorf("all ten numbers for %s are in use: the first to come free is %d, retired %s, a lifetime and a day later",
		c.of, first.Number, first.Retired.UTC().Format(time.DateOnly))
}
