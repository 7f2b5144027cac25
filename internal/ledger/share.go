package ledger

import (
	"bytes"
	"slices"
	"time"
)

const (
	// Gone is after how long a host of which nothing is heard is taken to be
	// switched off for good: then only that long after its last sign of life is
	// a gap.
	Gone = day

	maxOldSecrets = 3
	maxOutbox     = maxPending // fingerprints that wait to be told: 512 KiB
)

// hashers are the one that new entries are made with, and those of entries from
// before a site agreed on another secret.
type hashers struct {
	now    hasher
	old    []hasher
	secret []byte // of now
	before []byte // those of old, one behind the other
}

func (l *Ledger) setSecrets(secret, old []byte) {
	h := &hashers{now: newHasher(secret), secret: secret, before: old}
	for s := range slices.Chunk(old, secretOctets) {
		if len(s) == secretOctets && len(h.old) < maxOldSecrets {
			h.old = append(h.old, newHasher(s))
		}
	}
	l.hash.Store(h)
}

// Peer is what another host says of its record, and how much of it is known
// here.
type Peer struct {
	Begun time.Time            // what was recorded there before is not known here
	Gaps  []Gap                // in any order
	First map[string]time.Time // first entries of domains
	Until time.Time            // what was recorded there until then is known here
}

// sharing is what is known of other hosts.
type sharing struct {
	on     bool
	known  bool // all peers have been heard of since the start
	peers  []Peer
	begun  time.Time
	firsts map[string]time.Time // the earliest of the peers
}

// first is a domain's first entry on any host.
func (s *sharing) first(domain string, own map[string]time.Time) (time.Time, bool) {
	first, ok := own[domain]
	if other, known := s.firsts[domain]; known && (!ok || other.Before(first)) {
		return other, true
	}
	return first, ok
}

// covers reports whether what the other hosts recorded at that time is known
// here, and whether it was all.
func (s *sharing) covers(t, now time.Time) bool {
	if !s.on {
		return true
	}
	if !s.known || len(s.peers) > 0 && !t.After(s.begun.Add(Skew)) {
		return false // what left here before it was recorded, another host's domain may have sent
	}
	for i := range s.peers {
		if !s.peers[i].covers(t, now) {
			return false
		}
	}
	return true
}

func (p *Peer) covers(t, now time.Time) bool {
	if p.Until.IsZero() || !t.After(p.Begun.Add(Skew)) || gaps(p.Gaps).holds(t) {
		return false
	}
	if t.Before(p.Until.Add(-Skew)) {
		return true
	}
	gone := p.Until.Add(Gone)
	return now.After(gone) && t.After(gone.Add(Skew))
}

// Share begins to share the record with other hosts of the site, under their
// common secret. Until SetPeers has told of all of them the ledger covers
// nothing; what it has still proves. Where the secret is another one, entries
// from before go on to prove here, but are of no use to others, nor covered.
func (l *Ledger) Share(secret []byte) {
	l.guarded(func() {
		l.take()
		l.flush()
		h := l.hash.Load()
		same := bytes.Equal(h.secret, secret)
		l.mu.Lock()
		l.sharing.on = true
		if l.sharing.begun.IsZero() || !same {
			l.sharing.begun = l.beginning(same)
		}
		begun := l.sharing.begun
		l.mu.Unlock()
		if !same {
			l.replaceSecret(h, secret)
		}
		l.save(begunKey, begun.Unix())
	})
}

// beginning is since when this host has entries that others can use. With the
// lock held.
func (l *Ledger) beginning(same bool) time.Time {
	begun := l.clock.peek(l.options.Now())
	if same {
		for _, first := range l.first {
			if first.Before(begun) {
				begun = first
			}
		}
	}
	return begun
}

func (l *Ledger) replaceSecret(h *hashers, secret []byte) {
	old := slices.Concat(h.secret, h.before)
	old = old[:min(len(old), maxOldSecrets*secretOctets)]
	l.setSecrets(slices.Clone(secret), old)
	l.work.outbox = nil
	if l.options.Store != nil {
		l.options.Store.Put(secretKey, slices.Clone(secret))
		l.options.Store.Put(oldSecretsKey, old)
	}
}

func (l *Ledger) loadBegun(meta map[string][]byte) {
	if n, ok := parseSeconds(meta[begunKey]); ok {
		l.sharing.begun = seconds(n)
	}
}

