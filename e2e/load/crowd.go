package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/proc"
	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// crowd is what was measured of many connections at once.
type crowd struct {
	network string
	program string
	conns   int           // at once
	failed  int           // of all, in all rounds
	took    time.Duration // until the last was answered, in the slowest round
	each    []float64     // KiB resident a connection, by round
}

// crowdRounds is how often a crowd comes, each time to programs that were started for it: what the collector has not
// taken back yet makes memory a matter of luck.
const crowdRounds = 3

// measureCrowds lets both programs have their crowds over both networks.
func measureCrowds(ctx context.Context, o options, bin programs, dir string, progress io.Writer) ([]crowd, error) {
	var crowds []crowd
	for _, network := range networks() {
		fmt.Fprintf(progress, "load: %s, %d connections at once\n", network, o.conns)
		daemon := crowd{network: network, program: "daemon", conns: o.conns}
		stock := crowd{network: network, program: "stock", conns: o.conns}
		for i := range crowdRounds {
			where := filepath.Join(dir, fmt.Sprintf("crowd-%s-%d", network, i))
			if err := crowdRound(ctx, bin, where, &daemon, &stock); err != nil {
				return nil, err
			}
		}
		crowds = append(crowds, daemon, stock)
	}
	return crowds, nil
}

func crowdRound(ctx context.Context, bin programs, dir string, daemon, stock *crowd) (err error) {
	d, s, err := bin.startBoth(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop(), s.stop()) }()
	failed, err := daemon.gather(ctx, d)
	if err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("%s, %s: %d of %d connections at once failed: %w", d.name, daemon.network, daemon.failed, daemon.conns, failed)
	}
	_, err = stock.gather(ctx, s)
	return err
}

// gather opens the connections all at once, plays a refused message on each, and looks at the program's memory while
// all of them are open. failed is why the first of those that failed did.
func (c *crowd) gather(ctx context.Context, s *server) (failed, err error) {
	p := newPlayer(c.network, workloads()[floodWorkload], s)
	if err := p.play(ctx, 200, 4); err != nil {
		return nil, err
	}
	time.Sleep(10 * settle)
	before, err := proc.Resident(s.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	clients, errs := make([]mtatest.Client, c.conns), make([]error, c.conns)
	var all sync.WaitGroup
	start := time.Now()
	for i := range clients {
		all.Go(func() { errs[i] = p.hold(&clients[i], i) })
	}
	all.Wait()
	c.took = max(c.took, time.Since(start))
	time.Sleep(10 * settle)
	after, err := proc.Resident(s.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	c.each = append(c.each, float64(after-before)/float64(c.conns))
	for i := range clients {
		if errs[i] != nil {
			if c.failed++; failed == nil {
				failed = errs[i]
			}
		} else if err := clients[i].Quit(); err != nil {
			return nil, fmt.Errorf("%s, %s: saying goodbye: %w", s.name, c.network, err)
		}
	}
	return failed, nil
}

// hold plays the i-th transaction and leaves the connection open.
func (p *player) hold(c *mtatest.Client, i int) error {
	if err := p.connect(c); err != nil {
		return err
	}
	tx := p.txs[i%len(p.txs)]
	r, err := c.Run(tx)
	if err == nil {
		err = p.workload.expect(p.server, tx, r)
	}
	if err != nil {
		return errors.Join(err, c.Close())
	}
	return nil
}
