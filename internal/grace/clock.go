package grace

import (
	"fmt"
	"time"
)

// clock follows the time that callers pass in.
type clock struct {
	now    time.Time // the latest that was passed in
	record beatRecord
}

// beatRecord is what concerns all domains alike.
type beatRecord struct {
	Begun time.Time `json:",omitzero"` // the first start
	Last  time.Time // the daemon was alive then
	Gaps  []Gap     // when it was not, or did not know the time
}

// Gap is a time in which the record does not hold.
type Gap struct {
	From, To time.Time
	Why      string // a plain phrase, such as "the daemon was not running"
}

// addGap appends a gap, lengthening the last one where it has the same reason
// and ended less than a day before. Of many the latest are kept: strictness
// asks for the end of the last one only.
func addGap(gaps []Gap, g Gap) []Gap {
	if n := len(gaps); n > 0 {
		last := &gaps[n-1]
		if last.Why == g.Why && g.From.Sub(last.To) < day {
			last.To = later(last.To, g.To)
			return gaps
		}
	}
	gaps = append(gaps, g)
	if len(gaps) > maxGaps {
		gaps = append([]Gap(nil), gaps[len(gaps)-maxGaps:]...)
	}
	return gaps
}

// lastEnd is when the latest gap ended, zero without any.
func lastEnd(gaps []Gap) (end time.Time) {
	for _, g := range gaps {
		end = later(end, g.To)
	}
	return end
}

// steady reports whether now follows the time known before closely enough that
// nothing needs to be noted.
func (c *clock) steady(now time.Time) bool {
	d := wall(now).Sub(c.now)
	return d > -Hole && d <= Hole
}

// wall strips the monotonic reading: a clock that was set must show.
func wall(t time.Time) time.Time { return t.UTC().Round(0) }

// advance takes the time that a caller passed in before anything is done with
// it. A jump forward, or downtime, is a gap; a jump backward is one, too, and
// everything dated in what is now the future is brought back to now, so that
// no span is negative and none counts that was not lived through.
func (g *Grace) advance(now time.Time) time.Time {
	now = wall(now)
	c := &g.clock
	before, started := c.now, !c.now.IsZero()
	if !started {
		before = c.record.Last
	}
	switch step := now.Sub(before); {
	case before.IsZero() && len(g.domains) > 0:
		c.gap(now, now, "it is not known when the daemon last ran")
	case before.IsZero(): // the very first start
	case step > Hole:
		why := "the daemon was not running"
		if started {
			why = "the clock jumped forward, or the machine was asleep"
		}
		c.gap(before, now, why)
	case step < -Hole:
		c.gap(now, now, fmt.Sprintf("the clock was set back from %s", before.Format(time.RFC3339)))
	case step < 0:
		now = before // a small step back: time stands still until it is made up
	}
	if now.Before(before) || !started {
		g.bringBack(now)
	}
	c.now, c.record.Last = now, now
	if c.record.Begun.IsZero() || c.record.Begun.After(now) {
		c.record.Begun = g.firstActivity(now)
	}
	if now.Sub(before) > Hole || now.Before(before) || !started {
		g.save(beatKey, &c.record)
		g.judgeAll()
	}
	return now
}

func (c *clock) gap(from, to time.Time, why string) {
	c.record.Gaps = addGap(c.record.Gaps, Gap{from, to, why})
}

// bringBack leaves no date after now in the record.
func (g *Grace) bringBack(now time.Time) {
	clipGaps(g.clock.record.Gaps, now)
	for name, d := range g.domains {
		if d.clip(now) {
			g.saveDomain(name, d)
		}
	}
	for id, k := range g.keys {
		if clip(now, &k.First, &k.Last, &k.Proven) {
			g.saveKey(id, k)
		}
	}
}

func clip(now time.Time, times ...*time.Time) (changed bool) {
	for _, t := range times {
		if t.After(now) {
			*t, changed = now, true
		}
	}
	return changed
}

func clipGaps(gaps []Gap, now time.Time) (changed bool) {
	for i := range gaps {
		changed = clip(now, &gaps[i].From, &gaps[i].To) || changed
	}
	return changed
}
