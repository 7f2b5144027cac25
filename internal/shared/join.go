package shared

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/backscatter-milter/backscatter-milter/internal/ledger"
)

// join compares what is known here with what the store has, as a whole: at the
// start and whenever the store was away.
func (l *Link) join(ctx context.Context) error {
	if err := l.agree(ctx); err != nil {
		return err
	}
	l.redialed.Store(false)
	l.batch, l.untold, l.self, l.lastTurn = nil, false, false, l.now() // compare finds all that is missing
	if err := l.findPlace(ctx); err != nil {
		return err
	}
	if err := l.readHosts(ctx); err != nil {
		return err
	}
	if err := l.writeRecords(ctx); err != nil {
		return err
	}
	l.once.Do(func() { close(l.met) }) // the ledger may be large
	l.lastBeat, l.lastKeep = time.Time{}, time.Time{}
	if err := l.compare(ctx); err != nil {
		return err
	}
	l.joins++
	if err := l.turn(ctx, all); err != nil {
		return err
	}
	l.conclude()
	return l.announceBlocks(ctx)
}

// agree finds out the secrets of the site, or sets them.
func (l *Link) agree(ctx context.Context) error {
	secret := l.options.Flood.Secret()
	proposed, err := encodeSite(l.options.Ledger.Secret(), secret[:])
	if err != nil {
		return err
	}
	var kept *redis.StringCmd
	err = l.do(ctx, func(p redis.Pipeliner) {
		p.SetNX(ctx, siteKey, proposed, siteTTL)
		kept = p.Get(ctx, siteKey)
	})
	if err != nil {
		return err
	}
	s, ok := decodeSite(kept.Val())
	if !ok {
		return fmt.Errorf("%s holds something else than the secrets of a site: is the database used by another program?", siteKey)
	}
	if s.Version != version {
		return fmt.Errorf("%s is of version %d, and this daemon knows %d", siteKey, s.Version, version)
	}
	l.site = kept.Val()
	l.options.Ledger.Share(s.Ledger)
	l.options.Grace.Share()
	if shared := [16]byte(s.Flood); shared != secret || !l.sharesFloods() {
		l.options.Flood.Share(shared)
	}
	l.options.Flood.News() // what came meanwhile is late
	return nil
}

func (l *Link) sharesFloods() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status.Joined > 0
}

// findPlace finds where in the streams to go on. What is not in the streams of
// days yet is in the latest news.
func (l *Link) findPlace(ctx context.Context) error {
	var live, floods *redis.XMessageSliceCmd
	err := l.do(ctx, func(p redis.Pipeliner) {
		live = p.XRevRangeN(ctx, liveKey, "+", "-", 1)
		floods = p.XRevRangeN(ctx, floodKey, "+", "-", 1)
	})
	if err != nil {
		return err
	}
	place := func(c *redis.XMessageSliceCmd) (at position) {
		for _, m := range c.Val() {
			l.advance(&at, m.ID)
		}
		return at
	}
	if from := place(live).back(liveKept / 2); l.live == (position{}) || from.before(l.live) {
		l.live = from
	}
	l.flood = place(floods)
	return nil
}

