package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/proc"
	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// deluge is what was measured of a flood that goes on for minutes, with genuine bounces in it, over the unix socket.
type deluge struct {
	took    time.Duration
	flood   int64 // transactions that nothing proves
	passed  int64 // of them, those that came before they were too many
	genuine []time.Duration
	samples []sample
}

// sample is one look at the daemon while the flood goes on.
type sample struct {
	at   time.Duration
	sent int64 // transactions until then
	kib  int   // resident
}

const (
	oneGenuineIn = 100
	// mostPassed are as many as can come before all of it is cut off: what is too much for a client's network, for one
	// recipient and for the domain, and what was under way then.
	mostPassed  = 400 + 50 + 200 + 100
	looks       = 60      // at the daemon
	flatMinutes = 4.0     // for memory to be full of all that is counted takes two
	mostGrowth  = 0.10    // of memory, from half of the time on
	leastFloods = 10000.0 // a second, with what is genuine
	floodGraph  = 50      // columns
)

// floodConfig is what is shipped, but for what cannot be learned in a test. Nobody reads the log.
const floodConfig = `
listen  = ["inet:%s", "unix:%s"]
domains = ["example.com"]
[batv]
sign = true
[admin]
listen = ""
`

// measureFlood plays a flood at a daemon with the rules that are shipped.
func measureFlood(ctx context.Context, o options, bin programs, dir string, progress io.Writer) (d *deluge, err error) {
	fmt.Fprintf(progress, "load: unix, a flood for %v minutes\n", o.floodMinutes)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s, err := newServer("daemon", dir)
	if err != nil {
		return nil, err
	}
	s.stderr = os.DevNull
	if err := bin.serve(ctx, s, dir, floodConfig); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	p := &pour{deluge: &deluge{}, player: newPlayer("unix", workloads()[floodWorkload], s), rate: float64(o.floodRate)}
	p.tagged = mtatest.SampleBounce(s.tagged, user)
	return p.deluge, p.run(ctx, time.Duration(o.floodMinutes*float64(time.Minute)), o.parallel)
}

// pour plays the transactions of a deluge.
type pour struct {
	*deluge
	player *player
	tagged mtatest.Transaction
	rate   float64 // transactions a second, if that many can be played
	begun  time.Time
	next   atomic.Int64
	mu     sync.Mutex
}

func (p *pour) run(ctx context.Context, span time.Duration, parallel int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p.begun = time.Now()
	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() {
			if err := p.work(ctx, span); err != nil {
				cancel(err)
			}
		})
	}
	watched := make(chan error)
	go func() { watched <- p.watch(ctx, span) }()
	workers.Wait()
	p.took = time.Since(p.begun)
	if err := errors.Join(context.Cause(ctx), <-watched); err != nil {
		return err
	}
	if p.passed > mostPassed {
		return fmt.Errorf("%d of %d transactions of a flood were accepted, want %d at most", p.passed, p.flood, mostPassed)
	}
	return nil
}

func (p *pour) work(ctx context.Context, span time.Duration) error {
	var c mtatest.Client
	for ctx.Err() == nil {
		i := p.next.Add(1) - 1
		due := time.Duration(float64(i) / p.rate * float64(time.Second))
		if max(due, time.Since(p.begun)) >= span {
			return nil
		}
		time.Sleep(due - time.Since(p.begun))
		if err := p.one(&c, i); err != nil {
			return fmt.Errorf("transaction %d: %w", i, err)
		}
	}
	return nil
}

// one plays the i-th transaction on a connection of its own.
func (p *pour) one(c *mtatest.Client, i int64) error {
	genuine := i%oneGenuineIn == oneGenuineIn-1
	tx := p.tagged
	if !genuine {
		tx = p.unproven(i)
	}
	begun := time.Now()
	if err := p.player.connect(c); err != nil {
		return err
	}
	r, err := c.Run(tx)
	if err != nil {
		return errors.Join(err, c.Close())
	}
	took := time.Since(begun)
	if err := c.Quit(); err != nil {
		return err
	}
	return p.note(genuine, took, tx, r)
}

// note notes how a transaction ended, and fails where it must not end so.
func (p *pour) note(genuine bool, took time.Duration, tx mtatest.Transaction, r mtatest.Result) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case genuine:
		p.genuine = append(p.genuine, took)
		return restored(p.player.server, tx, r)
	case r.Accepted():
		p.passed++
	case r.Stage != mtatest.StageRcpt || r.Reply.Code != 451:
		return fmt.Errorf("want 451 at rcpt, got %v at %v", r.Reply, r.Stage)
	}
	p.flood++
	return nil
}

