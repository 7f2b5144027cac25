package grace

import (
	"encoding/hex"
	"encoding/json"
	"strings"
)

// Keys of the records, each a JSON object.
const (
	beatKey   = "beat"
	domainKey = "domain/" // and the domain
	keyKey    = "key/"    // and its identity in hex
)

// read takes a record from the store. One that makes no sense is counted and
// passed over: what it told is not known, which makes nothing strict.
func (g *Grace) read(name string, value []byte) error {
	if !take(name, value, &g.clock.record, g.domains, g.keys) {
		g.counts.Unreadable++
	}
	return nil
}

// take reads a record, of this host or another, into its place.
func take(name string, value []byte, beat *beatRecord, domains map[string]*domain, keys map[KeyID]*key) bool {
	switch {
	case name == beatKey:
		return json.Unmarshal(value, beat) == nil
	case strings.HasPrefix(name, domainKey):
		d := &domain{}
		ok := json.Unmarshal(value, d) == nil && len(domains) < MaxDomains && d.sane()
		if ok {
			domains[strings.TrimPrefix(name, domainKey)] = d
		}
		return ok
	case strings.HasPrefix(name, keyKey):
		id, ok := parseKeyID(strings.TrimPrefix(name, keyKey))
		k := &key{}
		ok = ok && json.Unmarshal(value, k) == nil && len(keys) < MaxDomains
		if ok {
			keys[id] = k
		}
		return ok
	}
	return false
}

func parseKeyID(text string) (id KeyID, ok bool) {
	n, err := hex.Decode(id[:], []byte(text[:min(len(text), 16)]))
	return id, err == nil && n == len(id) && len(text) == 16
}

// sane: the days are in order, as counting them needs.
func (d *domain) sane() bool {
	for _, t := range []*Track{&d.Signing, &d.Recording} {
		for i := 1; i < len(t.Days); i++ {
			if t.Days[i] <= t.Days[i-1] {
				return false
			}
		}
		if len(t.Days) > maxDays || len(t.Gaps) > maxGaps {
			return false
		}
	}
	return true
}

func (g *Grace) saveDomain(name string, d *domain) {
	switch {
	case d.worthKeeping():
		g.save(domainKey+name, d)
	case g.sharing.on: // another host may be the one that receives
		if value, err := json.Marshal(d); err == nil {
			g.tell(domainKey+name, value)
		}
	}
}

func (g *Grace) saveKey(id KeyID, k *key) { g.save(keyKey+id.String(), k) }

func (g *Grace) save(name string, record any) {
	if g.store == nil && !g.sharing.on {
		return
	}
	value, err := json.Marshal(record)
	if err != nil { // a year beyond 9999: not worth keeping
		return
	}
	g.tell(name, value)
	if g.store != nil {
		g.store.Put(name, value)
	}
}

func (g *Grace) remove(name string) {
	g.tell(name, nil)
	if g.store != nil {
		g.store.Delete(name)
	}
}
