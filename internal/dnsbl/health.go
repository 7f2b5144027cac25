package dnsbl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

const (
	checkEvery   = time.Hour
	recheckFirst = 10 * time.Second // after a failed check, doubling up to
	recheckMost  = 5 * time.Minute  // where no answer could be had, or
	recheckWrong = time.Hour        // where it was wrong
	trustFor     = time.Minute      // after a passed check, for which listings are believed
	suspectPause = time.Second      // after a passed check, in which failures do not bring about another
)

type health uint8

const (
	unchecked health = iota
	healthy
	suspected // it was healthy and then gave no answer: a check is due
	failing
)

// zone is a Zone at work. The Client's lock is also that of its later fields.
type zone struct {
	Zone
	servers  *servers
	wake     chan struct{} // a check may be due
	checking chan struct{} // holds an element while a check is under way

	state   health
	why     error     // of failing
	since   time.Time // of the state; suspicions leave it alone
	checked time.Time
	due     time.Time
	backoff time.Duration
	counts  [statuses]int64
}

func newZone(z Zone, resolvers []string) *zone {
	z.Timeout = cmp.Or(max(z.Timeout, 0), defaultTimeout)
	if len(z.Resolvers) == 0 {
		z.Resolvers = resolvers
	}
	return &zone{Zone: z, servers: newServers(z.Resolvers), wake: make(chan struct{}, 1), checking: make(chan struct{}, 1)}
}

func (z *zone) usable() bool { return z.state == healthy }

// ZoneState is how a zone fares.
type ZoneState struct {
	Zone      string
	Resolvers []string // "host:port"
	Healthy   bool     // its latest check passed
	Why       error    // if not
	Since     time.Time
	Checked   time.Time // zero: not yet
	Due       time.Time // of the next check
	// Asked counts what became of the questions to this zone.
	Asked map[Status]int64
}

// Zones tells how the zones fare, in the order of Options.Zones.
func (c *Client) Zones() []ZoneState {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]ZoneState, 0, len(c.zones))
	for _, z := range c.zones {
		list = append(list, z.report())
	}
	return list
}

func (z *zone) report() ZoneState {
	s := ZoneState{
		Zone: z.Name, Resolvers: z.Resolvers, Healthy: z.state == healthy || z.state == suspected, Why: z.why,
		Since: z.since, Checked: z.checked, Due: z.due, Asked: map[Status]int64{},
	}
	if z.state == unchecked {
		s.Why = errors.New("not checked yet")
	}
	for i, n := range z.counts {
		if n > 0 {
			s.Asked[Status(i)] = n
		}
	}
	return s
}

// Run checks the health of the zones when it is due, until ctx ends or the
// Client is closed.
func (c *Client) Run(ctx context.Context) {
	if c == nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	c.each(func(_ int, z *zone) {
		for ctx.Err() == nil {
			if wait := c.wait(z); wait > 0 {
				sleep(ctx, wait, z.wake)
				continue
			}
			c.guard(func() { c.examine(ctx, z) })
		}
	})
}

// wait is how long the zone's next check has time.
func (c *Client) wait(z *zone) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait := z.due.Sub(c.o.Now())
	if wait > checkEvery { // a clock set back
		return 0
	}
	return wait
}

func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C:
	}
}

// Check checks all zones now and tells how they fare.
func (c *Client) Check(ctx context.Context) []ZoneState {
	if c == nil {
		return nil
	}
	c.each(func(_ int, z *zone) { c.examine(ctx, z) })
	return c.Zones()
}

// confirm reports whether a zone that lists somebody is to be believed. Lists have
// ended by listing everything, between two checks: the first listing after a
// while brings about another check, which those that come with it share.
func (c *Client) confirm(ctx context.Context, z *zone) bool {
	if c.trusted(z) {
		return true
	}
	select {
	case z.checking <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	defer func() { <-z.checking }()
	if !c.trusted(z) {
		c.examineAlone(ctx, z)
	}
	return c.trusted(z)
}

// trusted reports whether the zone has passed a check just now.
func (c *Client) trusted(z *zone) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	age := c.o.Now().Sub(z.checked)
	return z.state == healthy && age >= 0 && age < trustFor
}

// examine checks a zone and remembers the outcome.
func (c *Client) examine(ctx context.Context, z *zone) {
	select {
	case z.checking <- struct{}{}:
	case <-ctx.Done():
		return
	}
	defer func() { <-z.checking }()
	c.examineAlone(ctx, z)
}

// examineAlone is examine while nobody else does.
func (c *Client) examineAlone(ctx context.Context, z *zone) {
	c.mu.Lock()
	z.due = c.o.Now().Add(recheckFirst) // whatever happens now
	c.mu.Unlock()
	wrong, err := c.test(ctx, z)
	if ctx.Err() != nil && err != nil {
		return // which says nothing of the zone
	}
	c.mu.Lock()
	state := c.settle(z, wrong, err)
	c.mu.Unlock()
	if state != nil && c.o.Changed != nil {
		c.o.Changed(*state)
	}
}

// settle takes the outcome of a check. It returns the state if that is news.
func (c *Client) settle(z *zone, wrong bool, err error) *ZoneState {
	now, before := c.o.Now(), z.state
	z.checked, z.why = now, err
	if err == nil {
		z.state, z.backoff, z.due = healthy, 0, now.Add(checkEvery)
	} else {
		most := recheckMost
		if wrong {
			most = recheckWrong
		}
		z.state, z.backoff = failing, min(max(2*z.backoff, recheckFirst), most)
		z.due = now.Add(z.backoff)
	}
	if z.state != before {
		c.changes++
	}
	if z.state == before || z.state == healthy && before == suspected {
		return nil
	}
	z.since = now
	s := z.report()
	return &s
}

// suspect has a zone that gave no answer checked at once, and not used until
// then. Questions begun before the latest check say nothing new.
func (c *Client) suspect(z *zone, began, now time.Time) {
	if z.state != healthy || began.Before(z.checked) || now.Sub(z.checked) < suspectPause || c.closed {
		return
	}
	z.state, z.due = suspected, now
	c.changes++
	select {
	case z.wake <- struct{}{}:
	default:
	}
}

// test asks for the test entries of RFC 5782, section 5. Whether a zone is
// wrong is another matter than whether it answers.
func (c *Client) test(ctx context.Context, z *zone) (wrong bool, err error) {
	points := []struct {
		addr   string
		listed bool
	}{{"127.0.0.2", true}, {"127.0.0.1", false}, {"::ffff:7f00:2", true}, {"::ffff:7f00:1", false}}
	if !z.IPv6 {
		points = points[:2]
	}
	for _, p := range points {
		a := c.ask(ctx, z, netip.MustParseAddr(p.addr))
		switch {
		case a.Status == Invalid:
			return true, a.Err
		case a.Err != nil:
			return false, fmt.Errorf("asking %s: %w", a.Server, a.Err)
		case p.listed && len(a.Codes) == 0:
			return true, fmt.Errorf("it does not list %s, as every list does to be tested", p.addr)
		case !p.listed && len(a.Codes) > 0:
			return true, fmt.Errorf("it lists %s, as no list does: it seems to list everything", p.addr)
		}
	}
	return false, nil
}
