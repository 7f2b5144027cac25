package flood

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

var source = netip.MustParseAddr("203.0.113.7")

// pair are two hosts of a site.
func pair(t testing.TB) (a, b *site) {
	a, b = newSite(t, nil), newSite(t, nil)
	for _, s := range []*site{a, b} {
		s.Share([16]byte{9})
	}
	return a, b
}

// TestSum: what two hosts count is one flood; what is taken back there is so
// here, and what comes during a block extends nothing.
func TestSum(t *testing.T) {
	a, b := pair(t)
	a.flood(source, "example.com", 300, time.Second)
	b.Merge(a.News())
	b.expectBlocked("after 300", source, "bob@example.com", None)
	b.flood(source, "example.com", 102, time.Second)
	b.expectBlocked("after 300 and 102", source, "bob@example.com", ByClient)
	n := b.News()
	if len(n.Blocks) != 1 || n.Blocks[0].Left != 15*time.Minute {
		t.Fatalf("%+v", n.Blocks)
	}
	a.Merge(n)
	a.expectBlocked("told of the block", source, "bob@example.com", ByClient)
	if again := a.News(); len(again.Blocks)+len(again.Counts) > 0 {
		t.Errorf("tells of what it has been told: %+v", again)
	}
	b.Merge(News{Counts: n.Counts})
	b.wait(15 * time.Minute)
	a.wait(15 * time.Minute)
	a.expectBlocked("after it", source, "bob@example.com", None)
	b.expectBlocked("after it", source, "bob@example.com", None)
	b.flood(source, "example.com", 390, time.Second)
	b.expectBlocked("what came during the block does not count", source, "bob@example.com", None)
}

// TestTakenBack: an acquittal is told, but only of what was counted.
func TestTakenBack(t *testing.T) {
	a, b := pair(t)
	a.flood(source, "example.com", 10, time.Second)
	b.Merge(a.News())
	for i := range 10 {
		a.Acquitted(source, fmt.Sprintf("user%d@example.com", i))
	}
	b.Merge(a.News())
	b.flood(source, "example.com", 400, time.Second)
	b.expectBlocked("at the threshold", source, "bob@example.com", None)
	b.Acquitted(netip.MustParseAddr("198.51.100.1"), "nobody@example.org")
	b.News()
	b.Acquitted(netip.MustParseAddr("198.51.100.1"), "nobody@example.org")
	if n := b.News(); len(n.Counts) > 0 {
		t.Errorf("takes back what was never counted: %+v", n.Counts)
	}
}

// TestUnblockTold: what is unblocked by hand is so everywhere.
func TestUnblockTold(t *testing.T) {
	a, b := pair(t)
	a.flood(source, "example.com", 401, time.Second)
	b.Merge(a.News())
	b.expectBlocked("there", source, "bob@example.com", ByClient)
	if !a.Unblock("203.0.113.7") {
		t.Fatal("nothing to unblock")
	}
	b.Merge(a.News())
	b.expectBlocked("after", source, "bob@example.com", None)
}

// TestNewsBounded, and what there is no room for is counted.
func TestNewsBounded(t *testing.T) {
	a, _ := pair(t)
	for i := range 3 * maxCounted {
		a.Unproven(netip.AddrFrom4([4]byte{byte(i >> 16), byte(i >> 8), byte(i), 1}), fmt.Sprintf("u%d@example.com", i))
	}
	n := a.News()
	if len(n.Counts) > maxCounted || n.Lost == 0 {
		t.Errorf("%d counts, %d lost", len(n.Counts), n.Lost)
	}
	for range 3 * maxEvents {
		a.outbox.unblock("x")
	}
	if n := a.News(); len(n.Blocks) != maxEvents {
		t.Errorf("%d blocks", len(n.Blocks))
	}
	if n := a.News(); len(n.Counts)+len(n.Blocks)+n.Lost > 0 {
		t.Errorf("told twice: %+v", n)
	}
}

// TestNewsWhileCounting: news are collected while others come, from the first.
func TestNewsWhileCounting(t *testing.T) {
	a, _ := pair(t)
	const each, most = 2000, 4
	var counting sync.WaitGroup
	for i := range most {
		counting.Go(func() {
			for j := range each {
				a.Unproven(netip.AddrFrom4([4]byte{10, byte(i), byte(j), 1}), fmt.Sprintf("user%d@example.com", i))
			}
		})
	}
	ended := make(chan struct{})
	go func() { counting.Wait(); close(ended) }()
	sum := int32(0)
	collect := func() {
		for _, c := range a.News().Counts {
			if c.Kind == ByClient {
				sum += c.Events
			}
		}
	}
	for going := true; going; collect() {
		select {
		case <-ended:
			going = false
		default:
		}
	}
	if sum == 0 || sum > each*most {
		t.Errorf("%d of %d", sum, each*most)
	}
}

