package dnsbl

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	defaultTimeout = 2 * time.Second
	defaultAsking  = 1024
	defaultCached  = 50_000
)

// Zone is a DNS list of addresses.
type Zone struct {
	Name      string        // "list.example.org"
	Codes     []netip.Addr  // answers that mean "listed"; none: any
	Resolvers []string      // servers to ask, "host:port"; none: those of Options
	Timeout   time.Duration // of a question, its second try included; 0: 2 s
	IPv6      bool          // whether it lists IPv6 addresses, too
}

// Options of a Client. The functions are called from many goroutines, with no
// lock held, and must not wait; nil: nobody is told.
type Options struct {
	Zones     []Zone
	Resolvers []string // "host:port"; see [SystemResolvers]
	Now       func() time.Time
	// Asked is told what became of each question to a zone. Answers out of the
	// cache are no questions.
	Asked func(zone string, s Status)
	// Changed is told the outcome of a zone's first check, and of each that
	// turned out otherwise than the one before.
	Changed func(ZoneState)
	// Panicked is told of a bug that was survived; the question has Failed.
	Panicked  func(v any, stack []byte)
	MaxAsking int // questions under way, one an address and zone, each a goroutine and a socket; 0: 1024
	// MaxCached is how many addresses are remembered. 50,000 of them, the
	// default (0), take less than 20 MB with one zone.
	MaxCached int
}

// Client asks the zones. It is safe for concurrent use; a nil Client has no
// zones.
type Client struct {
	o     Options
	zones []*zone
	ctx   context.Context // ends with Close
	end   context.CancelFunc
	wg    sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	asking  int
	flights map[netip.Addr]*flight
	cache   cache
	changes int // of zones' usability: answers put together before are out of date
}

// New makes a Client. No zone is used before Run or Check has found it healthy.
func New(o Options) *Client {
	o.Zones = slices.Clone(o.Zones)
	o.MaxAsking = cmp.Or(o.MaxAsking, defaultAsking)
	c := &Client{
		o:       o,
		flights: map[netip.Addr]*flight{},
		cache:   newCache(cmp.Or(o.MaxCached, defaultCached)),
	}
	c.ctx, c.end = context.WithCancel(context.Background())
	for _, z := range o.Zones {
		c.zones = append(c.zones, newZone(z, o.Resolvers))
	}
	return c
}

// Close ends Run and all questions under way, which have Failed then, and waits
// for the questions to be gone.
func (c *Client) Close() {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.end()
	c.wg.Wait()
}

// Question is a question that was started. The zero Question was not asked.
type Question struct {
	f *flight
	r Result // if there is no flight
}

// flight is a question under way, shared by all who ask it.
type flight struct {
	addr    netip.Addr
	answers []Answer
	pending int
	done    chan struct{}
	result  Result // once done
}

// Start begins to ask all zones about an address, or finds what they answered
// before. It does not wait. Addresses that are not public are not asked for.
func (c *Client) Start(addr netip.Addr) Question {
	if c == nil {
		return Question{}
	}
	if addr = addr.Unmap().WithZone(""); !public(addr) {
		return Question{}
	}
	now := c.o.Now()
	c.mu.Lock()
	e := c.cache.get(addr)
	if e.fresh(now, c.changes) {
		c.mu.Unlock()
		return Question{r: e.result}
	}
	if f := c.flights[addr]; f != nil {
		c.mu.Unlock()
		return Question{f: f}
	}
	q, answers := c.begin(addr, e, now)
	c.mu.Unlock()
	for _, a := range answers {
		c.tell(a)
	}
	return q
}

// Cached gives what the zones answered before, if that still holds, without an
// allocation.
func (c *Client) Cached(addr netip.Addr) (Result, bool) {
	if c == nil {
		return Result{}, false
	}
	now := c.o.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.cache.get(addr.Unmap().WithZone("")); e.fresh(now, c.changes) {
		return e.result, true
	}
	return Result{}, false
}

// Wait waits for the answers. They come at the latest when the time of the
// slowest zone is up; if ctx ends before, the Result is a Timeout and the
// question goes on for others.
func (q Question) Wait(ctx context.Context) Result {
	if q.f == nil {
		return q.r
	}
	select {
	case <-q.f.done:
		return q.f.result
	case <-ctx.Done():
	}
	select { // both may have been ready
	case <-q.f.done:
		return q.f.result
	default:
		return Result{Status: Timeout}
	}
}

