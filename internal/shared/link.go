package shared

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/backscatter-milter/backscatter-milter/internal/flood"
	"github.com/backscatter-milter/backscatter-milter/internal/grace"
	"github.com/backscatter-milter/backscatter-milter/internal/ledger"
)

const (
	tick      = 100 * time.Millisecond // between exchanges
	beatEvery = time.Second
	keepEvery = time.Minute // times of keys are put off, and a day's stream written to
	firstWait = 500 * time.Millisecond
	longWait  = 5 * time.Second // between attempts while the store is away

	steady = time.Minute // an exchange that lasts so long ends what was wrong
	quiet  = time.Minute // between reports that the store is away

	maxHosts  = 64
	skewLimit = 2 * time.Minute // between the clocks of two hosts, told of
	skewBad   = ledger.Skew     // and not believed
	pageLive  = 200             // entries of a stream read at once
	pageDay   = 16              // of larger ones
	pageHash  = 200             // fields of a hash
	pageHosts = 4               // of one with large values
	maxShrink = 8               // how often pages are halved that do not come within Timeout
	groupSize = 1 << 13         // fingerprints of an entry
	idOctets  = 16              // of a host's ID, at most
)

// Options say what a Link shares, and where.
type Options struct {
	URL    URL
	Host   string // this host's name, for people
	Ledger *ledger.Ledger
	Grace  *grace.Grace
	Flood  *flood.Flood
	// Lifetime is how long entries of the ledger are kept.
	Lifetime func() time.Duration
	// Now is the clock.
	Now func() time.Time
	// ID of this host, from an earlier run; "": a new one is made.
	ID string
	// SetID is told what to remember as ID. Nil: nothing is remembered.
	SetID func(id string)
	// Report is told when the store is away, back, or holds what makes no
	// sense, once each time. Nil: nobody.
	Report func(Event)
}

// Event is something to be logged.
type Event struct {
	Text    string
	Err     error // what is wrong; nil: nothing is
	Warning bool  // without Err: something to look at all the same
}

// Link shares what one daemon knows.
type Link struct {
	options  Options
	client   redis.UniversalClient
	instance string
	met      chan struct{} // closed once the first attempt has ended
	done     chan struct{}
	once     sync.Once

	mu     sync.Mutex
	status Status

	redialed atomic.Bool // a connection was lost, and another made

	// What follows belongs to the goroutine of Run.
	id       string
	site     string // what hosts have agreed on
	peers    map[string]*peer
	crowded  bool // there are more
	doubts   []ledger.Gap
	changed  bool // something is to be concluded
	live     position
	flood    position
	days     map[int]position
	due      map[int]bool // days of which there is more
	batch    []uint64     // for the day's stream
	batchDay int
	untold   bool // something is to be compared as a whole
	edge     uint64
	lastBeat time.Time
	lastKeep time.Time
	lastTurn time.Time     // of telling and asking
	skew     time.Duration // of the store's clock, against ours
	self     bool          // what this run has told has come back: skew is known
	shrink   int           // how often pages have been halved
	damage   map[string]bool
	joins    int64
	greet    bool      // a host has joined
	unsaid   bool      // the store is away, and nobody has been told
	said     time.Time // when somebody was
	saidAway bool      // and not that it is back
}

// New prepares a Link; Run does the work.
func New(o Options) *Link {
	if o.Report == nil {
		o.Report = func(Event) {}
	}
	l := &Link{
		options: o, instance: random(), id: o.ID,
		met: make(chan struct{}), done: make(chan struct{}),
		peers: map[string]*peer{}, days: map[int]position{}, due: map[int]bool{}, damage: map[string]bool{},
	}
	l.client = o.URL.client(func() { l.redialed.Store(true) })
	o.Ledger.Share(o.Ledger.Secret()) // from now on others count, known or not
	o.Grace.Share()
	l.status.URL, l.status.State = o.URL.String(), "connecting"
	if l.id == "" {
		l.newID()
	}
	return l
}

func random() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // which does not fail
	return hex.EncodeToString(b[:])
}

func (l *Link) newID() {
	l.id = random()
	if l.options.SetID != nil {
		l.options.SetID(l.id)
	}
}

// Met waits until the store has been reached, or could not be, but no longer
// than ctx.
func (l *Link) Met(ctx context.Context) {
	select {
	case <-l.met:
	case <-ctx.Done():
	}
}

