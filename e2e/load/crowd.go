package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// crowd is what was measured of many connections at once, on a program that was started for it.
type crowd struct {
	network string
	program string
	conns   int
	failed  int
	first   error         // why the first one failed
	took    time.Duration // until the last was answered
	each    float64       // KiB resident a connection
}

// measureCrowds lets both programs have their crowd over both networks.
func measureCrowds(ctx context.Context, o options, bin programs, dir string, progress io.Writer) (crowds []crowd, err error) {
	for _, network := range networks() {
		fmt.Fprintf(progress, "load: %s, %d connections at once\n", network, o.conns)
		daemon, stock, err := bin.startBoth(ctx, filepath.Join(dir, "crowd-"+network))
		if err != nil {
			return nil, err
		}
		for _, s := range []*server{daemon, stock} {
			var c crowd
			if c, err = gather(ctx, network, s, o.conns); err != nil {
				break
			}
			if s == daemon && c.failed > 0 {
				err = fmt.Errorf("%s, %s: %d of %d connections at once failed: %w", s.name, network, c.failed, c.conns, c.first)
				break
			}
			crowds = append(crowds, c)
		}
		if err = errors.Join(err, daemon.stop(), stock.stop()); err != nil {
			return nil, err
		}
	}
	return crowds, nil
}

// gather opens the connections all at once, plays a refused message on each, and looks at the program's memory while
// all of them are open.
func gather(ctx context.Context, network string, s *server, conns int) (crowd, error) {
	p := newPlayer(network, workloads()[0], s)
	if err := p.play(ctx, 200, 4); err != nil {
		return crowd{}, err
	}
	time.Sleep(10 * settle)
	before, err := resident(s.cmd.Process.Pid)
	if err != nil {
		return crowd{}, err
	}
	clients, errs := make([]mtatest.Client, conns), make([]error, conns)
	c := crowd{network: network, program: s.name, conns: conns}
	var all sync.WaitGroup
	start := time.Now()
	for i := range clients {
		all.Go(func() { errs[i] = p.hold(&clients[i], i) })
	}
	all.Wait()
	c.took = time.Since(start)
	time.Sleep(10 * settle)
	after, err := resident(s.cmd.Process.Pid)
	if err != nil {
		return crowd{}, err
	}
	c.each = float64(after-before) / float64(conns)
	for i, err := range errs {
		if err != nil {
			if c.failed++; c.first == nil {
				c.first = err
			}
			continue
		}
		if err := clients[i].Quit(); err != nil {
			return crowd{}, fmt.Errorf("%s, %s: saying goodbye: %w", s.name, network, err)
		}
	}
	return c, nil
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
