//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/mta"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/proc"
	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

func signCostCases() []testCase {
	return []testCase{{name: "sign-cost", only: "postfix", run: signCost}}
}

// signer is a milter that signs what leaves, and its process.
type signer struct {
	name, address string
	pid           int
}

// What it costs to sign and record a message that leaves, beside what OpenDKIM
// takes to sign it with RSA-2048, is printed and not judged. Both are played to as
// Postfix does it, one message a connection, four at a time, in turn.
func signCost(d *desk) {
	dkim := d.opendkim()
	signers := []signer{
		{"OpenDKIM", netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, d.number}), mta.SignerPort).String(), dkim.PID()},
		{"the daemon", d.site.milter.String(), d.daemon.PID()},
	}
	const rounds, each = 5, 1000
	var ratios []float64
	for range rounds {
		var cost [2]time.Duration
		for i, s := range signers {
			cost[i] = d.signing(s, each)
		}
		ratios = append(ratios, float64(cost[0])/float64(cost[1]))
		d.Logf("CPU a message: OpenDKIM %v, the daemon %v: 1/%.1f", cost[0], cost[1], ratios[len(ratios)-1])
	}
	slices.Sort(ratios)
	d.Logf("the daemon to OpenDKIM: 1/%.1f (1/%.1f to 1/%.1f)", ratios[rounds/2], ratios[0], ratios[rounds-1])
}

// signing has a signer sign so many messages, and gives what one took.
func (d *desk) signing(s signer, count int) time.Duration {
	d.Helper()
	before, err := proc.CPU(s.pid)
	if err != nil {
		d.Fatal(err)
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for i := next.Add(1); i <= int64(count); i = next.Add(1) {
				if err := s.sign(i); err != nil {
					d.Errorf("%s: %v", s.name, err)
					return
				}
			}
		})
	}
	wait.Wait()
	after, err := proc.CPU(s.pid)
	if err != nil {
		d.Fatal(err)
	}
	return (after - before) / time.Duration(count)
}

// sign has it sign one message, which it must change.
func (s signer) sign(number int64) error {
	c, err := mtatest.Dial("tcp", s.address, mtatest.PostfixOffer())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	tx := mtatest.SampleOutbound(alice, fmt.Sprintf("b%d@example.net", number))
	tx.Client = ownClient
	r, err := c.Run(tx)
	if err != nil {
		return err
	}
	if !r.Accepted() || len(r.Mods) == 0 {
		return fmt.Errorf("%v with %d changes", r.Reply, len(r.Mods))
	}
	return c.Quit()
}
