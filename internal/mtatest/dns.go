package mtatest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// DNS is a name server that serves one list of addresses (RFC 5782) as
// rbldnsd does, or misbehaves. What it serves may change while it runs.
type DNS struct {
	zone    string
	servers []*dns.Server
	addr    string
	stray   net.PacketConn // another port, for answers from the wrong place
	hold    chan struct{}  // ends delays at Close
	once    sync.Once

	mu       sync.Mutex
	listed   map[string][]netip.Addr // by names in the zone, lower case
	ttl      time.Duration
	negative time.Duration
	delay    time.Duration
	fault    Fault
	asked    map[string]int
	total    int
	busy     int
	busiest  int
	tcp      int
}

// ListenDNS starts a server of a zone, by UDP and TCP, at an address such as
// "127.0.0.1:0". It lists the test entries of RFC 5782, for IPv4 and IPv6, and
// has a TTL of 60 s and a negative TTL of 30 s.
func ListenDNS(addr, zone string) (*DNS, error) {
	d := &DNS{
		zone: dns.CanonicalName(zone), hold: make(chan struct{}), ttl: time.Minute, negative: 30 * time.Second,
		listed: map[string][]netip.Addr{}, asked: map[string]int{},
	}
	d.List("127.0.0.2")
	d.List("::ffff:127.0.0.2")
	udp, tcp, err := listenBoth(addr)
	if err != nil {
		return nil, err
	}
	d.addr = udp.LocalAddr().String()
	host, _, _ := net.SplitHostPort(d.addr)
	if d.stray, err = net.ListenPacket("udp", net.JoinHostPort(host, "0")); err != nil {
		udp.Close()
		tcp.Close()
		return nil, err
	}
	d.servers = serveDNS(udp, tcp, d)
	return d, nil
}

// ServeDNS has a handler answer on a port of 127.0.0.1, by UDP and TCP, until
// end is called.
func ServeDNS(handler dns.HandlerFunc) (addr string, end func(), err error) {
	udp, tcp, err := listenBoth("127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	servers := serveDNS(udp, tcp, handler)
	return udp.LocalAddr().String(), func() {
		for _, s := range servers {
			_ = s.Shutdown() // of a test's end
		}
	}, nil
}

// serveDNS starts both servers of a port.
func serveDNS(udp net.PacketConn, tcp net.Listener, handler dns.Handler) []*dns.Server {
	servers := []*dns.Server{{PacketConn: udp, Handler: handler}, {Listener: tcp, Handler: handler}}
	var started sync.WaitGroup
	for _, s := range servers {
		started.Add(1)
		s.NotifyStartedFunc = started.Done
		go s.ActivateAndServe() //nolint:errcheck // it ends with Shutdown
	}
	started.Wait()
	return servers
}

// listenBoth listens on one port by UDP and TCP. A port that was picked for one
// may be taken for the other: then it picks again.
func listenBoth(addr string) (udp net.PacketConn, tcp net.Listener, err error) {
	for range 20 {
		if udp, err = net.ListenPacket("udp", addr); err != nil {
			return nil, nil, err
		}
		if tcp, err = net.Listen("tcp", udp.LocalAddr().String()); err == nil {
			return udp, tcp, nil
		}
		udp.Close()
		if !strings.HasSuffix(addr, ":0") {
			break
		}
	}
	return nil, nil, fmt.Errorf("no port for UDP and TCP: %w", err)
}

// Addr is where the server listens, "host:port".
func (d *DNS) Addr() string { return d.addr }

// Close ends the server and the answers it delays.
func (d *DNS) Close() error {
	var errs []error
	d.once.Do(func() {
		close(d.hold)
		for _, s := range d.servers {
			errs = append(errs, s.Shutdown())
		}
		errs = append(errs, d.stray.Close())
	})
	return errors.Join(errs...)
}

// List lists an address, with the given codes or 127.0.0.2. An IPv4 address in
// the form ::ffff:192.0.2.1 is an IPv6 address here.
func (d *DNS) List(addr string, codes ...string) {
	list := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 2})}
	if len(codes) > 0 {
		list = nil
	}
	for _, code := range codes {
		list = append(list, netip.MustParseAddr(code))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.listed[d.name(netip.MustParseAddr(addr))] = list
}

