package shared

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
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

	maxHosts   = 64
	skewLimit  = 2 * time.Minute // between the clocks of two hosts, told of
	skewBad    = ledger.Skew     // and not believed
	pageLive   = 200             // entries of a stream read at once
	pageDay    = 16              // of larger ones
	groupSize  = 1 << 13         // fingerprints of an entry
	noticeSize = 16
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
	Text string
	Err  error // nil: good news
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

	// What follows belongs to the goroutine of Run.
	id       string
	peers    map[string]*peer
	live     position
	flood    position
	days     map[int]position
	batch    []uint64 // for the day's stream
	batchDay int
	untold   bool // something is to be compared as a whole
	lastBeat time.Time
	lastKeep time.Time
	skew     time.Duration // of our clock, against the store's
	damage   map[string]bool
	named    time.Time // since when id is ours
	joins    int64
	greet    bool // a host has joined
}

// peer is another host.
type peer struct {
	record hostRecord
	edge   uint64       // of record
	doubts []ledger.Gap // in what was read of it
	until  time.Time    // its news are complete, by its clock but never after ours
	skew   time.Duration
	run    string // of its daemon
	joins  int64
}

// New prepares a Link; Run does the work.
func New(o Options) *Link {
	if o.Report == nil {
		o.Report = func(Event) {}
	}
	l := &Link{
		options: o, client: o.URL.client(), instance: random(), id: o.ID,
		met: make(chan struct{}), done: make(chan struct{}),
		peers: map[string]*peer{}, days: map[int]position{}, damage: map[string]bool{},
	}
	l.named = o.Now()
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
	l.id, l.named = random(), l.options.Now()
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
		if err == nil {
			l.back()
			wait = firstWait
			err = l.guarded(func() error { return l.exchange(ctx) })
		}
		if ctx.Err() != nil {
			return
		}
		l.away(err)
		if !sleep(ctx, wait) {
			return
		}
		wait = min(2*wait, longWait)
	}
}

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
		if err := l.round(ctx); err != nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// round tells and asks once; where ctx has ended it tells for the last time.
func (l *Link) round(ctx context.Context) error {
	if err := l.tell(ctx, ctx.Err() != nil); err != nil || ctx.Err() != nil {
		return err
	}
	if err := l.listen(ctx); err != nil {
		return err
	}
	if l.untold {
		l.untold = false
		if err := l.compare(ctx); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return l.tell(ctx, true)
	}
	l.conclude()
	if l.greet {
		l.greet = false
		return l.announceBlocks(ctx)
	}
	return nil
}

// conclude tells ledger and grace how far the other hosts are known.
func (l *Link) conclude() {
	peers := make([]ledger.Peer, 0, len(l.peers))
	for _, p := range l.peers {
		gaps := slices.Concat(p.record.Gaps, p.doubts)
		slices.SortFunc(gaps, func(a, b ledger.Gap) int { return a.To.Compare(b.To) })
		peers = append(peers, ledger.Peer{Begun: p.record.Begun, Gaps: gaps, First: p.record.First, Until: p.until})
	}
	l.options.Ledger.SetPeers(peers)
	l.concludeGrace()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Hosts = l.hosts()
}

func (l *Link) concludeGrace() {
	states := make([]grace.PeerState, 0, len(l.peers))
	for id, p := range l.peers {
		states = append(states, grace.PeerState{ID: id, Name: p.record.Name, Heard: p.until})
	}
	l.options.Grace.SetPeers(states, l.options.Now())
}

// damaged notes that something in the store makes no sense; each kind of it is
// reported once.
func (l *Link) damaged(what string) {
	l.mu.Lock()
	l.status.Damaged++
	l.mu.Unlock()
	if !l.damage[what] {
		l.damage[what] = true
		l.options.Report(Event{"the shared store holds something that makes no sense, which is passed over", fmt.Errorf("%s", what)})
	}
}

// do runs commands in one pipeline, within Timeout. Its error names the first
// that failed.
func (l *Link) do(ctx context.Context, fn func(redis.Pipeliner)) error {
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