// TestOtherSecret: under another secret everything begins anew.
func TestOtherSecret(t *testing.T) {
	a, _ := pair(t)
	a.flood(source, "example.com", 401, time.Second)
	a.Share([16]byte{9})
	a.expectBlocked("the same secret", source, "bob@example.com", ByClient)
	a.Share([16]byte{10})
	a.expectBlocked("another", source, "bob@example.com", None)
	if n := a.News(); len(n.Counts)+len(n.Blocks) > 0 {
		t.Errorf("tells keys that nobody can tell: %+v", n)
	}
	if len(a.Running()) > 0 || a.Blocks()[ByClient] != 0 {
		t.Error("blocks of keys that nobody can tell")
	}
}

// TestOthersBlocks hold for as long as the settings here allow, and their names
// are safe to print.
func TestOthersBlocks(t *testing.T) {
	a, _ := pair(t)
	block := func(change func(*Blocking)) Blocking {
		b := Blocking{Kind: ByClient, Sum: 77, Name: "client 192.0.2.0/24", Count: 500, Blocks: 1, Left: time.Minute}
		change(&b)
		return b
	}
	a.Merge(News{Blocks: []Blocking{
		block(func(b *Blocking) { b.Left = math.MaxInt64 }),
		block(func(b *Blocking) {
			b.Sum, b.Name, b.Blocks = 78, "client \x1b[2J\n"+strings.Repeat("ü", 1000), math.MaxInt
		}),
		block(func(b *Blocking) { b.Sum, b.Kind = 79, ByDomain }),
		block(func(b *Blocking) { b.Sum, b.Kind = 80, kinds }),
		block(func(b *Blocking) { b.Sum = 0 }),
	}})
	running := a.Running()
	if len(running) != 2 {
		t.Fatalf("%+v", running)
	}
	for _, b := range running {
		if b.Left > 4*time.Hour || len(b.Name) > 4*maxName || strings.ContainsAny(b.Name, "\x1b\n") || !utf8.ValidString(b.Name) || b.Blocks > 64 {
			t.Errorf("%+v", b)
		}
	}
	off := newSite(t, func(r *Rules) { r.Block = 0 })
	off.Share([16]byte{9})
	off.Merge(News{Blocks: []Blocking{block(func(*Blocking) {})}})
	if len(off.Running()) > 0 {
		t.Error("blocked where nothing is to be")
	}
	for i := range uint64(4 * manyRecords) {
		a.Merge(News{Blocks: []Blocking{block(func(b *Blocking) { b.Sum = i<<spare + 1 })}})
	}
	if n := len(a.Running()); n > manyRecords {
		t.Errorf("%d blocks", n)
	}
}

// FuzzMerge: whatever other hosts count, nothing fails and blocks end in time.
func FuzzMerge(f *testing.F) {
	f.Add(uint8(ByClient), uint64(7), int32(math.MaxInt32), "client 192.0.2.0/24", "", 5, 1, int64(time.Minute))
	f.Add(uint8(ByRecipient), uint64(1), int32(math.MinInt32), "recipient a@example.com", "undelivered", -5, -1, int64(math.MaxInt64))
	f.Add(uint8(kinds), uint64(0), int32(0), "", "", 0, 0, int64(0))
	f.Add(uint8(BySender), uint64(math.MaxUint64), int32(-1), "192.0.2.1", "\xff", math.MaxInt, math.MinInt, int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, kind uint8, sum uint64, events int32, name, subject string, count, blocks int, left int64) {
		s := newSite(t, nil)
		s.Share([16]byte{9})
		s.flood(source, "example.com", 5, time.Second)
		n := News{
			Counts: []Counted{{Kind(kind), sum, events}, {Kind(kind), sum, events}},
			Blocks: []Blocking{{Kind(kind), sum, name, subject, count, blocks, time.Duration(left)}},
		}
		s.Merge(n)
		s.Merge(n)
		s.Sweep()
		s.Hottest(0)
		s.wait(4*time.Hour + time.Second)
		if running := s.Running(); len(running) > 0 {
			t.Errorf("%+v", running)
		}
	})
}