// Run shares until ctx ends. Then it tells what is new a last time.
func (l *Link) Run(ctx context.Context) {
	defer close(l.done)
	defer func() { _ = l.client.Close() }()
	wait := firstWait
	for {
		err := l.guarded(func() error { return l.join(ctx) })
		l.once.Do(func() { close(l.met) })
		joined := err == nil
		if joined {
			l.back()
			begun := l.now()
			err = l.guarded(func() error { return l.exchange(ctx) })
			if l.now().Sub(begun) >= steady {
				wait, l.shrink = firstWait, 0
			}
		}
		if ctx.Err() != nil {
			return
		}
		switch {
		case errors.Is(err, lost):
			l.options.Report(Event{Text: "the shared store is told anew what is known here", Err: err})
		case !errors.Is(err, missed):
			l.away(err)
		case joined && wait == firstWait: // for once at once
			wait *= 2
			continue
		}
		if !sleep(ctx, wait) {
			return
		}
		wait = min(2*wait, longWait)
	}
}

// anew ends an exchange for everything to be compared once more, and says why.
type anew string

func (a anew) Error() string { return string(a) }

const (
	missed anew = "news may have been missed"
	lost   anew = "what hosts had told each other is gone, or another site's is in its place"
)

// now is the time by the clock, not by the machine's, which stands still while
// it sleeps.
func (l *Link) now() time.Time { return l.options.Now().Round(0) }

// Done is closed when Run has ended.
func (l *Link) Done() <-chan struct{} { return l.done }

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// guarded outlives a fault of what it runs.
func (l *Link) guarded(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("fault: %v\n%s", p, debug.Stack())
		}
	}()
	return fn()
}

// exchange tells and asks until something fails.
func (l *Link) exchange(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		err := l.round(ctx)
		if ctx.Err() != nil {
			return l.tell(ctx, farewell)
		}
		if err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// round tells and asks once.
func (l *Link) round(ctx context.Context) error {
	if l.now().Sub(l.lastTurn) > liveKept/2 {
		return missed // while the machine slept
	}
	if err := l.turn(ctx, all); err != nil {
		return err
	}
	if err := l.readDue(ctx); err != nil {
		return err
	}
	if l.untold {
		l.untold = false
		if err := l.compare(ctx); err != nil {
			return err
		}
	}
	if l.changed {
		l.conclude()
	}
	if l.greet {
		l.greet = false
		return l.announceBlocks(ctx)
	}
	return nil
}

// turn tells, and takes in what is new.
func (l *Link) turn(ctx context.Context, what extent) error {
	if err := l.tell(ctx, what); err != nil {
		return err
	}
	if err := l.listen(ctx); err != nil {
		return err
	}
	if l.redialed.Load() {
		return missed // it may be another server, or the same with less
	}
	l.lastTurn = l.now()
	return nil
}

// meanwhile does the same now and then, while a comparison takes its time.
func (l *Link) meanwhile(ctx context.Context) error {
	if since := l.now().Sub(l.lastTurn); since >= 0 && since < tick {
		return nil
	}
	return l.turn(ctx, newsOnly)
}

// ask is do for what may be large: where it takes too long, less is asked for at
// once the next time.
func (l *Link) ask(ctx context.Context, fn func(redis.Pipeliner)) error {
	err := l.do(ctx, fn)
	if err != nil && late(err) {
		l.shrink = min(l.shrink+1, maxShrink)
	}
	return err
}

// page is how many are asked for at once, of so many at the most.
func (l *Link) page(most int) int { return max(most>>l.shrink, 1) }

// damaged notes that something in the store makes no sense; each kind of it is
// reported once.
func (l *Link) damaged(what string) {
	l.mu.Lock()
	l.status.Damaged++
	l.mu.Unlock()
	if !l.damage[what] {
		l.damage[what] = true
		l.options.Report(Event{Text: "the shared store holds something that makes no sense, which is passed over", Err: errors.New(what)})
	}
}

// do runs commands in one pipeline, within Timeout, unless ctx has ended. Its
// error names the first that failed.
func (l *Link) do(ctx context.Context, fn func(redis.Pipeliner)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), Timeout)
	defer cancel()
	p := l.client.Pipeline()
	fn(p)
	if p.Len() == 0 {
		return nil
	}
	commands, err := p.Exec(ctx)
	for _, c := range commands {
		if e := c.Err(); e != nil && !errors.Is(e, redis.Nil) {
			key := ""
			if args := c.Args(); len(args) > 1 {
				key = fmt.Sprint(" ", args[1])
			}
			return fmt.Errorf("%s%s: %w", c.Name(), key, plainly(e))
		}
	}
	if err != nil && !errors.Is(err, redis.Nil) {
		return plainly(err)
	}
	return nil
}
