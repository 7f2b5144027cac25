package shared

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/backscatter-milter/backscatter-milter/internal/ledger"
)

// extent is how much is told.
type extent int

const (
	newsOnly extent = iota // what is new, but not that it is all
	all
	farewell // all, for the last time
)

// tell leaves word of what is new here, and at times that we are there.
func (l *Link) tell(ctx context.Context, what extent) error {
	ctx = context.WithoutCancel(ctx) // what is taken to be told is told
	now := l.options.Now()
	fps, until, whole := l.options.Ledger.Fresh()
	l.untold = l.untold || !whole
	news := l.options.Flood.News()
	if err := l.tellRecords(ctx); err != nil {
		return err
	}
	beats := l.isDue(what, l.lastBeat, beatEvery) && !l.untold
	keeps := l.isDue(what, l.lastKeep, keepEvery)
	today := dayNumber(now)
	batch, batchDay := l.gather(fps, today, keeps)
	var kept *redis.StringCmd
	err := l.do(ctx, func(p redis.Pipeliner) {
		kept = p.Get(ctx, siteKey)
		for group := range slices.Chunk(fps, groupSize) {
			l.add(p, liveKey, groupField, ledger.EncodeGroup(group), dayField, today)
		}
		if len(news.Counts)+len(news.Blocks) > 0 {
			blocks, _ := json.Marshal(news.Blocks) // which does not fail
			l.add(p, floodKey, countsField, encodeCounts(news.Counts), blocksField, blocks)
		}
		l.addDay(p, batchDay, batch)
		if beats {
			l.beat(p, until, keeps)
		}
		if keeps {
			l.keep(p)
		}
	})
	if err != nil {
		return err
	}
	if kept.Val() != l.site {
		return lost
	}
	if beats {
		l.lastBeat, l.changed = now, true
	}
	if keeps {
		l.lastKeep = now
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Told += int64(len(fps))
	l.status.Counts += int64(len(news.Counts))
	l.status.Lost += int64(news.Lost)
	return nil
}

// isDue reports whether something that was last told at that time is to be told.
func (l *Link) isDue(what extent, last time.Time, every time.Duration) bool {
	now := l.options.Now()
	return what == farewell || what == all && (now.Sub(last) >= every || now.Before(last))
}

func dayNumber(t time.Time) int { return int(max(t.Unix()/86400, 0)) }

// gather keeps fingerprints for the day's stream until there are enough, so
// that it has few entries.
func (l *Link) gather(fps []uint64, today int, now bool) (batch []uint64, day int) {
	if day = l.batchDay; day != today {
		batch, l.batch, l.batchDay = l.batch, slices.Clone(fps), today
		return batch, day
	}
	l.batch = append(l.batch, fps...)
	if now || len(l.batch) >= groupSize {
		batch, l.batch = l.batch, nil
	}
	return batch, day
}

// add appends an entry of ours to a stream, and takes off what is too old.
func (l *Link) add(p redis.Pipeliner, stream string, fields ...any) {
	kept, ttl, at := liveKept, liveTTL, l.live
	if stream == floodKey {
		kept, ttl, at = floodNew, floodTTL, l.flood
	}
	p.XAdd(context.Background(), &redis.XAddArgs{
		Stream: stream, MinID: at.back(kept).String(), Approx: stream != floodKey, // which has addresses in it
		Values: append([]any{hostField, l.id, instanceField, l.instance}, fields...),
	})
	if l.lastKeep.IsZero() || at == (position{}) {
		p.Expire(context.Background(), stream, ttl)
	}
}

// addDay appends fingerprints to the stream of a day.
func (l *Link) addDay(p redis.Pipeliner, day int, fps []uint64) {
	ctx := context.Background()
	for group := range slices.Chunk(fps, groupSize) {
		p.XAdd(ctx, &redis.XAddArgs{Stream: dayStream(day), Values: []any{hostField, l.id, groupField, ledger.EncodeGroup(group)}})
	}
	if len(fps) > 0 {
		left := time.Duration(day-dayNumber(l.options.Now()))*24*time.Hour + l.options.Lifetime() + dayExtra
		p.Expire(ctx, dayStream(day), max(left, time.Hour))
	}
}

// tellRecords writes changed records of grace where a host that starts reads
// them, and leaves word of them.
func (l *Link) tellRecords(ctx context.Context) error {
	changed, whole := l.options.Grace.Changed()
	if !whole {
		return l.writeRecords(ctx)
	}
	for part := range slices.Chunk(slices.Collect(maps.Keys(changed)), pageHash) {
		err := l.do(ctx, func(p redis.Pipeliner) {
			for _, name := range part {
				l.tellRecord(ctx, p, name, changed[name])
			}
			p.Expire(ctx, graceHash(l.id), hostTTL)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *Link) tellRecord(ctx context.Context, p redis.Pipeliner, name string, record []byte) {
	if record == nil {
		p.HDel(ctx, graceHash(l.id), name)
		l.add(p, liveKey, nameField, name)
		return
	}
	p.HSet(ctx, graceHash(l.id), name, record)
	l.add(p, liveKey, nameField, name, recordField, record)
}

// beat says that all is told until then, and, where it has changed or is asked
// for, what this host's record is worth.
func (l *Link) beat(p redis.Pipeliner, until time.Time, record bool) {
	ctx := context.Background()
	self := l.options.Ledger.Self()
	r := hostRecord{Name: l.options.Host, Begun: self.Begun, Gaps: self.Gaps, First: self.First}
	what, _ := json.Marshal(r) // times are of this age: it does not fail
	sum := fnv.New64a()
	_, _ = sum.Write(what)
	b := beat{Until: until.UnixMilli(), Edge: sum.Sum64(), Join: l.joins}
	if record || b.Edge != l.edge {
		r.Until = b.Until
		what, _ = json.Marshal(r)
		p.HSet(ctx, hostsKey, l.id, what)
		l.edge = b.Edge
	}
	text, _ := json.Marshal(b)
	l.add(p, liveKey, beatField, text)
}

// keep puts off the end of what is in use, and ends what is not.
func (l *Link) keep(p redis.Pipeliner) {
	ctx, now := context.Background(), l.options.Now()
	p.Expire(ctx, siteKey, siteTTL)
	p.Expire(ctx, hostsKey, hostTTL)
	p.Expire(ctx, graceHash(l.id), hostTTL)
	p.Expire(ctx, liveKey, liveTTL)
	p.Expire(ctx, floodKey, floodTTL)
	for id, peer := range l.peers {
		if now.Sub(peer.last()) > hostTTL {
			p.HDel(ctx, hostsKey, id)
			p.Del(ctx, graceHash(id))
			delete(l.peers, id)
		}
	}
	horizon := now.Add(-l.options.Lifetime() - dayExtra)
	l.doubts = slices.DeleteFunc(l.doubts, func(g ledger.Gap) bool { return g.To.Before(horizon) })
}
