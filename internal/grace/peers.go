package grace

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
)

// Gone is after how long a host of which nothing is heard is taken to be
// switched off for good. What it did in that time is not known: a gap.
const Gone = day

const (
	maxPeers  = 64
	maxOutbox = 4 * MaxDomains // records that wait to be told
	maxRecord = 32 << 10       // octets of a record of another host; ours are far smaller
)

// sharing is what is known of other hosts of the site. Each host keeps its own
// record; what is asked is answered from all of them together.
type sharing struct {
	on     bool
	known  bool // all hosts have been heard of since the start
	silent string
	peers  map[string]*peer
	others map[string]*domain // that only other hosts know; what is kept here is strict alone
	outbox map[string][]byte  // records that other hosts have not been told; nil: removed
	untold bool               // there was no room for some
}

// peer is the record of another host.
type peer struct {
	name    string
	heard   time.Time
	beat    beatRecord
	domains map[string]*domain
	keys    map[KeyID]*key
}

// PeerState says until when another host has been heard of.
type PeerState struct {
	ID    string
	Name  string    // for people
	Heard time.Time // zero: it is there, but what it says cannot be relied on
}

// heard reports whether nothing is missing of what other hosts did.
func (s *sharing) heard() bool { return !s.on || s.known && s.silent == "" }

// Share begins to share the record with other hosts. Until SetPeers has told of
// all of them nothing is strict.
func (g *Grace) Share() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.sharing.on {
		g.sharing = sharing{on: true, peers: map[string]*peer{}, others: map[string]*domain{}, outbox: map[string][]byte{}}
	}
}

func (g *Grace) tell(name string, value []byte) {
	if !g.sharing.on {
		return
	}
	if _, waits := g.sharing.outbox[name]; !waits && len(g.sharing.outbox) >= maxOutbox {
		g.sharing.untold = true
		return
	}
	g.sharing.outbox[name] = value
}

// Changed gives the records that have changed since it was last called; nil: it
// is no more. all is false where there were more than it keeps: then the others
// have to be given all Records.
func (g *Grace) Changed() (records map[string][]byte, all bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	all = !g.sharing.untold
	g.sharing.untold = false
	if len(g.sharing.outbox) > 0 { // else it goes on to be written to
		records, g.sharing.outbox = g.sharing.outbox, map[string][]byte{}
	}
	return records, all
}

// Records gives all records of this host.
func (g *Grace) Records() map[string][]byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	kept, untold := g.sharing.outbox, g.sharing.untold
	g.sharing.outbox = map[string][]byte{}
	store := g.store
	g.store = nil
	g.save(beatKey, &g.clock.record)
	for name, d := range g.domains {
		g.saveDomain(name, d)
	}
	for id, k := range g.keys {
		g.saveKey(id, k)
	}
	g.store = store
	all := g.sharing.outbox
	g.sharing.outbox, g.sharing.untold = kept, untold
	return all
}

// MergeRecord takes in a record of another host; a nil value: it is no more. It
// reports whether it could be read: one that could not is as if it were not
// there, and the host as if it had begun just now.
func (g *Grace) MergeRecord(host, name string, value []byte, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now = later(wall(now), g.clock.now)
	p := g.sharing.peer(host)
	if p == nil {
		return false
	}
	domain, isDomain := strings.CutPrefix(name, domainKey)
	delete(p.domains, domain)
	id, isKey := parseKeyID(strings.TrimPrefix(name, keyKey))
	delete(p.keys, id)
	before := p.beat
	if name == beatKey {
		p.beat = beatRecord{} // what the new one does not say is so no more
	}
	ok := value == nil || sized(name, value) && take(name, value, &p.beat, p.domains, p.keys) && len(p.beat.Gaps) <= maxGaps
	if !ok {
		g.counts.Unreadable++
		p.beat.Begun, p.beat.Gaps = now, p.beat.Gaps[:min(len(p.beat.Gaps), maxGaps)]
	}
	if d := p.domains[domain]; d != nil {
		d.clip(now)
	}
	if k := p.keys[id]; isKey && k != nil {
		clip(now, &k.First, &k.Last, &k.Proven)
	}
	switch {
	case isDomain:
		g.noteOther(domain)
	case name == beatKey:
		clipGaps(p.beat.Gaps, now)
	}
	if !before.Begun.Equal(p.beat.Begun) || !lastEnd(before.Gaps).Equal(lastEnd(p.beat.Gaps)) {
		g.judgeAll()
	}
	return ok
}