// unproven is the i-th bounce that nothing proves: seven of ten are from hosts of one network, that of the genuine
// ones, to a thousand users, two from ever new networks to the user who gets the genuine ones, and one to ever new users.
func (p *pour) unproven(i int64) mtatest.Transaction {
	tx := p.player.txs[i%int64(len(p.player.txs))]
	kind := i / int64(len(p.player.txs)) % 10
	if kind >= 7 {
		tx.Client = fmt.Sprintf("%d.%d.%d.1", 11+i>>16%100, i>>8&255, i&255)
	}
	switch {
	case kind < 7:
		tx.Rcpts = mtatest.To(fmt.Sprintf("user%d@example.com", i%1000))
	case kind == 9:
		tx.Rcpts = mtatest.To(fmt.Sprintf("user%d@example.com", i))
	}
	return tx
}

// watch looks at the daemon until the time is over.
func (p *pour) watch(ctx context.Context, span time.Duration) error {
	tick := time.NewTicker(span / looks)
	defer tick.Stop()
	for range looks {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		kib, err := proc.Resident(p.player.server.cmd.Process.Pid)
		if err != nil {
			return err
		}
		p.samples = append(p.samples, sample{time.Since(p.begun), p.next.Load(), kib})
	}
	return nil
}

// persecond is the rate of all transactions.
func (d *deluge) persecond() float64 {
	return float64(d.flood+int64(len(d.genuine))) / d.took.Seconds()
}

// growth is how much more memory there was at most in the second half of the time than in its middle.
func (d *deluge) growth() float64 {
	half := d.samples[len(d.samples)/2:]
	most := slices.MaxFunc(half, func(a, b sample) int { return a.kib - b.kib })
	return float64(most.kib)/float64(half[0].kib) - 1
}

func (d *deluge) long() bool { return d.took.Minutes() > flatMinutes }

func (d *deluge) missed() (missed []string) {
	if rate := d.persecond(); rate < leastFloods {
		missed = append(missed, fmt.Sprintf("flood: %.0f transactions a second, want %.0f", rate, leastFloods))
	}
	if d.long() && d.growth() > mostGrowth {
		missed = append(missed, fmt.Sprintf("flood: memory grew by %.0f %% in the second half, want %.0f %% at most", 100*d.growth(), 100*mostGrowth))
	}
	return missed
}

func (d *deluge) write(b *strings.Builder) {
	slices.Sort(d.genuine)
	at := func(percent int) time.Duration {
		return d.genuine[(len(d.genuine)-1)*percent/100].Round(10 * time.Microsecond)
	}
	growth := fmt.Sprintf("%+.1f %%", 100*d.growth())
	if d.long() {
		growth = verdict(growth+", target <= 10 %", d.growth() <= mostGrowth)
	}
	fmt.Fprintf(b, "## A flood, with genuine bounces in it\n\n")
	fmt.Fprintf(b, "%.1f minutes over the unix socket, one message a connection, with the `[flood]` that is shipped, the domain not strict. Seven of ten are from one network to a thousand users, two from ever new networks to one user, one from new networks to new users: so that network and that user are blocked, and the domain has a surge. One in %d is a genuine bounce with a tag, from that network to that user.\n\n", d.took.Minutes(), oneGenuineIn)
	fmt.Fprintf(b, "- transactions a second: %s\n", verdict(fmt.Sprintf("%.0f, target >= %.0f", d.persecond(), leastFloods), d.persecond() >= leastFloods))
	fmt.Fprintf(b, "- of the flood: %d put off at RCPT, %d accepted before it was one\n", d.flood-d.passed, d.passed)
	fmt.Fprintf(b, "- genuine: %d, all accepted and restored; from connecting to the answer at the end 50 %% within %v, 99 %% %v, all %v\n", len(d.genuine), at(50), at(99), at(100))
	fmt.Fprintf(b, "- resident memory from the middle to the end: %s\n\n```\n", growth)
	most := slices.MaxFunc(d.samples, func(a, b sample) int { return a.kib - b.kib }).kib
	before := sample{}
	for i, s := range d.samples {
		if i%3 == 2 {
			rate := float64(s.sent-before.sent) / (s.at - before.at).Seconds()
			fmt.Fprintf(b, "%4.0f s  %5.1f MiB  %6.0f/s  %s\n", s.at.Seconds(), float64(s.kib)/1024, rate, strings.Repeat("#", floodGraph*s.kib/most))
			before = s
		}
	}
	fmt.Fprintf(b, "```\n")
}
