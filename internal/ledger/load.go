package ledger

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// Keys of the small records.
const (
	versionKey    = "version"
	secretKey     = "secret"
	oldSecretsKey = "secret/old" // secrets of entries from before the present one
	beatKey       = "beat"
	gapsKey       = "gaps"
	begunKey      = "begun"   // since when other hosts can have what was recorded
	domainKey     = "domain/" // and the domain; the value is its first entry

	version      = "1"
	secretOctets = 32
)

// beatRecord and gapRecord have times in seconds since 1970, Behind in seconds.
// Entries is how many there are about.
type beatRecord struct{ Last, Jumped, Floor, Wall, Behind, Entries int64 }

type gapRecord struct {
	From, To int64
	Why      string
}

// load reads the store.
func (l *Ledger) load() error {
	if l.options.Store == nil {
		l.setSecrets(newSecret(), nil)
		return nil
	}
	meta := map[string][]byte{}
	err := l.options.Store.Meta(func(key string, value []byte) error {
		if len(meta) < 2*MaxDomains {
			meta[key] = value
		}
		return nil
	})
	if err != nil {
		l.options.Store = nil
		l.setSecrets(newSecret(), nil)
		return err
	}
	l.work.lost = l.options.Store.Lost()
	days, err := l.options.Store.Days()
	slices.Sort(days)
	if string(meta[versionKey]) != version || len(meta[secretKey]) != secretOctets {
		l.beginAnew(meta, days)
		return err
	}
	l.setSecrets(meta[secretKey], meta[oldSecretsKey])
	l.loadBegun(meta)
	l.loadFirsts(meta)
	l.loadClock(meta)
	var parts shardSorter
	for _, day := range days {
		err = errors.Join(err, l.loadDay(day, &parts))
	}
	l.work.fresh = l.work.fresh[:0]
	return err
}

func newSecret() []byte {
	secret := make([]byte, secretOctets)
	rand.Read(secret) // never fails, by its documentation
	return secret
}

// beginAnew drops what is of no use without its secret.
func (l *Ledger) beginAnew(meta map[string][]byte, days []int) {
	if len(meta) > 0 || len(days) > 0 {
		l.report(ErrSecret, "")
	}
	for key := range meta {
		l.options.Store.Delete(key)
	}
	for _, day := range days {
		l.options.Store.Drop(day)
	}
	secret := newSecret()
	l.setSecrets(secret, nil)
	l.options.Store.Put(versionKey, []byte(version))
	l.options.Store.Put(secretKey, secret)
}

func (l *Ledger) loadFirsts(meta map[string][]byte) {
	for key, value := range meta {
		domain, ok := strings.CutPrefix(key, domainKey)
		if !ok {
			continue
		}
		var first time.Time
		if len(l.first) >= MaxDomains || domain == "" || first.UnmarshalText(value) != nil {
			l.damaged()
			continue
		}
		l.first[domain] = first
	}
}

// loadClock reads the last heartbeat and the gaps. Where either cannot be read,
// all the time until now is a gap.
func (l *Ledger) loadClock(meta map[string][]byte) {
	var beat beatRecord
	var stored []gapRecord
	ok := json.Unmarshal(meta[beatKey], &beat) == nil && beat.Last > 0
	ok = ok && json.Unmarshal(meta[gapsKey], &stored) == nil && len(stored) <= maxGaps
	if !ok {
		now := wall(l.options.Now())
		l.gaps = l.gaps.add(Gap{now.Add(-l.lifetime - day), now, "it is not known when the daemon last ran"})
		l.damaged()
		return
	}
	l.clock.high, l.clock.jumped = seconds(beat.Last), seconds(beat.Jumped)
	l.clock.wall, l.clock.behind = seconds(beat.Wall), time.Duration(beat.Behind)*time.Second
	l.floor = seconds(beat.Floor)
	l.index.reserve(int(min(max(beat.Entries, 0), int64(l.options.MaxEntries))))
	for _, g := range stored {
		if g.To >= g.From {
			l.gaps = l.gaps.add(Gap{seconds(g.From), seconds(g.To), g.Why})
		}
	}
}

func seconds(n int64) time.Time { return time.Unix(n, 0).UTC() }

// shardSorter gathers fingerprints by shard: adding those of one shard together
// is several times faster than going back and forth in all of the memory.
type shardSorter [1 << shardBits][]uint64

const sorted = 1 << 11 // fingerprints gathered for a shard

// loadDay reads the groups of a day. One that cannot be read makes the whole
// day a gap.
func (l *Ledger) loadDay(day int, parts *shardSorter) error {
	if day < 0 || day > maxDay {
		l.damaged()
		return nil
	}
	l.index.at(day)
	sound := true
	var fps []uint64
	err := l.options.Store.Load(day, func(group []byte) error {
		var ok bool
		if fps, ok = decodeGroup(fps[:0], group); !ok {
			sound = false
			l.damaged()
			return nil
		}
		for _, fp := range fps {
			part := &parts[fp<<(64-kindShift)>>(64-shardBits)]
			if *part = append(*part, fp); len(*part) == sorted {
				l.restore(day, part)
			}
		}
		return nil
	})
	for i := range parts {
		l.restore(day, &parts[i])
	}
	if err != nil || !sound {
		l.addGap(Gap{startOf(day), startOf(day + 1), "records of the store cannot be read"})
	}
	return err
}

// restore adds fingerprints that the store has, and empties the part.
func (l *Ledger) restore(day int, part *[]uint64) {
	fps := *part
	*part = fps[:0]
	for _, fp := range fps {
		if !l.makeRoom(fp, day) {
			l.refuse(startOf(day), startOf(day+1))
			return
		}
		l.index.add(fp, day)
	}
}

func (l *Ledger) damaged() {
	l.count(func(c *counts) { c.damaged++ })
	l.report(ErrDamaged, "")
}

// flush hands to the store what is new.
func (l *Ledger) flush() {
	w := &l.work
	if len(w.fresh) > 0 && l.options.Store != nil {
		group := encodeGroup(w.fresh)
		w.fresh = w.fresh[:0]
		l.options.Store.Append(w.freshDay, group)
	}
	w.fresh = w.fresh[:0]
}

func (l *Ledger) dropStored(day int) {
	if l.options.Store != nil {
		l.options.Store.Drop(day)
	}
}

// saveBeat stores what time it is, and the gaps. Without gaps the record has
// none, rather than being absent.
func (l *Ledger) saveBeat() {
	l.mu.Lock()
	c := &l.clock
	beat := beatRecord{c.high.Unix(), c.jumped.Unix(), l.floor.Unix(), c.wall.Unix(), int64(c.behind / time.Second), int64(l.index.total)}
	stored := make([]gapRecord, len(l.gaps))
	for i, g := range l.gaps {
		stored[i] = gapRecord{g.From.Unix(), g.To.Unix(), g.Why}
	}
	l.mu.Unlock()
	l.save(gapsKey, stored)
	l.save(beatKey, beat)
}

func (l *Ledger) saveFirst(domain string) {
	l.mu.Lock()
	first := l.first[domain]
	l.mu.Unlock()
	text, err := first.MarshalText()
	if err == nil && l.options.Store != nil { // a year beyond 9999 is not kept
		l.options.Store.Put(domainKey+domain, text)
	}
}

func (l *Ledger) save(key string, record any) {
	value, err := json.Marshal(record)
	if err == nil && l.options.Store != nil {
		l.options.Store.Put(key, value)
	}
}