// sized reports whether a record is of a size that ours have.
func sized(name string, value []byte) bool {
	return len(name) <= len(domainKey)+maxName && len(value) <= maxRecord
}

func (s *sharing) peer(id string) *peer {
	p := s.peers[id]
	if p == nil && s.on && len(s.peers) < maxPeers {
		p = &peer{domains: map[string]*domain{}, keys: map[KeyID]*key{}}
		s.peers[id] = p
	}
	return p
}

// noteOther keeps account of domains that only other hosts know.
func (g *Grace) noteOther(name string) {
	d := g.known(name)
	switch {
	case g.domains[name] == nil && !g.sharing.knows(name):
		delete(g.sharing.others, name)
		return
	case d == nil && len(g.sharing.others) >= MaxDomains:
		g.counts.NotLearned++
		return
	case d == nil:
		d = &domain{}
		g.sharing.others[name] = d
	}
	g.judge(name, d)
}

// knows reports whether any other host knows a domain.
func (s *sharing) knows(name string) bool {
	for _, p := range s.peers {
		if p.domains[name] != nil {
			return true
		}
	}
	return false
}

// SetPeers tells which other hosts there are. The records of those that are not
// named are forgotten.
func (g *Grace) SetPeers(states []PeerState, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now = later(wall(now), g.clock.now)
	s := &g.sharing
	changed := !s.known
	s.known = true
	named := make(map[string]bool, len(states))
	silent := ""
	for _, state := range states {
		named[state.ID] = true
		p := s.peer(state.ID)
		if p == nil {
			silent = "too many hosts" // not all are known
			continue
		}
		before := p.gone(now)
		p.name, p.heard = state.Name, wall(state.Heard)
		changed = changed || before != p.gone(now)
		if now.Sub(p.heard) > Hole && !p.gone(now) {
			silent = cmp.Or(p.name, state.ID)
		}
	}
	for id := range s.peers {
		if !named[id] {
			delete(s.peers, id)
			changed = true
		}
	}
	maps.DeleteFunc(s.others, func(name string, _ *domain) bool { return changed && !s.knows(name) })
	s.silent = silent
	if changed {
		g.judgeAll()
	}
}

func (p *peer) gone(now time.Time) bool { return !p.heard.IsZero() && now.Sub(p.heard) > Gone }

// known is what this host keeps of a domain, nil if no host knows it.
func (g *Grace) known(name string) *domain {
	if d := g.domains[name]; d != nil {
		return d
	}
	return g.sharing.others[name]
}

// each are the domains that any host knows.
func (g *Grace) each() iter.Seq2[string, *domain] {
	return func(yield func(string, *domain) bool) {
		for name, d := range g.domains {
			if !yield(name, d) {
				return
			}
		}
		for name, d := range g.sharing.others {
			if !yield(name, d) {
				return
			}
		}
	}
}

// merged is what all hosts know of a domain together: what any has done counts,
// and what speaks against strictness on any does.
func (g *Grace) merged(name string, d *domain) *domain {
	if len(g.sharing.peers) == 0 {
		return d
	}
	m := *d
	for _, p := range g.sharing.peers {
		o := p.domains[name]
		if o == nil {
			continue
		}
		m.Accepted, m.Sent = min(m.Accepted+o.Accepted, Sightings), min(m.Sent+o.Sent, Sightings)
		m.LastIn, m.LastOut = later(m.LastIn, o.LastIn), later(m.LastOut, o.LastOut)
		m.Signing = m.Signing.with(&o.Signing)
		m.Recording = m.Recording.with(&o.Recording)
		if o.Elsewhere.What != "" && (m.Elsewhere.What == "" || o.Elsewhere.At.After(m.Elsewhere.At)) {
			m.Elsewhere = o.Elsewhere
		}
		m.SPF = m.SPF.with(o.SPF)
	}
	return &m
}

