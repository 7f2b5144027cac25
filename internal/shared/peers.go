package shared

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/redis/go-redis/v9"

	"github.com/backscatter-milter/backscatter-milter/internal/grace"
	"github.com/backscatter-milter/backscatter-milter/internal/ledger"
)

// peer is another host.
type peer struct {
	record  hostRecord
	edge    uint64        // of record; 0: it has to be read
	until   time.Time     // its news are complete, by its clock but never after ours; zero: that is not known
	heard   time.Time     // it was there, by our clock; zero: not since the start
	doubted bool          // its clock is not to be believed
	skew    time.Duration // of its clock, against ours
	run     string        // of its daemon
	joins   int64
}

// last is when it was last there, as far as that is known.
func (p *peer) last() time.Time { return later(p.until, p.heard) }

// known is until when its news are complete, zero where that is not known: of a
// host that is there, but by a clock that cannot be right.
func (p *peer) known(now time.Time) time.Time {
	switch {
	case !p.doubted && !p.until.IsZero():
		return p.until
	case now.Sub(p.heard) > ledger.Gone:
		return p.last()
	}
	return time.Time{}
}

// peerOf is what is known of a host, nil where there are more than can be.
func (l *Link) peerOf(id string) *peer {
	p := l.peers[id]
	if p == nil && len(l.peers) >= maxHosts {
		l.crowded = true
		l.damaged("more hosts than can be")
		return nil
	}
	if p == nil {
		p = &peer{}
		l.peers[id] = p
	}
	return p
}

// readHosts reads what all hosts say of themselves.
func (l *Link) readHosts(ctx context.Context) error {
	now := l.options.Now()
	l.crowded = false
	err := l.scan(ctx, hostsKey, pageHosts, func(id, value string) {
		if id == l.id || id == "" || len(id) > idOctets {
			return
		}
		p := l.peerOf(id)
		if p == nil {
			return
		}
		l.takeHost(p, value)
		if until := time.UnixMilli(p.record.Until); p.record.Until > 0 && until.Sub(now) < skewBad {
			p.until = later(p.until, earlier(until, now))
		}
		if p.last().IsZero() {
			p.heard = now
		}
	})
	if err != nil {
		return err
	}
	err = l.do(ctx, func(p redis.Pipeliner) { // of those that the store has lost
		for id, peer := range l.peers {
			r := peer.record
			r.Until = peer.until.UnixMilli()
			if what, err := json.Marshal(r); err == nil {
				p.HSetNX(ctx, hostsKey, id, what)
			}
		}
	})
	if err != nil {
		return err
	}
	for id := range l.peers {
		err := l.scan(ctx, graceHash(id), pageHash, func(name, record string) {
			if !l.options.Grace.MergeRecord(id, name, []byte(record), l.options.Now()) {
				l.damaged("a record in " + graceHash(id))
			}
		})
		if err != nil {
			return err
		}
	}
	l.concludeGrace()
	return nil
}

// takeHost reads what a host says of itself. Where that makes no sense nothing
// from before now is believed to be known of it.
func (l *Link) takeHost(p *peer, value string) bool {
	r, ok := decodeHost(value)
	if !ok {
		l.damaged("a host in " + hostsKey)
		p.record.Begun = l.options.Now()
		return false
	}
	p.record = r
	return true
}

const (
	maxHostOctets = 4 << 20 // of a host's record: ten thousand domains fit
	maxHostGaps   = 512
)

func decodeHost(value string) (r hostRecord, ok bool) {
	if len(value) > maxHostOctets || json.Unmarshal([]byte(value), &r) != nil ||
		len(r.First) > ledger.MaxDomains || len(r.Gaps) > maxHostGaps {
		return hostRecord{}, false
	}
	r.Name = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}, r.Name[:min(len(r.Name), 255)])
	return r, true
}

func (l *Link) readHost(ctx context.Context, id string, p *peer, edge uint64) error {
	var value *redis.StringCmd
	err := l.do(ctx, func(pipe redis.Pipeliner) { value = pipe.HGet(ctx, hostsKey, id) })
	if err == nil && l.takeHost(p, value.Val()) {
		p.edge = edge
	}
	return err
}

