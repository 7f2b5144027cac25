package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/proc"
	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// networks are the kinds of socket an MTA can use.
func networks() []string { return []string{"tcp", "unix"} }

// row is what was measured of one workload on one network. Its lists have an element a round.
type row struct {
	network       string
	workload      workload
	daemon, stock figures
}

// figures of one program.
type figures struct {
	cpu  []float64 // µs of server CPU a transaction
	rate []float64 // transactions a second
}

// ratios compares the two programs round by round: what disturbs the machine disturbs neighbours alike.
func (r row) ratios() []float64 {
	out := make([]float64, len(r.daemon.cpu))
	for i := range out {
		out[i] = r.daemon.cpu[i] / r.stock.cpu[i]
	}
	return out
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// measureWorkloads plays every workload at both programs over both networks.
func measureWorkloads(ctx context.Context, o options, bin programs, dir string, progress io.Writer) (rows []row, err error) {
	daemon, stock, err := bin.startBoth(ctx, filepath.Join(dir, "rounds"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, daemon.stop(), stock.stop()) }()
	for _, network := range networks() {
		for _, w := range workloads() {
			fmt.Fprintf(progress, "load: %s, %s\n", network, w.name)
			r := row{network: network, workload: w}
			if err := r.measure(ctx, o, daemon, stock); err != nil {
				return nil, err
			}
			rows = append(rows, r)
		}
	}
	return rows, nil
}

func (bin programs) startBoth(ctx context.Context, dir string) (daemon, stock *server, err error) {
	for _, sub := range []string{"daemon", "stock"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, nil, err
		}
	}
	if daemon, err = bin.startDaemon(ctx, filepath.Join(dir, "daemon")); err != nil {
		return nil, nil, err
	}
	if stock, err = bin.startStock(ctx, filepath.Join(dir, "stock")); err != nil {
		return nil, nil, errors.Join(err, daemon.stop())
	}
	return daemon, stock, nil
}

// measure plays the rounds, the two programs in turn and each first in every other round, after a round that does not
// count.
func (r *row) measure(ctx context.Context, o options, daemon, stock *server) error {
	sides := []*side{
		{server: daemon, figures: &r.daemon, player: newPlayer(r.network, r.workload, daemon)},
		{server: stock, figures: &r.stock, player: newPlayer(r.network, r.workload, stock)},
	}
	for _, s := range sides {
		if err := s.player.play(ctx, max(o.n/4, 1), o.parallel); err != nil {
			return err
		}
	}
	for range o.rounds {
		for _, s := range sides {
			if err := s.round(ctx, o); err != nil {
				return err
			}
		}
		slices.Reverse(sides)
	}
	return nil
}

// side is one of the two programs in a row of rounds.
type side struct {
	server  *server
	figures *figures
	player  *player
}

// settle is how long a program has to finish with connections that were closed.
const settle = 30 * time.Millisecond

func (s *side) round(ctx context.Context, o options) error {
	time.Sleep(settle)
	before, err := proc.CPU(s.server.cmd.Process.Pid)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := s.player.play(ctx, o.n, o.parallel); err != nil {
		return err
	}
	took := time.Since(start)
	time.Sleep(settle)
	after, err := proc.CPU(s.server.cmd.Process.Pid)
	if err != nil {
		return err
	}
	s.figures.cpu = append(s.figures.cpu, (after-before).Seconds()*1e6/float64(o.n))
	s.figures.rate = append(s.figures.rate, float64(o.n)/took.Seconds())
	return nil
}

// player plays a workload at a program, one message a connection.
type player struct {
	network  string
	workload workload
	server   *server
	txs      []mtatest.Transaction
}

func newPlayer(network string, w workload, s *server) *player {
	return &player{network, w, s, fromMany(w.make(s))}
}

// play plays n transactions, so many in parallel, and fails at the first that does not end as it must.
func (p *player) play(ctx context.Context, n, parallel int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() {
			var c mtatest.Client
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := p.one(&c, i); err != nil {
					cancel(fmt.Errorf("%s, %s, %s: %w", p.server.name, p.network, p.workload.name, err))
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// one plays the i-th transaction on a connection of its own.
func (p *player) one(c *mtatest.Client, i int) error {
	tx := p.txs[i%len(p.txs)]
	if err := p.connect(c); err != nil {
		return err
	}
	r, err := c.Run(tx)
	if err != nil {
		return errors.Join(err, c.Close())
	}
	if err := c.Quit(); err != nil {
		return err
	}
	return p.workload.expect(p.server, tx, r)
}

// connect opens a connection and negotiates.
func (p *player) connect(c *mtatest.Client) error {
	dialer := net.Dialer{Timeout: mtatest.DefaultTimeout, KeepAlive: -1}
	conn, err := dialer.Dial(p.network, p.server.address(p.network))
	if err != nil {
		return err
	}
	c.Offer, c.Timeout = mtatest.PostfixOffer(), mtatest.DefaultTimeout
	if err := c.Reset(conn); err != nil {
		return errors.Join(err, conn.Close())
	}
	return nil
}
