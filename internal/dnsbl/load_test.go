package dnsbl

import (
	"context"
	"encoding/binary"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// nth is an address of those that nobody has asked for.
func nth(i int) netip.Addr {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], 0x2c000000+uint32(i))
	return netip.AddrFrom4(a)
}

func TestCachedAllocatesNothing(t *testing.T) {
	one, two := serve(t, "one.example"), serve(t, "two.example")
	one.List("192.0.2.1")
	c, _ := open(t, Options{Zones: []Zone{zoneAt(one, "one.example"), zoneAt(two, "two.example")}})
	for _, addr := range addrs("192.0.2.1", "192.0.2.2") {
		want := says(c.Start(addr).Wait(t.Context()))
		var r Result
		n := testing.AllocsPerRun(1000, func() { r, _ = c.Cached(addr) })
		if n != 0 || says(r) != want {
			t.Errorf("%v allocations, %s", n, says(r))
		}
		ctx := t.Context()
		if n = testing.AllocsPerRun(1000, func() { r = c.Start(addr).Wait(ctx) }); n != 0 || says(r) != want {
			t.Errorf("%v allocations of Start, %s", n, says(r))
		}
	}
}

// TestNewAddresses: as many new addresses at a time as 1,000 a second make with
// a server that takes 200 ms. Nobody waits for a place, nothing grows with
// their number.
func TestNewAddresses(t *testing.T) {
	const atATime, rounds = 200, 15
	d := serve(t, "list.example")
	c, _ := open(t, Options{Zones: []Zone{zoneAt(d, "list.example")}, MaxCached: 1000})
	d.SetDelay(200 * time.Millisecond)
	idle := runtime.NumGoroutine()
	var most, none, mallocs atomic.Int64
	for round := range rounds {
		var wg sync.WaitGroup
		for i := range atATime {
			q := c.Start(nth(round*atATime + i))
			wg.Go(func() {
				if r := q.Wait(t.Context()); r.Status != NotListed {
					none.Add(1)
				}
			})
		}
		most.Store(max(most.Load(), int64(runtime.NumGoroutine())))
		wg.Wait()
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		if round == 6 {
			mallocs.Store(int64(m.HeapObjects))
		} else if n := int64(m.HeapObjects); round == rounds-1 && n > mallocs.Load()+20*atATime {
			t.Errorf("%d objects on the heap, %d before", n, mallocs.Load())
		}
	}
	if n := none.Load(); n > 0 {
		t.Errorf("%d had no answer", n)
	}
	// Of each question: who waits, who asks, and the server's.
	if n := most.Load(); n > int64(idle+4*atATime) {
		t.Errorf("%d goroutines", n)
	}
	if n := d.Counts(); n.Questions != rounds*atATime+2 || n.Busiest < atATime/2 {
		t.Errorf("%+v: not asked at the same time, or not once each", n)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.cache.young) + len(c.cache.old); n > 1000 || len(c.flights) != 0 || c.asking != 0 {
		t.Errorf("%d remembered, %d under way, %d asked", n, len(c.flights), c.asking)
	}
}

// TestFloodOfTheDead: with a server that never answers, questions are bounded.
func TestFloodOfTheDead(t *testing.T) {
	d := serve(t, "list.example")
	z := zoneAt(d, "list.example")
	z.Timeout = 500 * time.Millisecond
	c, clk := open(t, Options{Zones: []Zone{z}, MaxAsking: 100})
	d.SetFault(mtatest.Silent)
	clk.move(time.Minute)
	var got [statuses]int
	var questions []Question
	for i := range 10_000 {
		questions = append(questions, c.Start(nth(i)))
		c.mu.Lock()
		n := len(c.flights)
		c.mu.Unlock()
		if n > 100 {
			t.Fatalf("%d under way", n)
		}
	}
	for _, q := range questions {
		got[q.Wait(t.Context()).Status]++
	}
	if got[Timeout] != 100 || got[Busy] != 9900 {
		t.Errorf("%v", got)
	}
	if r := c.Start(nth(20_000)).Wait(t.Context()); r.Status != Unhealthy {
		t.Errorf("and then: %s", says(r))
	}
}

func BenchmarkCached(b *testing.B) {
	d := serve(b, "list.example")
	c, _ := open(b, Options{Zones: []Zone{zoneAt(d, "list.example")}, Now: time.Now})
	c.Start(nth(1)).Wait(context.Background())
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Cached(nth(1)); !ok {
			c.Start(nth(1)).Wait(context.Background()) // the TTL is over
		}
	}
}

// BenchmarkNew is an address that nobody has asked for, and the server's work
// for it. At most 200 are under way.
func BenchmarkNew(b *testing.B) {
	d := serve(b, "list.example")
	c, _ := open(b, Options{Zones: []Zone{zoneAt(d, "list.example")}, Now: time.Now})
	places := make(chan struct{}, 200)
	var wg sync.WaitGroup
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		places <- struct{}{}
		wg.Go(func() {
			c.Start(nth(i)).Wait(context.Background())
			<-places
		})
	}
	wg.Wait()
}

// BenchmarkNewAt1000 brings 1,000 new addresses a second to a server that takes
// 200 ms, and reports the longest wait.
func BenchmarkNewAt1000(b *testing.B) {
	d := serve(b, "list.example")
	c, _ := open(b, Options{Zones: []Zone{zoneAt(d, "list.example")}, Now: time.Now})
	d.SetDelay(200 * time.Millisecond)
	var wg sync.WaitGroup
	var longest, most, none atomic.Int64
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := range b.N {
		if i%10 == 0 {
			<-tick.C
		}
		begun := time.Now()
		q := c.Start(nth(i))
		wg.Go(func() {
			if q.Wait(context.Background()).Status != NotListed {
				none.Add(1)
			}
			longest.Store(max(longest.Load(), int64(time.Since(begun))))
		})
		most.Store(max(most.Load(), int64(runtime.NumGoroutine())))
	}
	wg.Wait()
	b.ReportMetric(float64(longest.Load())/1e6, "longest-ms")
	b.ReportMetric(float64(most.Load()), "goroutines")
	b.ReportMetric(float64(none.Load()), "no-opinion")
}
