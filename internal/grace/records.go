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
	if !g.take(name, value) {
		g.counts.Unreadable++
	}
	return nil
}

func (g *Grace) take(name string, value []byte) bool {
	switch {
	case name == beatKey:
		return json.Unmarshal(value, &g.clock.record) == nil
	case strings.HasPrefix(name, domainKey):
		d := &domain{}
		ok := json.Unmarshal(value, d) == nil && len(g.domains) < MaxDomains && d.sane()
		if ok {
			g.domains[strings.TrimPrefix(name, domainKey)] = d
		}
		return ok
	case strings.HasPrefix(name, keyKey):
		var id KeyID
		k := &key{}
		text := strings.TrimPrefix(name, keyKey)
		if n, err := hex.Decode(id[:], []byte(text[:min(len(text), 16)])); err != nil || n != len(id) || len(text) != 16 {
			return false
		}
		ok := json.Unmarshal(value, k) == nil && len(g.keys) < MaxDomains
		if ok {
			g.keys[id] = k
		}
		return ok
	}
	return false
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
	if d.worthKeeping() {
		g.save(domainKey+name, d)
	}
}

func (g *Grace) saveKey(id KeyID, k *key) { g.save(keyKey+id.String(), k) }

func (g *Grace) save(name string, record any) {
	if g.store == nil {
		return
	}
	value, err := json.Marshal(record)
	if err != nil { // a year beyond 9999: not worth keeping
		return
	}
	g.store.Put(name, value)
}

func (g *Grace) remove(name string) {
	if g.store != nil {
		g.store.Delete(name)
	}
}
