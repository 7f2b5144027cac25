package ledger

import "time"

const (
	beatEvery = time.Minute     // between heartbeats
	hole      = 3 * time.Minute // how far the clock may step without a gap
	settle    = day             // how long the clock must run steadily to be believed
)

// clock is the time as the ledger sees it. What contradicts the time that was
// seen before is believed only when the clock has run so for a day: until then
// time does not run backward, but stands still while the clock is behind; and
// after a jump of more than a day ahead nothing is settled, so that nothing
// expires. A clock that is wrong for less than a day costs no entry.
type clock struct {
	high    time.Time     // the time
	wall    time.Time     // the latest that was passed in
	running bool          // it was passed in by this process
	behind  time.Duration // for how long it has been steadily behind
	jumped  time.Time     // when the time last jumped by more than a day
}

// step is what a new time means.
type step struct {
	gap     Gap  // where Why is not empty
	setBack bool // the clock is believed to have been set back
}

// wall strips the monotonic reading: a clock that was set must show.
func wall(t time.Time) time.Time { return t.UTC().Round(0) }

// peek is the time, without taking note of it.
func (c *clock) peek(now time.Time) time.Time {
	if now = wall(now); now.After(c.high) {
		return now
	}
	return c.high
}

func (c *clock) advance(now time.Time) step {
	before, running := c.wall, c.running
	c.wall, c.running = wall(now), true
	switch {
	case c.high.IsZero():
		c.high = c.wall
		return step{}
	case c.wall.Before(c.high):
		return c.stand(c.wall.Sub(before), running)
	}
	return c.forward(running)
}

func (c *clock) forward(running bool) (s step) {
	from := c.high
	c.high, c.behind = c.wall, 0
	ahead := c.high.Sub(from)
	switch {
	case !running:
		s.gap = Gap{from, c.high, "the daemon was not running"}
	case ahead > hole:
		s.gap = Gap{from, c.high, "the clock jumped forward, or the machine was asleep"}
	}
	if ahead > day {
		c.jumped = c.high
	}
	return s
}

// stand lets the time stand still while the clock, having moved by so much, is
// behind. Downtime has no dates then: what is between the time that stands and
// the one that it goes on with becomes a gap later.
func (c *clock) stand(moved time.Duration, running bool) step {
	switch {
	case moved < 0 || moved > hole && running:
		c.behind = 0
	case moved <= hole:
		c.behind += moved
	}
	if c.behind >= settle && c.high.Sub(c.wall) > hole {
		c.high, c.behind = c.wall, 0
		if c.jumped.After(c.high) {
			c.jumped = c.high
		}
		return step{gap: Gap{c.high, c.high, "the clock was set back"}, setBack: true}
	}
	if !running {
		return step{gap: Gap{c.high, c.high, "the daemon was not running, and the clock was set back"}}
	}
	return step{}
}

// settled reports whether the time is sure enough for old days to be dropped.
func (c *clock) settled() bool { return c.high.Sub(c.jumped) >= settle }