// with is the activity of two hosts together.
func (t Track) with(o *Track) Track {
	if t.First.IsZero() || !o.First.IsZero() && o.First.Before(t.First) {
		t.First = o.First
	}
	t.Last = later(t.Last, o.Last)
	t.Days = slices.Concat(t.Days, o.Days)
	slices.Sort(t.Days)
	t.Days = slices.Compact(t.Days)
	t.Gaps = slices.Concat(t.Gaps, o.Gaps)
	return t
}

// with is what two hosts found: others who may send count unless the finding is
// out of date.
func (s SPF) with(o SPF) SPF {
	newer, older := s, o
	if o.At.After(s.At) {
		newer, older = o, s
	}
	if newer.Others == "" && older.Others != "" && newer.At.Sub(older.At) < 2*day {
		newer.Others = older.Others
	}
	return newer
}

// downtime is when any host was down, or before it began to be one of the site:
// what left there then is not known.
func (g *Grace) downtime() []Gap {
	if len(g.sharing.peers) == 0 {
		return g.clock.record.Gaps
	}
	begun := g.clock.record.Begun
	all := slices.Concat(g.clock.record.Gaps, []Gap{{begun, begun, "this host began"}})
	for id, p := range g.sharing.peers {
		name := cmp.Or(p.name, id)
		all = append(all, p.beat.Gaps...)
		begun := p.beat.Begun
		if begun.IsZero() { // it is not known
			begun = p.heard
		}
		all = append(all, Gap{begun, begun, fmt.Sprintf("host %s joined", name)})
		if p.gone(g.clock.now) {
			all = append(all, Gap{p.heard, p.heard.Add(Gone), fmt.Sprintf("host %s was silent", name)})
		}
	}
	return all
}

func (g *Grace) provenElsewhere(id KeyID) bool {
	for _, p := range g.sharing.peers {
		if k := p.keys[id]; k != nil && !k.Proven.IsZero() {
			return true
		}
	}
	return false
}

// allKeys are the keys of all hosts.
func (g *Grace) allKeys() map[KeyID]*key {
	if len(g.sharing.peers) == 0 {
		return g.keys
	}
	all := make(map[KeyID]*key)
	add := func(keys map[KeyID]*key) {
		for id, k := range keys {
			m := all[id]
			if m == nil {
				m = &key{}
				all[id] = m
			}
			if m.First.IsZero() || !k.First.IsZero() && k.First.Before(m.First) {
				m.First = k.First
			}
			m.Last, m.Proven = later(m.Last, k.Last), later(m.Proven, k.Proven)
		}
	}
	add(g.keys)
	for _, p := range g.sharing.peers {
		add(p.keys)
	}
	return all
}

// firstActivity is when the record began, as far as it can be told.
func (g *Grace) firstActivity(now time.Time) time.Time {
	first := now
	for _, d := range g.domains {
		for _, at := range []time.Time{d.Signing.First, d.Recording.First} {
			if !at.IsZero() && at.Before(first) {
				first = at
			}
		}
	}
	return first
}

// missingHosts says which hosts have to be heard of.
func (g *Grace) missingHosts() []string {
	s := &g.sharing
	switch {
	case s.heard():
		return nil
	case !s.known:
		return []string{"the other hosts of the site have not been heard of since the start: the shared store has to be reached"}
	}
	return []string{fmt.Sprintf("nothing is heard of the host %s, which may be sending: it, or the shared store, has to be reached", s.silent)}
}
