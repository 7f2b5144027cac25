package shared

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/backscatter-milter/backscatter-milter/internal/flood"
	"github.com/backscatter-milter/backscatter-milter/internal/ledger"
)

// listen takes in what is new, until there is no more.
func (l *Link) listen(ctx context.Context) error {
	for ctx.Err() == nil {
		var live, floods *redis.XStreamSliceCmd
		read := func(p redis.Pipeliner, key string, from position) *redis.XStreamSliceCmd {
			return p.XRead(ctx, &redis.XReadArgs{Streams: []string{key, from.String()}, Count: pageLive, Block: -1})
		}
		err := l.do(ctx, func(p redis.Pipeliner) {
			live, floods = read(p, liveKey, l.live), read(p, floodKey, l.flood)
		})
		if err != nil {
			return err
		}
		full := false
		for _, s := range live.Val() {
			full = full || len(s.Messages) == pageLive
			for _, m := range s.Messages {
				if err := l.hear(ctx, m); err != nil {
					return err
				}
				l.advance(&l.live, m.ID)
			}
		}
		for _, s := range floods.Val() {
			full = full || len(s.Messages) == pageLive
			for _, m := range s.Messages {
				l.hearFlood(m)
				l.advance(&l.flood, m.ID)
			}
		}
		if !full {
			return nil
		}
	}
	return nil
}

func (l *Link) advance(at *position, id string) {
	if next, ok := parsePosition(id); ok && at.before(next) {
		*at = next
	}
}

// hear takes in one entry of the news.
func (l *Link) hear(ctx context.Context, m redis.XMessage) error {
	id := text(m, hostField)
	if id == l.id && text(m, instanceField) == l.instance {
		l.hearSelf(m)
		return nil
	}
	if id == "" || len(id) > noticeSize {
		l.damaged("an entry of " + liveKey + " without host")
		return nil
	}
	switch {
	case text(m, beatField) != "":
		return l.hearBeat(ctx, id, m)
	case text(m, groupField) != "":
		l.hearGroup(id, m)
	case text(m, dayField) != "":
		if day, err := strconv.Atoi(text(m, dayField)); err == nil {
			return l.readDay(ctx, day, nil)
		}
		l.damaged("a day in " + liveKey)
	case text(m, nameField) != "" && id != l.id:
		var record []byte
		if r, ok := m.Values[recordField].(string); ok {
			record = []byte(r)
		}
		if !l.options.Grace.MergeRecord(id, text(m, nameField), record, l.options.Now()) {
			l.damaged("a record in " + liveKey)
		}
	}
	return nil
}

func (l *Link) hearGroup(id string, m redis.XMessage) {
	day, err := strconv.Atoi(text(m, dayField))
	fps, ok := ledger.DecodeGroup([]byte(text(m, groupField)))
	if err != nil || !ok {
		l.damaged("fingerprints in " + liveKey)
		l.doubt(id)
		return
	}
	l.merge(day, fps)
}

func (l *Link) merge(day int, fps []uint64) {
	l.options.Ledger.Merge(day, fps)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Heard += int64(len(fps))
}

const maxDoubts = 64

// doubt notes that something which a host has recorded is not known here.
func (l *Link) doubt(id string) {
	if p := l.peers[id]; p != nil {
		now := l.options.Now()
		p.doubts = append(p.doubts, ledger.Gap{From: p.until, To: now, Why: "what another host recorded could not be read"})
		if n := len(p.doubts); n > maxDoubts {
			p.doubts[1].From = p.doubts[0].From
			p.doubts = slices.Delete(p.doubts, 0, 1)
		}
	}
}

// hearSelf learns from our own beat how far the store's clock is from ours.
func (l *Link) hearSelf(m redis.XMessage) {
	if b, at, ok := parseBeat(m); ok {
		l.skew = at.Sub(time.UnixMilli(b.Until))
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
	now := l.options.Now()
	until := time.UnixMilli(b.Until)
	if id == l.id { // not from this run
		if until.After(l.named.Add(beatEvery)) {
			l.twin()
		}
		return nil
	}
	p := l.peers[id]
	if p == nil {
		if len(l.peers) >= maxHosts {
			l.damaged("more hosts than can be")
			return nil
		}
		p = &peer{}
		l.peers[id] = p
	}
	if p.edge != b.Edge {
		if err := l.readHost(ctx, id, p); err != nil {
			return err
		}
		p.edge = b.Edge
	}
	if run := text(m, instanceField); p.run != run || p.joins != b.Join {
		p.run, p.joins, l.greet = run, b.Join, true
	}
	l.compareClocks(p, at.Sub(until))
	if until.After(now) {
		until = now
	}
	if until.After(p.until) && time.UnixMilli(b.Until).Sub(now) < skewBad {
		p.until = until
	}
	return nil
}

// compareClocks tells, once, of a host whose clock differs from ours.
func (l *Link) compareClocks(p *peer, behind time.Duration) {
	before := p.skew.Abs() > skewLimit
	p.skew = l.skew - behind
	if !before && p.skew.Abs() > skewLimit {
		l.options.Report(Event{"the clock of host " + strconv.Quote(p.record.Name) + " differs from ours by " + p.skew.Round(time.Second).String() +
			": what it records is believed later, or not at all", nil})
	}
}

// twin is called when another daemon goes by our name: its state folder, or
// ours, is a copy.
func (l *Link) twin() {
	l.newID()
	l.untold = true
	l.options.Report(Event{"another host has a copy of this state folder; this one takes a new identity", nil})
}

func (l *Link) hearFlood(m redis.XMessage) {
	if text(m, instanceField) == l.instance {
		return
	}
	counts, okCounts := decodeCounts(text(m, countsField))
	blocks, okBlocks := decodeBlocks(text(m, blocksField))
	if !okCounts || !okBlocks {
		l.damaged("an entry of " + floodKey)
		return
	}
	l.options.Flood.Merge(flood.News{Counts: counts, Blocks: blocks})
}
