package flood

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// TestSoonestGo: with no room for another block, the one that ends soonest goes,
// and keys that are merely hot go before.
func TestSoonestGo(t *testing.T) {
	s := newSite(t, func(r *Rules) { r.Threshold, r.Surge = 40, 0 })
	b := &s.watch[ByClient].book
	b.max = 4
	l := s.limits.Load()
	var inShard []netip.Addr // clients whose records share a shard
	for i := uint32(0); len(inShard) < 10; i++ {
		if k := s.clientKey(client(i)); b.shard(k.sum) == &b.shards[0] {
			inShard = append(inShard, client(i))
		}
	}
	send := func(i, n int) {
		for range n {
			s.Unproven(inShard[i], "")
		}
		s.wait(time.Second)
	}
	named := func(i int) bool {
		k := s.clientKey(inShard[i])
		return b.shard(k.sum).m[k.sum] != nil
	}
	expect := func(what string, want ...int) {
		t.Helper()
		for i := range inShard {
			if named(i) != slices.Contains(want, i) {
				t.Errorf("%s: client %d is in the book: %v", what, i, named(i))
			}
		}
	}
	send(0, 41)
	send(1, 41)
	send(2, l.of[ByClient].hot+1)
	send(3, l.of[ByClient].hot)
	expect("four", 0, 1, 2, 3)
	send(4, l.of[ByClient].hot)
	expect("a hot one more", 0, 1, 2, 3)
	send(4, 2)
	expect("a hotter one", 0, 1, 2, 4)
	send(5, 41)
	expect("a block instead of the coolest", 0, 1, 4, 5)
	send(6, 41)
	expect("and the next", 0, 1, 5, 6)
	send(7, 41)
	expect("instead of the block that ends soonest", 1, 5, 6, 7)
	send(8, 40)
	expect("a hot one pushes out no block", 1, 5, 6, 7)
	if n := b.blocked.Load(); n != 4 {
		t.Errorf("%d blocks are counted", n)
	}
}

// TestPushedOut: a hot key stays where ever new ones come for all its places.
func TestPushedOut(t *testing.T) {
	counts := newTable(1 << 10) // one set of eight in each stripe
	const quarter = int64(30 * time.Second)
	now := int64(1)
	key := func(i int) uint64 { return uint64(i)*stripes + 5 }
	for i := range 20 {
		counts.add(key(0), now, quarter)
		if n := counts.peek(key(0), now, quarter); n != i+1 {
			t.Fatalf("%d events counted, want %d", n, i+1)
		}
		for j := range 7 { // as many as there is room for besides
			now += int64(100 * time.Millisecond)
			counts.add(key(1+i*7+j), now, quarter)
		}
	}
	for i := range 7 {
		for range 100 {
			counts.add(key(1000+i), now, quarter)
		}
	}
	if n := counts.peek(key(0), now, quarter); n != 20 {
		t.Errorf("beside seven that are hotter: %d", n)
	}
	counts.add(key(2000), now, quarter)
	if n := counts.peek(key(0), now, quarter); n != 0 {
		t.Errorf("the least of eight is kept: %d", n)
	}
	if n := counts.peek(key(1003), now, quarter); n != 100 {
		t.Errorf("a hotter one has %d", n)
	}
}

// TestGrowth: growing loses nothing.
func TestGrowth(t *testing.T) {
	counts := newTable(1 << 16)
	f := newSite(t, nil)
	for round := 1; round <= 3; round++ {
		for i := range uint32(4000) {
			k := f.clientKey(client(i))
			if n := counts.add(k.sum, 1, 1000); n != round {
				t.Fatalf("key %d counted %d times, want %d", i, n, round)
			}
		}
	}
}

// TestQuietGo: of keys with as many events, the one goes that has been quiet for
// longest, not the one that came first.
func TestQuietGo(t *testing.T) {
	counts := newTable(1 << 10)
	const quarter = int64(30 * time.Second)
	at := func(second int) int64 { return 1 + int64(second)*int64(time.Second) }
	key := func(i int) uint64 { return uint64(i) * stripes }
	counts.add(key(1), at(0), quarter)
	for i := 2; i <= 8; i++ {
		counts.add(key(i), at(1), quarter)
		counts.add(key(i), at(i), quarter)
	}
	counts.add(key(1), at(50), quarter)
	counts.add(key(5), at(51), quarter)
	for i := 20; i < 26; i++ {
		counts.add(key(i), at(52), quarter)
		counts.add(key(i), at(53), quarter)
	}
	if n := counts.peek(key(1), at(54), quarter); n != 2 {
		t.Errorf("the latest to be heard of has %d events, want 2", n)
	}
	if n := counts.peek(key(5), at(54), quarter); n != 3 {
		t.Errorf("the hottest has %d events, want 3", n)
	}
}