func parseSeconds(text []byte) (n int64, ok bool) {
	for _, c := range text {
		if c < '0' || c > '9' || n > 1<<40 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(text) > 0
}

// Secret is what the fingerprints are made under. It is for other hosts of the
// site alone.
func (l *Ledger) Secret() []byte { return slices.Clone(l.hash.Load().secret) }

// SetPeers tells of all other hosts of the site that are known.
func (l *Ledger) SetPeers(peers []Peer) {
	firsts := map[string]time.Time{}
	peers = slices.Clone(peers)
	for i, p := range peers {
		peers[i].Gaps = apart(p.Gaps)
		for domain, at := range p.First {
			if before, ok := firsts[domain]; !ok || at.Before(before) {
				firsts[domain] = at
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sharing.known, l.sharing.peers, l.sharing.firsts = true, peers, firsts
}

// Self is what this host says of its record: all that was recorded before Until
// has been given by Fresh.
func (l *Ledger) Self() Peer {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := Peer{Begun: l.sharing.begun, Gaps: slices.Clone(l.gaps), First: make(map[string]time.Time, len(l.first))}
	if l.floor.After(p.Begun) {
		p.Begun = l.floor
	}
	for domain, at := range l.first {
		p.First[domain] = at
	}
	if !l.lostFrom.IsZero() {
		p.Gaps = append(p.Gaps, Gap{l.lostFrom, l.clock.peek(l.options.Now()), "more messages at once than could be recorded"})
	}
	return p
}

// tell keeps a fingerprint for Fresh, where hosts share.
func (l *Ledger) tell(fp uint64) {
	w := &l.work
	if len(w.outbox) >= maxOutbox {
		w.untold = true
		return
	}
	w.outbox = append(w.outbox, fp)
}

func (l *Ledger) shares() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sharing.on
}

// Fresh gives what was recorded here since it was last called, and until when
// that is complete. all is false where there was more than it keeps: then the
// rest is found by Entries only.
func (l *Ledger) Fresh() (fps []uint64, until time.Time, all bool) {
	l.guarded(func() {
		until = l.now()
		l.take()
		l.flush()
		fps, all = l.work.outbox, !l.work.untold
		l.work.outbox, l.work.untold = nil, false
	})
	return fps, until, all
}

// Merge takes in what another host has recorded on a day. What is no
// fingerprint is passed over.
func (l *Ledger) Merge(day int, fps []uint64) {
	l.guarded(func() {
		now := l.tick()
		today := dayOf(now)
		if day > today {
			day = today
		}
		if l.index.days[day] == nil && day < dayOf(l.horizon(now)) {
			return // it would leave at once
		}
		for fps := range slices.Chunk(slices.DeleteFunc(fps, func(fp uint64) bool { return !known(fp) }), maxGroup) {
			l.insert(day, fps, false)
		}
	})
}

// horizon is what entries have to be later than: the lifetime, and the days that
// had to go before it for want of room.
func (l *Ledger) horizon(now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lived := now.Add(-l.lifetime); lived.After(l.floor) {
		return lived
	}
	return l.floor
}

// Days are the days, since 1970-01-01 UTC, of which there are entries, the
// latest first.
func (l *Ledger) Days() (days []int) {
	l.guarded(func() { l.take(); days = l.index.sorted() })
	return days
}

// Entries are all fingerprints whose latest day is this one, in no order.
func (l *Ledger) Entries(day int) (fps []uint64) {
	l.guarded(func() {
		if n := l.index.days[day]; n == nil {
			return
		}
		l.index.each(day, func(fp uint64) { fps = append(fps, fp) })
	})
	return fps
}

func (x *index) each(day int, fn func(fp uint64)) {
	for i := range x.shards {
		s := &x.shards[i]
		slots := *s.slots.Load()
		for at, d := range s.days {
			if int(d) == day {
				if fp := slots[at].Load(); fp != 0 {
					fn(fp)
				}
			}
		}
	}
}

// EncodeGroup writes fingerprints for another host, DecodeGroup reads them.
func EncodeGroup(fps []uint64) []byte { return encodeGroup(fps) }

// DecodeGroup reports whether it is a group.
func DecodeGroup(group []byte) ([]uint64, bool) { return decodeGroup(nil, group) }