// hearSelf learns from our own beat how far the store's clock is from ours.
func (l *Link) hearSelf(m redis.XMessage) {
	if b, at, ok := parseBeat(m); ok {
		l.skew, l.self = at.Sub(time.UnixMilli(b.Until)), true
	}
}

func parseBeat(m redis.XMessage) (b beat, at time.Time, ok bool) {
	p, ok := parsePosition(m.ID)
	s := text(m, beatField)
	if !ok || s == "" || json.Unmarshal([]byte(s), &b) != nil || b.Until <= 0 {
		return b, at, false
	}
	return b, time.UnixMilli(int64(p.ms)), true
}

// hearBeat notes that a host is alive.
func (l *Link) hearBeat(ctx context.Context, id string, m redis.XMessage) error {
	b, at, ok := parseBeat(m)
	if !ok {
		l.damaged("a beat in " + liveKey)
		return nil
	}
	run := text(m, instanceField)
	if id == l.id {
		return l.hearTwin(run)
	}
	p := l.peerOf(id)
	if p == nil {
		return nil
	}
	if p.edge != b.Edge {
		if err := l.readHost(ctx, id, p, b.Edge); err != nil {
			return err
		}
	}
	if p.run != run || p.joins != b.Join {
		p.run, p.joins, l.greet = run, b.Join, true
	}
	now, until := l.options.Now(), time.UnixMilli(b.Until)
	l.compareClocks(p, at.Sub(until))
	p.heard, p.doubted, l.changed = now, until.Sub(now) >= skewBad, true
	if !p.doubted {
		p.until = later(p.until, earlier(until, now))
	}
	return nil
}

// compareClocks tells, once, of a host whose clock differs from ours.
func (l *Link) compareClocks(p *peer, behind time.Duration) {
	if !l.self {
		return
	}
	before := p.skew.Abs() > skewLimit
	p.skew = l.skew - behind
	if !before && p.skew.Abs() > skewLimit {
		l.options.Report(Event{Warning: true, Text: "the clock of host " + strconv.Quote(p.record.Name) + " differs from ours by " + p.skew.Round(time.Second).String() +
			": what it records is believed later, or not at all"})
	}
}

// hearTwin is called for a beat of another daemon that goes by our name. Where it
// follows ours in the stream it is no earlier run: its state folder, or ours, is
// a copy, and one of the two takes a new name.
func (l *Link) hearTwin(run string) error {
	if !l.self || l.instance < run {
		return nil
	}
	l.newID()
	l.options.Report(Event{Warning: true, Text: "another host has a copy of this state folder; this one takes a new identity"})
	return missed
}

// conclude tells ledger and grace how far the other hosts are known.
func (l *Link) conclude() {
	l.changed = false
	now := l.options.Now()
	peers := make([]ledger.Peer, 0, len(l.peers)+2)
	for _, p := range l.peers {
		peers = append(peers, ledger.Peer{Begun: p.record.Begun, Gaps: p.record.Gaps, First: p.record.First, Until: p.known(now)})
	}
	if len(l.doubts) > 0 {
		peers = append(peers, ledger.Peer{Gaps: l.doubts, Until: now})
	}
	if l.crowded {
		peers = append(peers, ledger.Peer{}) // of which nothing is known
	}
	l.options.Ledger.SetPeers(peers)
	l.concludeGrace()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Hosts = l.hosts()
}

func (l *Link) concludeGrace() {
	now := l.options.Now()
	states := make([]grace.PeerState, 0, len(l.peers)+1)
	for id, p := range l.peers {
		states = append(states, grace.PeerState{ID: id, Name: p.record.Name, Heard: p.known(now)})
	}
	if l.crowded {
		states = append(states, grace.PeerState{Name: "beyond the " + strconv.Itoa(maxHosts) + " that there can be"})
	}
	l.options.Grace.SetPeers(states, now)
}
