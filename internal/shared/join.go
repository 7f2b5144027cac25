package shared

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	l.batch, l.untold = nil, false // compare finds all that is missing
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
	if err := l.compare(ctx); err != nil {
		return err
	}
	l.lastBeat, l.lastKeep = time.Time{}, time.Time{}
	l.joins++
	if err := l.tell(ctx, false); err != nil {
		return err
	}
	if err := l.listen(ctx); err != nil {
		return err
	}
	l.conclude()
	return l.announceBlocks(ctx)
}

// agree finds out the secrets of the site, or sets them.
func (l *Link) agree(ctx context.Context) error {
	secret := l.options.Flood.Secret()
	proposed, err := json.Marshal(site{Version: version, Ledger: l.options.Ledger.Secret(), Flood: secret[:]})
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
	var s site
	if json.Unmarshal([]byte(kept.Val()), &s) != nil || len(s.Ledger) != 32 || len(s.Flood) != len(secret) {
		return fmt.Errorf("%s holds something else than the secrets of a site: is the database used by another program?", siteKey)
	}
	if s.Version != version {
		return fmt.Errorf("%s is of version %d, and this daemon knows %d", siteKey, s.Version, version)
	}
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

// readHosts reads what all hosts say of themselves.
func (l *Link) readHosts(ctx context.Context) error {
	now := l.options.Now()
	err := l.scan(ctx, hostsKey, func(id, value string) {
		if id == l.id || l.peers[id] == nil && len(l.peers) >= maxHosts {
			return
		}
		p := l.peers[id]
		if p == nil {
			p = &peer{}
		}
		if !l.takeHost(p, value) {
			return
		}
		if until := time.UnixMilli(p.record.Until); until.After(p.until) && !until.After(now) {
			p.until = until
		}
		l.peers[id] = p
	})
	if err != nil {
		return err
	}
	err = l.do(ctx, func(p redis.Pipeliner) { // of those that the store has lost
		for id, peer := range l.peers {
			peer.record.Until = peer.until.UnixMilli()
			if what, err := json.Marshal(peer.record); err == nil {
				p.HSetNX(ctx, hostsKey, id, what)
			}
		}
	})
	if err != nil {
		return err
	}
	for id := range l.peers {
		err := l.scan(ctx, graceHash(id), func(name, record string) {
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
	var r hostRecord
	if json.Unmarshal([]byte(value), &r) != nil {
		l.damaged("a host in " + hostsKey)
		p.record.Begun = l.options.Now()
		return false
	}
	p.record = r
	return true
}

func (l *Link) readHost(ctx context.Context, id string, p *peer) error {
	var value *redis.StringCmd
	err := l.do(ctx, func(pipe redis.Pipeliner) { value = pipe.HGet(ctx, hostsKey, id) })
	if err == nil {
		l.takeHost(p, value.Val())
	}
	return err
}

// scan shows all fields of a hash.
func (l *Link) scan(ctx context.Context, key string, fn func(field, value string)) error {
	for cursor := uint64(0); ; {
		var page *redis.ScanCmd
		if err := l.do(ctx, func(p redis.Pipeliner) { page = p.HScan(ctx, key, cursor, "", 200) }); err != nil {
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

// writeRecords writes all that grace knows here.
func (l *Link) writeRecords(ctx context.Context) error {
	l.options.Grace.Changed()
	all := l.options.Grace.Records()
	var fields []any
	for name, record := range all {
		fields = append(fields, name, record)
	}
	if err := l.do(ctx, func(p redis.Pipeliner) { p.Del(ctx, graceHash(l.id)) }); err != nil {
		return err
	}
	for part := range slices.Chunk(fields, 2*200) {
		err := l.do(ctx, func(p redis.Pipeliner) {
			p.HSet(ctx, graceHash(l.id), part...)
			p.Expire(ctx, graceHash(l.id), hostTTL)
			for pair := range slices.Chunk(part, 2) {
				l.add(p, liveKey, nameField, pair[0], recordField, pair[1])
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// compare takes in what the store has of each day, and adds what it lacks.
func (l *Link) compare(ctx context.Context) error {
	now := l.options.Now()
	today := dayNumber(now)
	for day := dayNumber(now.Add(-l.options.Lifetime())); day <= today+1; day++ {
		delete(l.days, day)
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
	return ctx.Err()
}

// complete adds fingerprints to the stream of a day, and has the others read it.
func (l *Link) complete(ctx context.Context, day int, missing []uint64) error {
	for group := range slices.Chunk(missing, groupSize) {
		if err := l.do(ctx, func(p redis.Pipeliner) { l.addDay(p, day, group) }); err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return l.do(ctx, func(p redis.Pipeliner) { l.add(p, liveKey, dayField, day) })
}

// readDay takes in what is new in the stream of a day; all, where it is not nil,
// gets its fingerprints.
func (l *Link) readDay(ctx context.Context, day int, all *[]uint64) error {
	if today := dayNumber(l.options.Now()); day < today-maxDays || day > today+1 {
		l.damaged("a day far away")
		return nil
	}
	for {
		at := l.days[day]
		var page *redis.XMessageSliceCmd
		err := l.do(ctx, func(p redis.Pipeliner) { page = p.XRangeN(ctx, dayStream(day), "("+at.String(), "+", pageDay) })
		if err != nil {
			return err
		}
		for _, m := range page.Val() {
			l.takeGroup(day, m, all)
			l.advance(&at, m.ID)
		}
		l.days[day] = at
		if len(page.Val()) < pageDay {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

const maxDays = 3660 // that entries may be old

func (l *Link) takeGroup(day int, m redis.XMessage, all *[]uint64) {
	fps, ok := ledger.DecodeGroup([]byte(text(m, groupField)))
	if !ok {
		l.damaged("fingerprints in " + dayStream(day))
		l.doubt(text(m, hostField))
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
