package daemon

import (
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/dnsbl"
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
	"github.com/backscatter-milter/backscatter-milter/internal/metrics"
	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// An address of ours stays counted as listed while its zone does not answer, and
// no longer than until the zone says otherwise, or the address is no longer ours.
func TestOwnListingsLast(t *testing.T) {
	dns, err := mtatest.ListenDNS("127.0.0.1:0", "list.example.org")
	if err != nil {
		t.Fatal(err)
	}
	defer dns.Close()
	dns.List("192.0.2.25")
	clock := &wallClock{time: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	l := &lists{
		live: maillog.NewLive(io.Discard, config.Default().Log), metrics: metrics.New("test"), now: clock.now,
		own: []netip.Addr{netip.MustParseAddr("192.0.2.25"), netip.MustParseAddr("192.0.2.26")}, ctx: t.Context(),
	}
	client := dnsbl.New(l.options([]config.Zone{{Name: "list.example.org", Resolvers: []string{dns.Addr()}, Timeout: time.Second}}, nil))
	defer client.Close()
	l.client.Store(client)
	look := func(all bool, listed int) {
		t.Helper()
		clock.jump(2 * time.Hour) // nothing is in the cache any more
		client.Check(t.Context())
		if got := l.lookUpOwn(); got != all {
			t.Errorf("all could be looked up: %v", got)
		}
		if got := l.ownListings(); len(got) != 1 || got["list.example.org"] != listed {
			t.Errorf("listed: %v, want %d", got, listed)
		}
	}
	look(true, 1)
	dns.SetFault(mtatest.Faults()[0])
	look(false, 1)
	dns.SetFault(0)
	look(true, 1)
	dns.Unlist("192.0.2.25")
	look(true, 0)
	dns.List("192.0.2.25")
	look(true, 1)
	l.own = l.own[1:]
	look(true, 0)
}