// begin asks the zones whose answers are not known. It returns with the
// question the answers of those that were not asked though they should be.
func (c *Client) begin(addr netip.Addr, e *entry, now time.Time) (Question, []Answer) {
	f := &flight{addr: addr, answers: make([]Answer, len(c.zones)), done: make(chan struct{})}
	var told []Answer
	for i, z := range c.zones {
		a := &f.answers[i]
		*a = Answer{Zone: z.Name, until: now.Add(maxTTL)}
		switch {
		case addr.Is6() && !z.IPv6:
		case !z.usable():
			a.Status = Unhealthy
			z.counts[Unhealthy]++
			told = append(told, *a)
		case e != nil && e.result.Answers[i].good(now):
			*a = e.result.Answers[i]
		case c.closed:
			a.Status, a.until = Failed, now
			a.Err = errClosed
		case c.asking >= c.o.MaxAsking:
			a.Status, a.until = Busy, now
			z.counts[Busy]++
			told = append(told, *a)
		default:
			c.asking++
			f.pending++
			c.wg.Add(1)
			go c.put(f, i, now)
		}
	}
	if f.pending == 0 {
		r := combine(f.answers)
		c.cache.put(addr, newEntry(r, now, c.changes), now)
		return Question{r: r}, told
	}
	c.flights[addr] = f
	return Question{f: f}, told
}

// put puts one question to one zone.
func (c *Client) put(f *flight, i int, began time.Time) {
	defer c.wg.Done()
	z := c.zones[i]
	a := Answer{Zone: z.Name, Status: Failed, Err: errors.New("it panicked"), TTL: failureTTL}
	c.guard(func() {
		ctx, cancel := context.WithTimeout(c.ctx, z.Timeout)
		defer cancel()
		a = c.ask(ctx, z, f.addr)
		if a.Status == Listed && !c.confirm(ctx, z) {
			a = Answer{Zone: z.Name, Status: Unhealthy, Server: a.Server, Took: a.Took}
		}
	})
	c.land(f, i, a, began)
	c.guard(func() { c.tell(a) })
}

// land takes the answer of one zone; the last one completes the result.
func (c *Client) land(f *flight, i int, a Answer, began time.Time) {
	now := c.o.Now()
	a.until = now.Add(a.TTL)
	c.mu.Lock()
	defer c.mu.Unlock()
	z := c.zones[i]
	z.counts[a.Status]++
	if !a.Status.Opinion() {
		c.suspect(z, began, now)
	}
	c.asking--
	f.answers[i] = a
	if f.pending--; f.pending > 0 {
		return
	}
	for i, z := range c.zones { // which may have failed its check meanwhile
		if a := &f.answers[i]; a.Status.Opinion() && z.state == failing {
			*a = Answer{Zone: z.Name, Status: Unhealthy, until: now.Add(maxTTL)}
		}
	}
	f.result = combine(f.answers)
	c.cache.put(f.addr, newEntry(f.result, now, c.changes), now)
	delete(c.flights, f.addr)
	close(f.done)
}

func (c *Client) tell(a Answer) {
	if c.o.Asked != nil {
		c.o.Asked(a.Zone, a.Status)
	}
}

// Lookup asks all zones about an address, for people to look at: also the
// zones that are not used, and past the cache. The answers are complete, in the
// order of Options.Zones.
func (c *Client) Lookup(ctx context.Context, addr netip.Addr) []Answer {
	if c == nil {
		return nil
	}
	addr = addr.Unmap().WithZone("")
	answers := make([]Answer, len(c.zones))
	c.each(func(i int, z *zone) {
		answers[i] = Answer{Zone: z.Name}
		if addr.IsValid() && (addr.Is4() || z.IPv6) {
			answers[i] = c.ask(ctx, z, addr)
		}
	})
	return answers
}

// each does something for all zones at the same time.
func (c *Client) each(do func(i int, z *zone)) {
	var wg sync.WaitGroup
	for i, z := range c.zones {
		wg.Go(func() { c.guard(func() { do(i, z) }) })
	}
	wg.Wait()
}

var errClosed = errors.New("the client was closed")