// Unlist takes an address off the list.
func (d *DNS) Unlist(addr string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.listed, d.name(netip.MustParseAddr(addr)))
}

// SetTTL sets how long what is listed, and what is not, may be remembered.
func (d *DNS) SetTTL(positive, negative time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ttl, d.negative = positive, negative
}

// SetDelay has every answer come late.
func (d *DNS) SetDelay(delay time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.delay = delay
}

// SetFault has the server misbehave; 0 ends that.
func (d *DNS) SetFault(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
}

// Asked is how often the server was asked for an address.
func (d *DNS) Asked(addr string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[d.name(netip.MustParseAddr(addr))]
}

// DNSCounts are figures of a DNS server.
type DNSCounts struct {
	Questions int // of all
	TCP       int // those by TCP
	Busiest   int // the most that were being answered at a time
}

// Counts gives the server's figures since its start.
func (d *DNS) Counts() DNSCounts {
	d.mu.Lock()
	defer d.mu.Unlock()
	return DNSCounts{d.total, d.tcp, d.busiest}
}

// name is the name under which the zone has an address.
func (d *DNS) name(addr netip.Addr) string {
	var b strings.Builder
	for _, o := range slices.Backward(addr.AsSlice()) {
		if addr.Is4() {
			fmt.Fprintf(&b, "%d.", o)
		} else {
			fmt.Fprintf(&b, "%x.%x.", o&15, o>>4)
		}
	}
	return b.String() + d.zone
}

// ServeDNS answers one question.
func (d *DNS) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	if len(q.Question) != 1 {
		return
	}
	m, fault, delay := d.reply(q, w.RemoteAddr().Network() == "tcp")
	if delay > 0 {
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-d.hold:
		}
		timer.Stop()
	}
	d.mu.Lock()
	d.busy--
	d.mu.Unlock()
	fault.send(d, w, m)
}

// reply is the honest answer, and what is wrong with the server.
func (d *DNS) reply(q *dns.Msg, tcp bool) (*dns.Msg, Fault, time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := dns.CanonicalName(q.Question[0].Name)
	d.total++
	d.busy++
	d.busiest = max(d.busiest, d.busy)
	if len(d.asked) < 100_000 {
		d.asked[name]++
	}
	if tcp {
		d.tcp++
	}
	m := new(dns.Msg).SetReply(q)
	m.Authoritative = true
	codes, known := d.listed[name]
	switch {
	case !dns.IsSubDomain(d.zone, name):
		m.Authoritative, m.Rcode = false, dns.RcodeRefused
	case known && q.Question[0].Qtype == dns.TypeA:
		for _, code := range codes {
			m.Answer = append(m.Answer, record(q.Question[0].Name, code, d.ttl))
		}
	default:
		m.Ns = []dns.RR{d.soa()}
		if !known && name != d.zone {
			m.Rcode = dns.RcodeNameError
		}
	}
	return m, d.fault, d.delay
}

func record(name string, addr netip.Addr, ttl time.Duration) dns.RR {
	return &dns.A{
		Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: uint32(ttl / time.Second)},
		A:   addr.AsSlice(),
	}
}

// soa has the negative TTL as its MINIMUM; its own TTL is longer.
func (d *DNS) soa() dns.RR {
	negative := uint32(d.negative / time.Second)
	return &dns.SOA{
		Hdr: dns.RR_Header{Name: d.zone, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: negative + 3600},
		Ns:  "ns." + d.zone, Mbox: "hostmaster." + d.zone, Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: negative,
	}
}
