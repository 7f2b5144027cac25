//go:build !race

package flood

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
)

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// millionClients plays a flood of a million clients in two minutes, each with a
// recipient and a subject of its own, and calls each among them now and then.
func millionClients(s *site, each func(i int)) {
	const million = 1_000_000
	address := []byte("user00000000@example.com")
	subject := []byte("abcdefgh failed")
	for i := range million {
		for j, n := 4, i; j < 12; j, n = j+1, n/10 {
			address[j] = '0' + byte(n%10)
			subject[j-4] = 'a' + byte(n%10)
		}
		s.Unproven(client(uint32(i)), string(address))
		s.UnprovenSubject(client(uint32(i)), s.Subject(string(subject)))
		s.wait(2 * time.Minute / million)
		each(i)
	}
}

// TestMillionClients: a million distinct clients, recipients and subjects fit
// under the ceiling, and those that really flood are found among them, to the
// event.
func TestMillionClients(t *testing.T) {
	before := heap()
	s := newSite(t, func(r *Rules) { r.RecipientThreshold, r.RecipientWindow = 400, 2*time.Minute })
	const every = 1_000_000 / 405
	sent := 0
	blockedAt := map[Kind]int{}
	hot, x := host(2, 1), s.Subject("xxxxxxxx failed")
	millionClients(s, func(i int) {
		if i%every > 0 {
			return
		}
		sent++
		s.Unproven(hot, fmt.Sprintf("user%d@example.org", i))
		s.Unproven(client(uint32(i)), "alice@example.com")
		s.UnprovenSubject(other, x)
		for _, kind := range []Kind{ByClient, ByRecipient, BySubject} {
			if s.Blocks()[kind] > 0 && blockedAt[kind] == 0 {
				blockedAt[kind] = sent
			}
		}
	})
	used := heap() - before
	t.Logf("%.1f MiB", float64(used)/(1<<20))
	if used > Ceiling {
		t.Errorf("%d octets, ceiling %d", used, Ceiling)
	}
	s.expectBlocked("the client", host(2, 9), "new@example.net", ByClient)
	s.expectBlocked("the recipient", other, "alice@example.com", ByRecipient)
	for kind, n := range blockedAt {
		if n != 401 {
			t.Errorf("the %v was blocked with event %d, want 401", kind, n)
		}
	}
	if n := s.Blocks(); n[ByClient] != 1 || n[ByRecipient] != 1 || n[BySubject] != 1 {
		t.Errorf("blocks %v, want one of each", n)
	}
	s.wait(time.Hour)
	s.Sweep()
	if rest := heap() - before; rest > 2<<20 {
		t.Errorf("%d octets are left an hour later", rest)
	}
	runtime.KeepAlive(s)
}

// TestCeiling fills tables and books with all that they hold.
func TestCeiling(t *testing.T) {
	before := heap()
	s := newSite(t, func(r *Rules) { r.Threshold, r.RecipientThreshold, r.Surge, r.ProvenAlarm = 1, 1, 2, 2 })
	long := strings.Repeat("x", 300)
	for i := range 350_000 {
		c, times, elsewhere := client(uint32(i)), 1, client(1<<31+uint32(i))
		if i < 2*manyRecords {
			times = 2 // blocked
		}
		x := Subject{sum: uint64(i + 1), n: maxShown}
		recipient := fmt.Sprintf("%d%s@%d%s", i, long[:60], i, long[:60])
		for range times {
			s.Unproven(c, "")
			s.UnprovenSubject(elsewhere, x)
			s.Unproven(netip.Addr{}, recipient)
		}
		for range 2 * (times - 1) {
			s.Proven(fmt.Sprintf("%d%s", i, long))
		}
		s.told = s.told[:0]
	}
	used := heap() - before
	t.Logf("%.1f MiB", float64(used)/(1<<20))
	if used > Ceiling {
		t.Errorf("%d octets, ceiling %d", used, Ceiling)
	}
	if used < Ceiling*3/4 {
		t.Errorf("%d octets only: this test fills less than it should", used)
	}
	for kind, n := range s.Blocks() {
		if n > manyRecords || n < manyRecords*9/10 {
			t.Errorf("%d blocks of a %v", n, kind)
		}
	}
	runtime.KeepAlive(s)
}
