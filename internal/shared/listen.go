package shared

import (
	"context"
	"fmt"
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
		most := l.page(pageLive)
		read := func(p redis.Pipeliner, key string, from position) *redis.XStreamSliceCmd {
			return p.XRead(ctx, &redis.XReadArgs{Streams: []string{key, from.String()}, Count: int64(most), Block: -1})
		}
		err := l.ask(ctx, func(p redis.Pipeliner) {
			live, floods = read(p, liveKey, l.live), read(p, floodKey, l.flood)
		})
		if err != nil {
			return err
		}
		full := false
		for _, s := range live.Val() {
			full = full || len(s.Messages) == most
			for _, m := range s.Messages {
				l.advance(&l.live, m.ID)
				if err := l.outlive(m, func() error { return l.hear(ctx, m) }); err != nil {
					return err
				}
			}
		}
		for _, s := range floods.Val() {
			full = full || len(s.Messages) == most
			for _, m := range s.Messages {
				l.advance(&l.flood, m.ID)
				if err := l.outlive(m, func() error { l.hearFlood(m); return nil }); err != nil {
					return err
				}
			}
		}
		if !full {
			return nil
		}
	}
	return nil
}

// outlive goes on after a fault over one entry, which would come up again at
// every attempt.
func (l *Link) outlive(m redis.XMessage, fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			l.damaged(fmt.Sprintf("an entry over which this daemon fails: %v", p))
			l.doubtNews(text(m, hostField))
		}
	}()
	return fn()
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
	if id == "" || len(id) > idOctets {
		l.damaged("an entry of " + liveKey + " without host")
		return nil
	}
	switch {
	case text(m, beatField) != "":
		return l.hearBeat(ctx, id, m)
	case text(m, groupField) != "":
		l.hearGroup(id, m)
	case text(m, dayField) != "":
		l.hearDay(m)
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

// hearDay notes that the stream of a day has more.
func (l *Link) hearDay(m redis.XMessage) {
	day, err := strconv.Atoi(text(m, dayField))
	if today := dayNumber(l.options.Now()); err != nil || day < today-maxDays || day > today+1 {
		l.damaged("a day in " + liveKey)
		return
	}
	l.due[day] = true
}

func (l *Link) hearGroup(id string, m redis.XMessage) {
	day, err := strconv.Atoi(text(m, dayField))
	fps, ok := ledger.DecodeGroup([]byte(text(m, groupField)))
	if err != nil || !ok {
		l.damaged("fingerprints in " + liveKey)
		l.doubtNews(id)
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

// doubt notes that something which was recorded then is not known here.
func (l *Link) doubt(from, to time.Time) {
	l.changed = true
	g := ledger.Gap{From: from, To: to, Why: "what another host recorded could not be read"}
	if slices.Contains(l.doubts, g) {
		return
	}
	if len(l.doubts) < maxDoubts {
		l.doubts = append(l.doubts, g)
		return
	}
	for _, d := range l.doubts { // one for all
		g.From, g.To = earlier(g.From, d.From), later(g.To, d.To)
	}
	l.doubts = append(l.doubts[:0], g)
}

// doubtNews doubts what a host has recorded since it was last heard of.
func (l *Link) doubtNews(id string) {
	now := l.options.Now()
	from := now.Add(-liveKept)
	if p := l.peers[id]; p != nil {
		from = earlier(from, p.until)
	}
	l.doubt(from, now)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
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
	if late := l.lateness(m); late > floodLate {
		counts = nil // they would count as events of now
		blocks = slices.DeleteFunc(blocks, func(b flood.Blocking) bool { return b.Left > 0 && b.Left <= late })
		for i := range blocks {
			blocks[i].Left = max(blocks[i].Left-late, 0)
		}
	}
	l.options.Flood.Merge(flood.News{Counts: counts, Blocks: blocks})
}

// floodLate is how late counts may come.
const floodLate = 10 * time.Second

// lateness is how long ago an entry was written, zero where that is not known.
func (l *Link) lateness(m redis.XMessage) time.Duration {
	p, ok := parsePosition(m.ID)
	if !ok || !l.self {
		return 0
	}
	return max(l.options.Now().Add(l.skew).Sub(time.UnixMilli(int64(p.ms))), 0)
}
