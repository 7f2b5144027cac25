//go:build linux

package e2e

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

func listLoadCases() []testCase {
	return []testCase{{name: "dns-slow-thousands", only: "postfix", run: dnsSlowThousands}}
}

// A thousand bounces a second, each from a client that nobody has asked about,
// with a resolver that takes 200 ms for each: all are accepted, each client is
// asked for once, none has to wait for another, and memory stays what it is.
// Postfix is left out of this: its place is taken by one in miniature.
func dnsSlowThousands(d *desk) {
	const rounds, perRound, answer = 4, 1000, 200 * time.Millisecond
	zones := d.badZones(mtatest.NoFault)
	d.ask(zones, noFloods)
	d.awaitLog(zoneUsed, 2)
	zones[0].SetDelay(answer)
	var took []time.Duration
	var memory []int64
	for round := range rounds {
		took = append(took, d.thousand(round*perRound, perRound)...)
		octets, err := d.daemon.Memory()
		if err != nil {
			d.Fatal(err)
		}
		memory = append(memory, octets)
	}
	slices.Sort(took)
	counts := zones[0].Counts()
	d.Logf("%d accepted; waited 50 %%: %v, 99 %%: %v, all: %v; memory (KiB) %v; %+v", len(took),
		took[len(took)/2].Round(time.Millisecond), took[len(took)*99/100].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), inKiB(memory), counts)
	const total = rounds * perRound
	if len(took) != total {
		d.Errorf("%d messages accepted, want %d", len(took), total)
	}
	d.wantOutcome(zones[0].name, "not-listed", total)
	if counts.Questions != total+2 { // 2 are the zone's check
		d.Errorf("%d questions for %d clients", counts.Questions, total)
	}
	if took[len(took)/2] > 5*answer {
		d.Errorf("half of them waited for more than %v", took[len(took)/2])
	}
	if grown := memory[rounds-1] - memory[0]; grown > 24<<20 { // most of that is garbage; an answer kept takes 400 octets
		d.Errorf("memory grew by %d octets after the first thousand", grown)
	}
	d.wantFew("go_goroutines", 100)
	d.wantFew("process_open_fds", 100)
}

// wantFew waits until a metric is below a bound.
func (d *desk) wantFew(metric string, bound float64) {
	d.Helper()
	for deadline := time.Now().Add(arrival); ; time.Sleep(10 * time.Millisecond) {
		v, err := d.daemon.Metric(metric)
		if err != nil {
			d.Fatal(err)
		}
		if v > 0 && v < bound {
			return
		}
		if time.Now().After(deadline) {
			d.Fatalf("%s %v, want fewer than %v", metric, v, bound)
		}
	}
}

func inKiB(octets []int64) []int64 {
	out := make([]int64, len(octets))
	for i, n := range octets {
		out[i] = n >> 10
	}
	return out
}

// thousand brings a bounce from each of count clients, one every millisecond,
// and returns how long those waited that were accepted.
func (d *desk) thousand(first, count int) (took []time.Duration) {
	var mu sync.Mutex
	var wait sync.WaitGroup
	begun := time.Now()
	for i := range count {
		time.Sleep(time.Until(begun.Add(time.Duration(i) * time.Millisecond)))
		wait.Go(func() {
			begun := time.Now()
			err := d.bounceFrom(newClient(first + i))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				d.Error(err)
				return
			}
			took = append(took, time.Since(begun))
		})
	}
	wait.Wait()
	return took
}

// newClient is an address that no other client has, in a network for tests of
// devices (RFC 2544).
func newClient(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}) }

// bounceFrom brings one bounce to the daemon, as Postfix does, and wants it
// accepted.
func (d *desk) bounceFrom(client netip.Addr) error {
	milter, err := mtatest.Dial("tcp", d.milter.String(), mtatest.PostfixOffer())
	if err != nil {
		return err
	}
	defer func() { _ = milter.Close() }()
	milter.Timeout = arrival
	message := mtatest.SampleBounce(alice, "")
	message.Client = client.String()
	result, err := milter.Run(message)
	if err != nil {
		return err
	}
	if !result.Accepted() {
		d.Errorf("%s: %v at %v", client, result.Reply, result.Stage)
	}
	return milter.Quit()
}
