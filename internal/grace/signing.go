package grace

import (
	"cmp"
	"encoding/hex"
	"slices"
	"time"
)

// KeyID tells keys apart without their secrets; batv.KeyID is one.
type KeyID [8]byte

// String gives the identity in hex.
func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

// key is what is known of one key; zero times: never.
type key struct {
	First, Last time.Time // signings
	Proven      time.Time // a tag of it came back, first or about daily later
}

// Signed notes that mail of the domain was signed with the key.
func (g *Grace) Signed(name string, id KeyID, now time.Time) {
	name = fold(name)
	g.mu.RLock()
	d, k := g.domains[name], g.keys[id]
	fresh := d != nil && k != nil && g.clock.steady(now) && d.Signing.fresh(now) && isFresh(k.Last, now)
	g.mu.RUnlock()
	if fresh {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now = g.advance(now)
	if k = g.key(id); k != nil {
		if k.First.IsZero() {
			k.First = now
		}
		k.Last = now
		g.saveKey(id, k)
	}
	g.active(name, now, signing)
}

// Unsigned notes that mail of the domain left unsigned, and why in a plain
// phrase: a gap. It is not for what is never signed by design, whose bounces
// cannot miss a tag: null, tagged and rewritten senders, addresses too long,
// unsigned_senders and unsigned_destinations. Of a domain that has never been
// signed nothing is noted.
func (g *Grace) Unsigned(name, why string, now time.Time) { g.interrupt(name, why, now, signing) }

// Recorded notes that mail of the domain was entered in the ledger.
func (g *Grace) Recorded(name string, now time.Time) {
	name = fold(name)
	g.mu.RLock()
	d := g.domains[name]
	fresh := d != nil && g.clock.steady(now) && d.Recording.fresh(now)
	g.mu.RUnlock()
	if fresh {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.active(name, g.advance(now), recording)
}

// Unrecorded notes that mail of the domain could not be entered in the ledger,
// and why: a gap of the recording.
func (g *Grace) Unrecorded(name, why string, now time.Time) {
	g.interrupt(name, why, now, recording)
}

// activity chooses between the two records of a domain.
type activity int

const (
	signing activity = iota
	recording
)

func (d *domain) track(a activity) *Track {
	if a == recording {
		return &d.Recording
	}
	return &d.Signing
}

func (g *Grace) active(name string, now time.Time, a activity) {
	d := g.domain(name)
	if d == nil {
		return
	}
	d.track(a).active(now)
	g.judge(name, d)
	g.saveDomain(name, d)
}

func (g *Grace) interrupt(name, why string, now time.Time, a activity) {
	name = fold(name)
	g.mu.RLock()
	d := g.known(name)
	known := d == nil || g.merged(name, d).track(a).First.IsZero() ||
		g.clock.steady(now) && d.track(a).interruptedLately(now, why)
	g.mu.RUnlock()
	if known {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now = g.advance(now)
	if d = g.domain(name); d == nil {
		return
	}
	d.track(a).interrupted(now, why)
	g.judge(name, d)
	g.saveDomain(name, d)
}

// Prove notes that a tag of the key came back and verified.
func (g *Grace) Prove(id KeyID, now time.Time) {
	g.mu.RLock()
	k := g.keys[id]
	known := k != nil && g.clock.steady(now) && !k.Proven.IsZero() && now.Sub(k.Proven) < day
	g.mu.RUnlock()
	if known {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now = g.advance(now)
	if k = g.key(id); k != nil {
		k.Proven = now
		g.saveKey(id, k)
	}
}

// Proven reports whether a tag of the key has ever come back.
func (g *Grace) Proven(id KeyID) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	k := g.keys[id]
	return k != nil && !k.Proven.IsZero() || g.provenElsewhere(id)
}

func (g *Grace) key(id KeyID) *key {
	k := g.keys[id]
	if k == nil && len(g.keys) < MaxDomains && id != (KeyID{}) {
		k = &key{}
		g.keys[id] = k
	}
	return k
}

// KeyStatus is what is known of a key; zero times: never.
type KeyStatus struct {
	ID          KeyID
	First, Last time.Time // signings
	Proven      time.Time // a tag of it came back
	// Abroad is until when tags of it may come home: a lifetime, and the day
	// of skew that verifying allows, after the last signing.
	Abroad time.Time
}

// Keys lists the keys that have signed or proved themselves, the latest to sign
// first. Where there are some and none of them is in the key file, the file
// has been lost: a new one would make forgeries of genuine bounces.
func (g *Grace) Keys() []KeyStatus {
	g.mu.RLock()
	defer g.mu.RUnlock()
	var list []KeyStatus
	for id, k := range g.allKeys() {
		s := KeyStatus{ID: id, First: k.First, Last: k.Last, Proven: k.Proven}
		if !k.Last.IsZero() {
			s.Abroad = k.Last.Add(g.rules.Lifetime + day)
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b KeyStatus) int {
		return cmp.Or(b.Last.Compare(a.Last), slices.Compare(a.ID[:], b.ID[:]))
	})
	return list
}
