package knowledge

import (
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/grace"
)

// lostKeys reports whether a key that made tags which may still come home is
// not in the key file: its tags are taken for forgeries, or for none.
func (k *Site) lostKeys(keys *batv.Keyring, now time.Time) bool {
	held := make(map[grace.KeyID]bool)
	for _, key := range keys.Keys() {
		held[grace.KeyID(key.ID())] = true
	}
	for _, key := range k.grace.Keys() {
		if key.Abroad.After(now) && !held[key.ID] {
			return true
		}
	}
	return false
}

// lifetimeFell reports whether tags lived longer before, as far as the store
// remembers, and notes how long they live now.
func (k *Site) lifetimeFell(lifetime time.Duration) bool {
	before := time.Duration(k.lifetime.Swap(int64(lifetime)))
	if before == 0 {
		before = k.lifetimeStored()
	}
	if k.store != nil {
		k.store.Bucket(siteBucket).Put("lifetime", []byte(lifetime.String()))
	}
	return lifetime < before
}

// lifetimeStored is how long tags lived when the daemon ran before, 0 where that
// is not known.
func (k *Site) lifetimeStored() (before time.Duration) {
	if k.store == nil {
		return 0
	}
	err := k.store.Bucket(siteBucket).Each(func(key string, value []byte) (err error) {
		if key == "lifetime" {
			before, err = time.ParseDuration(string(value))
		}
		return err
	})
	if err != nil {
		k.failed("read store", err)
	}
	return before
}

// unsteady notes a gap, which ends now, for every domain whose mail leaves
// unsigned by the settings in force, or whose tags cannot all be verified: while
// that lasts, and for a lifetime after, nothing may be missed. Mail that leaves
// while hands are off is not on record either.
func (k *Site) unsteady() {
	handsOff, now := k.handsOff(), k.now()
	lost := k.lost.Load()
	k.interrupt(func(domain string) string {
		why := handsOff(domain)
		if why != "" {
			k.grace.Unrecorded(domain, why, now)
		}
		if lost {
			why = "a key whose tags may still come home is not in the key file"
		}
		return why
	})
}

// handsOff tells why hands are off a domain by the settings in force, "" if they
// are not.
func (k *Site) handsOff() func(domain string) string {
	cfg := k.cfg.Load()
	modes := make(map[string]config.Mode)
	for _, d := range cfg.DomainSettings {
		modes[config.FoldDomain(d.Name)] = d.Mode
	}
	return func(domain string) string {
		mode := cfg.Mode
		if own := modes[domain]; own != "" {
			mode = own
		}
		switch {
		case mode == config.ModeOff:
			return `mode = "off"`
		case !cfg.Domains.Empty() && !cfg.Domains.Match(domain):
			return "the domain was not one of those named"
		}
		return ""
	}
}

// interrupt notes a gap for every domain that why gives a reason for.
func (k *Site) interrupt(why func(domain string) string) {
	now := k.now()
	for _, s := range k.grace.All(now) {
		if reason := why(s.Domain); reason != "" {
			k.grace.Unsigned(s.Domain, reason, now)
		}
	}
}
