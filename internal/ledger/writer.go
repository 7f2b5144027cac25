package ledger

import (
	"fmt"
	"slices"
	"time"
)

const (
	groupDelay = 250 * time.Millisecond // how long fingerprints wait for company
	maxGroup   = 1 << 13                // fingerprints in a record of the store
)

// run takes what was recorded into the index as it comes, and hands it to the
// store a group at a time, until the ledger is closed.
func (l *Ledger) run() {
	defer close(l.done)
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	group := time.NewTimer(groupDelay)
	defer group.Stop()
	waiting := true
	for {
		select {
		case <-l.wake:
			if l.guarded(l.take); !waiting {
				group.Reset(groupDelay)
				waiting = true
			}
		case <-group.C:
			waiting = false
			l.guarded(l.flush)
		case <-beat.C:
			l.Heartbeat()
		case <-l.closing:
			return
		}
	}
}

// Close hands everything to the store, with a last heartbeat. It waits for no
// disk: closing the store does. Messages recorded afterwards are counted as
// overflow.
func (l *Ledger) Close() {
	l.once.Do(func() {
		close(l.closing)
		<-l.done
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
		l.Heartbeat()
	})
}

// Heartbeat brings index and store up to date, notes that the ledger is alive,
// and forgets what is too old. It happens by itself each minute; a test that
// moves the clock calls it.
func (l *Ledger) Heartbeat() {
	l.guarded(func() {
		l.take()
		l.bringBack()
		l.flush()
		l.checkStore()
		l.expire()
		l.saveBeat()
	})
}

// guarded runs fn alone, and outlives it.
func (l *Ledger) guarded(fn func()) {
	l.work.mu.Lock()
	defer l.work.mu.Unlock()
	defer func() {
		if p := recover(); p != nil {
			now := l.now()
			l.work.fresh = l.work.fresh[:0]
			l.addGap(Gap{now.Add(-beatEvery), now, "a fault"})
			l.report(ErrPanic, fmt.Sprint(p))
		}
	}()
	fn()
}

// take moves what is pending into the index.
func (l *Ledger) take() {
	w := &l.work
	now := l.tick()
	l.mu.Lock()
	w.batch, l.pending = l.pending, w.batch[:0]
	lostFrom := l.lostFrom
	l.lostFrom = time.Time{}
	if !lostFrom.IsZero() {
		l.gaps = l.gaps.add(Gap{lostFrom, now, "more messages at once than could be recorded"})
	}
	domains := l.unsaved
	l.unsaved = nil
	l.mu.Unlock()
	if !lostFrom.IsZero() {
		l.report(ErrQueue, "")
	}
	for _, domain := range domains {
		l.saveFirst(domain)
	}
	for fps := range slices.Chunk(w.batch, maxGroup) {
		l.insert(dayOf(now), fps, true)
	}
}

// tick takes note of the time.
func (l *Ledger) tick() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.clock.advance(l.options.Now())
	now := l.clock.high
	if s.setBack {
		l.gaps = l.gaps.clip(now)
		if l.floor.After(now) {
			l.floor = now
		}
		for domain, first := range l.first {
			if first.After(now) {
				l.first[domain] = now
				l.unsaved = append(l.unsaved, domain)
			}
		}
	}
	if s.gap.Why != "" {
		l.gaps = l.gaps.add(s.gap)
	}
	return now
}

func (l *Ledger) now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clock.peek(l.options.Now())
}

// addGap notes a gap. The next heartbeat stores it; should that not come, all
// the time since the last one is a gap.
func (l *Ledger) addGap(gap Gap) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gaps = l.gaps.add(gap)
}

// insert adds fingerprints to a day. What the day has already is not written
// again. What is ours other hosts are told.
func (l *Ledger) insert(day int, fps []uint64, ours bool) {
	w := &l.work
	if day != w.freshDay || len(w.fresh)+len(fps) > maxGroup {
		l.flush()
	}
	w.freshDay = day
	ours = ours && l.shares()
	for _, fp := range fps {
		if !l.makeRoom(fp, day) {
			now := l.now()
			l.refuse(now, now)
			return
		}
		if l.index.add(fp, day) {
			w.fresh = append(w.fresh, fp)
			if ours {
				l.tell(fp)
			}
		}
	}
}

// makeRoom drops the oldest days while there are too many entries, and reports
// whether there is room for one more of this day.
func (l *Ledger) makeRoom(fp uint64, day int) bool {
	for l.index.total >= l.options.MaxEntries && !l.index.has(fp) {
		days := l.index.sorted()
		if len(days) == 0 || days[len(days)-1] >= day {
			return false
		}
		l.dropBefore(days[len(days)-1] + 1)
		l.count(func(c *counts) { c.dropped++ })
		l.report(ErrCeiling, "")
	}
	return true
}

// refuse notes that a day has reached the ceiling by itself.
func (l *Ledger) refuse(from, to time.Time) {
	l.addGap(Gap{from, to, "more entries than the ledger may hold"})
	l.count(func(c *counts) { c.refused++ })
	l.report(ErrCeiling, "")
}

// dropBefore forgets the days before one, having noted that they are not
// covered.
func (l *Ledger) dropBefore(first int) {
	l.mu.Lock()
	if start := startOf(first); start.After(l.floor) {
		l.floor = start
	}
	l.mu.Unlock()
	l.saveBeat()
	for _, day := range l.index.sorted() {
		if day < first {
			l.dropStored(day)
		}
	}
	l.index.dropBefore(first)
}

// bringBack moves entries that a wrong clock put into the future to today.
func (l *Ledger) bringBack() {
	today := dayOf(l.now())
	days := l.index.sorted()
	if len(days) == 0 || days[0] <= today {
		return
	}
	l.flush()
	for _, day := range days {
		if day > today {
			l.dropStored(day)
		}
	}
	l.work.freshDay = today
	l.index.bringBack(today, func(fp uint64) {
		if l.work.fresh = append(l.work.fresh, fp); len(l.work.fresh) >= maxGroup {
			l.flush()
		}
	})
}

// expire drops the days that are older than the lifetime, and old gaps, once
// the time is sure.
func (l *Ledger) expire() {
	l.mu.Lock()
	now, settled := l.clock.high, l.clock.settled()
	horizon := now.Add(-l.lifetime)
	if settled {
		l.gaps = l.gaps.since(horizon.Add(-day))
	}
	l.mu.Unlock()
	first := dayOf(horizon) // its end is later
	if days := l.index.sorted(); settled && len(days) > 0 && days[len(days)-1] < first {
		l.dropBefore(first)
	}
}

// checkStore notes what the store had to drop. What it merely has not written
// yet is no gap: it is in memory, the store tries again, and after a crash the
// last heartbeat that it wrote is as old as what it had not written.
func (l *Ledger) checkStore() {
	if l.options.Store == nil {
		return
	}
	lost := l.options.Store.Lost()
	if lost == l.work.lost {
		return
	}
	l.work.lost = lost
	now := l.now()
	l.addGap(Gap{now.Add(-beatEvery), now, "the store lost records"})
	l.report(ErrStore, "")
}

// report tells of a kind of trouble once.
func (l *Ledger) report(kind error, detail string) {
	if l.options.Report == nil || l.work.reported[kind] {
		return
	}
	l.work.reported[kind] = true
	if detail != "" {
		kind = fmt.Errorf("%w: %s", kind, detail)
	}
	l.options.Report(kind)
}
