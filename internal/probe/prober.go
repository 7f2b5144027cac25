package probe

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	maxDomains     = 10_000
	againYes       = 24 * time.Hour   // after an acceptance,
	againNo        = time.Hour        // a refusal: the postmaster may be at work on it
	firstBackoff   = 10 * time.Second // and after an error, doubling
	longestBackoff = time.Hour
	linger         = time.Minute // how long an address that got no reply stays ours
	forgetting     = 90 * 24 * time.Hour
)

// Store keeps small records by key. Put and Delete must not wait.
type Store interface {
	Each(func(key string, value []byte) error) error
	Put(key string, value []byte)
	Delete(key string)
}

// Options of a Prober.
type Options struct {
	Target Target
	// Query makes the question for a sender just seen; false: there is none,
	// since the address is not one to be signed. See the package comment for
	// how its tags should be made.
	Query func(sender string, now time.Time) (Query, bool)
	// Report is told every answer, from the goroutine of Run. Nil: nobody.
	Report func(domain string, r Result)
	Store  Store // nil: answers do not outlive the process
}

// Prober keeps the answer for each domain and asks again: daily, and with the
// first sender seen after a start, until when the answer of before holds. It
// is safe for concurrent use.
type Prober struct {
	o    Options
	wake chan struct{}

	mu      sync.RWMutex
	domains map[string]*state
	own     map[string]time.Time // being asked for; until when
	pause   time.Duration        // of everything, while the MTA cannot be spoken to
	resume  time.Time
}

// state is what is known of a domain; the exported fields are stored.
type state struct {
	Layout   Layout
	CatchAll bool
	Reply    string
	At       time.Time // of the answer; zero: never

	err     string // why the last attempt gave none
	sender  string // the latest seen while one was needed
	due     time.Time
	backoff time.Duration
}

// NewProber reads the answers of before. An error means that the store could
// not be read; the Prober works all the same.
func NewProber(o Options) (*Prober, error) {
	p := &Prober{o: o, wake: make(chan struct{}, 1), domains: map[string]*state{}, own: map[string]time.Time{}}
	if o.Store == nil {
		return p, nil
	}
	return p, o.Store.Each(func(domain string, value []byte) error {
		s := &state{}
		if json.Unmarshal(value, s) == nil && s.Layout <= Subaddress && len(p.domains) < maxDomains {
			p.domains[domain] = s
		}
		return nil
	})
}

// Layout is the answer for a domain: how its mail may be signed now. The domain
// is in the form in which it is passed to Need.
func (p *Prober) Layout(domain string) Layout {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if s := p.domains[domain]; s != nil {
		return s.Layout
	}
	return Unknown
}

// Need says that mail of the sender is to be signed. It never waits, and does
// nothing unless a question is due and wants a sender.
func (p *Prober) Need(domain, sender string, now time.Time) {
	p.mu.RLock()
	s, full := p.domains[domain], len(p.domains) >= maxDomains
	quiet := s == nil && full || s != nil && (s.sender != "" || now.Before(s.due) && !farAhead(s.due, now))
	p.mu.RUnlock()
	if quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s = p.domains[domain]; s == nil {
		s = &state{}
		p.domains[domain] = s
	}
	s.sender = sender
	p.signal()
}

// farAhead: a date that only a clock set back explains.
func farAhead(due, now time.Time) bool { return due.Sub(now) > againYes+time.Hour }

// Refused says that a genuine tag has been seen refused by the MTA: nothing of
// the domain is signed until it has been asked again, at once.
func (p *Prober) Refused(domain, reply string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.domains[domain]
	if s == nil || !s.Layout.Signs() {
		return
	}
	s.Layout, s.CatchAll, s.Reply, s.due = None, false, printable(reply), time.Time{}
	p.save(domain, s)
	p.signal()
}

// Restart has everything asked again, as after a change of settings.
func (p *Prober) Restart() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.domains {
		s.due, s.backoff = time.Time{}, 0
	}
	p.pause, p.resume = 0, time.Time{}
	p.signal()
}

// IsOwn reports whether a recipient that the milter is shown is one that is
// being asked for at this moment. Such a transaction is to be answered with
// Continue and neither judged nor counted, and its tag proves nothing.
func (p *Prober) IsOwn(recipient string) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if len(p.own) == 0 {
		return false
	}
	until, ok := p.own[strings.ToLower(recipient)]
	return ok && (until.IsZero() || p.o.Target.Now().Before(until))
}