// scan shows all fields of a hash, about so many at once.
func (l *Link) scan(ctx context.Context, key string, most int, fn func(field, value string)) error {
	for cursor := uint64(0); ; {
		var page *redis.ScanCmd
		count := int64(l.page(most))
		if err := l.ask(ctx, func(p redis.Pipeliner) { page = p.HScan(ctx, key, cursor, "", count) }); err != nil {
			return err
		}
		list, next := page.Val()
		for pair := range slices.Chunk(list, 2) {
			if len(pair) == 2 {
				fn(pair[0], pair[1])
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// writeRecords writes all that grace knows here, and takes away what it knew.
func (l *Link) writeRecords(ctx context.Context) error {
	l.options.Grace.Changed()
	records := l.options.Grace.Records()
	for part := range slices.Chunk(slices.Collect(maps.Keys(records)), pageHash) {
		err := l.do(ctx, func(p redis.Pipeliner) {
			for _, name := range part {
				l.tellRecord(ctx, p, name, records[name])
			}
			p.Expire(ctx, graceHash(l.id), hostTTL)
		})
		if err != nil {
			return err
		}
	}
	var past []string
	err := l.scan(ctx, graceHash(l.id), pageHash, func(name, _ string) {
		if _, present := records[name]; !present {
			past = append(past, name)
		}
	})
	for part := range slices.Chunk(past, pageHash) {
		err = errors.Join(err, l.do(ctx, func(p redis.Pipeliner) { p.HDel(ctx, graceHash(l.id), part...) }))
	}
	return err
}

// compare takes in what the store has of each day, the latest first, and adds
// what it lacks. News go back and forth meanwhile.
func (l *Link) compare(ctx context.Context) error {
	now := l.options.Now()
	first := dayNumber(now.Add(-l.options.Lifetime()))
	clear(l.days)
	for day := dayNumber(now) + 1; day >= first; day-- {
		var there []uint64
		if err := l.readDay(ctx, day, &there); err != nil {
			return err
		}
		here := l.options.Ledger.Entries(day)
		slices.Sort(there)
		missing := slices.DeleteFunc(here, func(fp uint64) bool {
			_, found := slices.BinarySearch(there, fp)
			return found
		})
		if err := l.complete(ctx, day, missing); err != nil {
			return err
		}
	}
	return l.readDue(ctx)
}

// complete adds fingerprints to the stream of a day, and has the others read it.
func (l *Link) complete(ctx context.Context, day int, missing []uint64) error {
	for group := range slices.Chunk(missing, groupSize) {
		if err := l.do(ctx, func(p redis.Pipeliner) { l.addDay(p, day, group) }); err != nil {
			return err
		}
		if err := l.meanwhile(ctx); err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		return l.meanwhile(ctx)
	}
	return l.do(ctx, func(p redis.Pipeliner) { l.add(p, liveKey, dayField, day) })
}

// readDue reads the streams of days of which it was told that there is more.
func (l *Link) readDue(ctx context.Context) error {
	for day := range l.due {
		if err := l.readDay(ctx, day, nil); err != nil {
			return err
		}
		delete(l.due, day)
	}
	return nil
}

// readDay takes in what is new in the stream of a day; all, where it is not nil,
// gets its fingerprints.
func (l *Link) readDay(ctx context.Context, day int, all *[]uint64) error {
	for {
		at, count := l.days[day], l.page(pageDay)
		var page *redis.XMessageSliceCmd
		err := l.ask(ctx, func(p redis.Pipeliner) { page = p.XRangeN(ctx, dayStream(day), "("+at.String(), "+", int64(count)) })
		if err != nil {
			return err
		}
		for _, m := range page.Val() {
			l.takeGroup(day, m, all)
			l.advance(&at, m.ID)
		}
		l.days[day] = at
		if len(page.Val()) < count {
			return nil
		}
		if err := l.meanwhile(ctx); err != nil {
			return err
		}
	}
}

const maxDays = 3660 // that entries may be old

func (l *Link) takeGroup(day int, m redis.XMessage, all *[]uint64) {
	fps, ok := ledger.DecodeGroup([]byte(text(m, groupField)))
	if !ok {
		l.damaged("fingerprints in " + dayStream(day))
		start := time.Unix(int64(day)*86400, 0)
		l.doubt(start, start.Add(24*time.Hour))
		return
	}
	if all != nil {
		*all = append(*all, fps...)
	}
	l.merge(day, fps)
}

// announceBlocks tells of the blocks that run here.
func (l *Link) announceBlocks(ctx context.Context) error {
	const part = 200
	for blocks := range slices.Chunk(l.options.Flood.Running(), part) {
		text, err := json.Marshal(blocks)
		if err != nil {
			return errors.Join(err)
		}
		if err := l.do(ctx, func(p redis.Pipeliner) { l.add(p, floodKey, countsField, "", blocksField, text) }); err != nil {
			return err
		}
	}
	return nil
}
