package flood

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	unordered = int64(time.Second)          // how far goroutines may overtake each other
	coarse    = int64(time.Millisecond)     // how often the latest time is noted
	farthest  = int64(100 * 24 * time.Hour) // the longest step; everything has ended by then
	age       = 100 * 365 * 24 * time.Hour  // the farthest from its base that is told apart
)

// clock counts nanoseconds since its start, and goes on where the time that it
// reads was set back. Of a step forward, which cannot be told from a quiet
// time, it takes 100 days at most, so that no sum of times overflows.
type clock struct {
	read func() time.Time
	base atomic.Pointer[base]
	last atomic.Int64 // about the latest that was given
	mu   sync.Mutex   // of changes to base
}

// base says what a time that was read is for the clock.
type base struct {
	read time.Time
	is   int64
}

func (c *clock) init(read func() time.Time) {
	c.read = read
	c.base.Store(&base{read(), 1}) // never zero, which stands for no time
	c.last.Store(1)
}

func (c *clock) now() int64 {
	last := c.last.Load()
	t := c.base.Load().at(c.read())
	switch step := t - last; {
	case step < -unordered || step > farthest:
		return c.jump()
	case step < 0:
		return last
	case step > coarse:
		c.last.CompareAndSwap(last, t)
	}
	return t
}

func (b *base) at(t time.Time) int64 { return b.is + int64(min(max(t.Sub(b.read), -age), age)) }

func (c *clock) jump() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	last, t := c.last.Load(), c.read()
	is := min(max(c.base.Load().at(t), last), last+farthest)
	c.base.Store(&base{t, is})
	c.last.Store(is)
	return is
}

// left is how long it is until then, and the time of day at which that will be.
func (c *clock) left(until, now int64) (time.Duration, time.Time) {
	d := time.Duration(until - now)
	return d, c.read().Add(d)
}
