//go:build linux

package e2e

import (
	"cmp"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/daemon"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/mta"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/rbldnsd"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/smtp"
)

// Who sends and receives, in the documentation networks of RFC 5737.
const (
	ownClient     = "198.51.100.7" // in mta.OwnNetwork
	outsideClient = "203.0.113.5"

	alice    = "alice@example.com" // ours
	bob      = "bob@example.com"   // ours
	nobody   = "nosuch@example.com"
	stranger = "stranger@example.net"
	refused  = smtp.RefusedLocalPart + "@example.net" // the sink knows no such user
)

// site is one mail server with what surrounds it, for all cases in turn.
type site struct {
	mta    mta.Server
	sink   *smtp.Sink
	sinkAt netip.AddrPort
	list   *rbldnsd.Server // the daemon's resolver, which knows one zone only
	number byte            // the last octet of the server's address
	milter netip.AddrPort
	admin  netip.AddrPort
	socket string // of the milter, as seen from outside the server's box
}

// openSite starts a mail server and its sink. The last octet of the server's
// address tells sites apart.
func openSite(t *testing.T, name string) *site {
	number := map[string]byte{"postfix": 25, "sendmail": 26, "postfix-a": 45, "postfix-b": 46, "sendmail-b": 47}[name]
	server, _, _ := strings.Cut(name, "-")
	sinkAt := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 100 + number}), 25)
	sink, err := smtp.ListenSink(sinkAt, mta.Domain)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.Close)
	b, err := box.New(name, here.Packages[server])
	if err != nil {
		t.Fatal(err)
	}
	s := &site{
		sink:   sink,
		sinkAt: sinkAt,
		number: number,
		milter: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 8800+uint16(number)),
		admin:  netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 8900+uint16(number)),
		socket: b.Path(mta.SocketPath),
	}
	if err := b.MakeDir("nobody", "nobody", 0o755, filepath.Dir(mta.SocketPath)); err != nil {
		t.Fatal(err)
	}
	start := map[string]func(*box.Box, mta.Site) (mta.Server, error){"postfix": mta.StartPostfix, "sendmail": mta.StartSendmail}[server]
	s.mta, err = start(b, mta.Site{Address: netip.AddrFrom4([4]byte{192, 0, 2, number}), Milter: s.milter, Sink: sinkAt})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.mta.Stop)
	if b, err = box.New(name+"-rbldnsd", here.Packages["rbldnsd"]); err != nil {
		t.Fatal(err)
	}
	if s.list, err = rbldnsd.Start(b, netip.AddrFrom4([4]byte{192, 0, 2, 28 + number})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.list.Stop)
	return s
}

// settings are what a case changes in the daemon's configuration.
type settings struct {
	top      string // keys of the top level, TOML
	batv     string // keys of [batv], TOML
	tables   string // tables, TOML
	lifetime string // of tags; "": the default
	// bare leaves domains and signing to be found out.
	bare bool
	// domains are our domains, as TOML; "" is all that the server serves.
	domains string
	// prepare is called before the daemon is started, with its state folder.
	prepare func(t *testing.T, state string)
}

func (s *site) config(c settings) string {
	lifetime := ""
	if c.lifetime != "" {
		lifetime = fmt.Sprintf("lifetime = %q\n", c.lifetime)
	}
	if c.bare {
		return fmt.Sprintf(`listen = ["inet:%s", "unix:%s"]
socket_mode = "0666"
trusted_networks = ["127.0.0.0/8", "::1/128", "198.51.100.0/24", "2001:db8:a::/64"]
%s
[batv]
probe = %q
[admin]
listen = %q
[log]
format = "json"
%s
`, s.milter, s.socket, c.top, s.mta.Door(mta.Front), s.admin, c.tables)
	}
	return fmt.Sprintf(`listen = ["inet:%s", "unix:%s"]
socket_mode = "0666"
domains = %s
trusted_networks = ["127.0.0.0/8", "::1/128", "198.51.100.0/24", "2001:db8:a::/64"]
%s
[batv]
sign = true
%s%s
[admin]
listen = %q
[log]
format = "json"
%s
`, s.milter, s.socket, cmp.Or(c.domains, `["`+strings.Join(mta.Domains(), `", "`)+`"]`), c.top, lifetime, c.batv, s.admin, c.tables)
}

// desk is what one case works at: the site, a daemon of its own, and a record
// of what was said.
type desk struct {
	*testing.T
	*site
	daemon     *daemon.Daemon
	transcript smtp.Transcript
	token      string // stands in every message of the case
	logged     int    // octets that the server had logged before
}

// openDesk starts a new daemon with new keys.
func (s *site) openDesk(t *testing.T, c settings) *desk {
	dir, err := box.TempDir("daemon")
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{
		T: t, site: s,
		token:  fmt.Sprintf("e2e-%s-%d", strings.ReplaceAll(t.Name(), "/", "-"), time.Now().UnixNano()),
		logged: len(s.mta.Log(0)),
	}
	if d.daemon, err = daemon.Install(here.Program, dir, s.config(c), s.admin); err != nil {
		t.Fatal(err)
	}
	if err := d.daemon.Resolve(fmt.Sprintf("nameserver %s\n", s.list.Address())); err != nil {
		t.Fatal(err)
	}
	if c.prepare != nil {
		c.prepare(t, d.daemon.State())
		if err := d.daemon.Own(); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	return d
}

// close holds every case to what must always be true: no message lies around
// or came twice, and the daemon is well and stops when asked.
func (d *desk) close() {
	d.settle()
	metrics := "it does not run"
	if d.daemon.Running() {
		metrics = d.ownMetrics()
		if !strings.Contains(metrics, "backscatter_panics_total 0\n") {
			d.Error("the daemon has panicked, or does not say that it has not")
		}
		if err := d.daemon.Terminate(); err != nil {
			d.Error(err)
		}
		if err := d.daemon.Wait(10 * time.Second); err != nil {
			d.Errorf("stop the daemon: %v", err)
			_ = d.daemon.Kill()
		}
	}
	if d.Failed() {
		d.Logf("SMTP dialogue:\n%s", d.transcript.String())
		d.Logf("metrics of the daemon:\n%s", metrics)
		d.Logf("log of the daemon:\n%s", d.daemon.Log())
		d.Logf("log of %s:\n%s", d.mta.Name(), d.mta.Log(d.logged))
	}
}

// ownMetrics are those metrics that are the daemon's own.
func (d *desk) ownMetrics() string {
	metrics, err := d.daemon.Get("/metrics")
	if err != nil {
		d.Error(err)
	}
	var own strings.Builder
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "backscatter_") {
			own.WriteString(line)
		}
	}
	return own.String()
}

// settle waits until the server has nothing left to deliver; what it delivered
// must have been claimed by the case.
func (d *desk) settle() {
	d.Helper()
	const quiet = 3 // a message between two folders of the queue can be overlooked once
	waiting, held, empty := 0, 0, 0
	for deadline := time.Now().Add(arrival); empty < quiet && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var err error
		if waiting, held, err = d.mta.Queued(); err != nil {
			d.Fatal(err)
		}
		if waiting == 0 {
			empty++
		} else {
			empty = 0
		}
	}
	if waiting > 0 || held > 0 {
		d.Errorf("%d messages are still in the queue, %d in quarantine", waiting, held)
		if err := d.mta.Purge(); err != nil {
			d.Error(err)
		}
	}
	for _, delivery := range d.sink.Unclaimed() {
		d.Errorf("also delivered: from <%s> to %v:\n%s", delivery.From.Address, delivery.To, delivery.Data)
	}
}