// Finding is what is known of a domain, for people.
type Finding struct {
	Domain   string
	Layout   Layout
	CatchAll bool
	Reply    string    // of the MTA, to the address that decided
	At       time.Time // of the answer; zero: never
	Err      string    // why the last attempt gave no answer
	Due      time.Time // of the next question; zero: with the next sender seen
}

// Findings lists the domains, sorted.
func (p *Prober) Findings() []Finding {
	p.mu.RLock()
	defer p.mu.RUnlock()
	list := make([]Finding, 0, len(p.domains))
	for _, domain := range slices.Sorted(maps.Keys(p.domains)) {
		s := p.domains[domain]
		list = append(list, Finding{domain, s.Layout, s.CatchAll, s.Reply, s.At, s.err, s.due})
	}
	return list
}

// Run asks what is due, one question after the other, until ctx ends.
func (p *Prober) Run(ctx context.Context) {
	for {
		domain, sender, wait := p.next()
		if domain != "" {
			p.ask(ctx, domain, sender)
			if ctx.Err() != nil {
				return
			}
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-p.wake:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

func (p *Prober) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// next finds the domain whose question has been due for longest, or how long
// to wait.
func (p *Prober) next() (domain, sender string, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.o.Target.Now()
	wait = time.Hour
	if until := p.resume.Sub(now); until > 0 && until <= longestBackoff {
		return "", "", until
	}
	var first time.Time
	for name, s := range p.domains {
		if s.sender == "" {
			continue
		}
		if until := s.due.Sub(now); until > 0 && !farAhead(s.due, now) {
			wait = min(wait, until)
			continue
		}
		if domain == "" || s.due.Before(first) {
			domain, sender, first = name, s.sender, s.due
		}
	}
	return domain, sender, wait
}

func (p *Prober) ask(ctx context.Context, domain, sender string) {
	q, ok := p.o.Query(sender, p.o.Target.Now())
	if !ok {
		p.mu.Lock()
		defer p.mu.Unlock()
		s := p.domains[domain]
		s.sender = "" // another one may do
		s.due = p.o.Target.Now().Add(firstBackoff)
		return
	}
	p.claim(q.addresses(), time.Time{})
	r := Probe(ctx, p.o.Target, q)
	if ctx.Err() != nil {
		r.Err = cmp.Or(r.Err, ctx.Err())
	}
	p.release(q, r.Err)
	if ctx.Err() != nil {
		return
	}
	p.answer(domain, r)
	if p.o.Report != nil {
		p.o.Report(domain, r)
	}
}

// claim makes the addresses our own until then; zero: for now.
func (p *Prober) claim(addresses []string, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range addresses {
		if a != "" {
			p.own[strings.ToLower(a)] = until
		}
	}
}

// release ends that. An MTA that was left without a reply may still be about
// to show the recipient, so that one lingers, unless others may write to it.
func (p *Prober) release(q Query, err error) {
	now := p.o.Target.Now()
	if err != nil {
		p.claim(q.tagged(), now.Add(linger))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for a, until := range p.own {
		if until.IsZero() || now.After(until) {
			delete(p.own, a)
		}
	}
}

// answer keeps what was found out. An attempt without answer changes nothing
// of the answer before, and the next comes ever later.
func (p *Prober) answer(domain string, r Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.o.Target.Now()
	s := p.domains[domain]
	if r.Err != nil {
		s.err = r.Err.Error()
		s.backoff = min(max(2*s.backoff, firstBackoff), longestBackoff)
		s.due = now.Add(s.backoff)
		if ofSender(r.Err) {
			s.sender = "" // the next one may fare better
			return
		}
		p.pause = min(max(2*p.pause, firstBackoff), longestBackoff)
		p.resume = now.Add(p.pause)
		return
	}
	p.pause, s.backoff, s.err, s.sender = 0, 0, "", ""
	s.Layout, s.CatchAll, s.Reply, s.At = r.Layout, r.CatchAll, r.Reply, now
	s.due = now.Add(againYes)
	if !r.Layout.Signs() {
		s.due = now.Add(againNo)
	}
	p.save(domain, s)
	p.forget(now)
}

// forget makes room by dropping what was last answered long ago.
func (p *Prober) forget(now time.Time) {
	for domain, s := range p.domains {
		if !s.At.IsZero() && now.Sub(s.At) > forgetting {
			delete(p.domains, domain)
			if p.o.Store != nil {
				p.o.Store.Delete(domain)
			}
		}
	}
}

func (p *Prober) save(domain string, s *state) {
	if p.o.Store == nil {
		return
	}
	if value, err := json.Marshal(s); err == nil {
		p.o.Store.Put(domain, value)
	}
}
