package dnsbl

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	tries        = 2
	firstBackoff = 10 * time.Second // during which a server that failed is asked last,
	maxBackoff   = 5 * time.Minute  // doubling
	maxStrays    = 64               // packets read for one question that do not belong to it
	headerSize   = 12
)

// server is a DNS server as one zone knows it.
type server struct {
	addr    string
	backoff time.Duration // 0: it works
	failed  time.Time     // when the backoff began
	retry   time.Time     // when it is asked first again
}

// servers are those of one zone, in the order of preference.
type servers struct {
	mu   sync.Mutex
	list []*server
}

func newServers(addrs []string) *servers {
	s := &servers{}
	for _, a := range addrs {
		s.list = append(s.list, &server{addr: a})
	}
	return s
}

// order says whom to ask one question. A server whose backoff is over is tried
// first again, but by one question only until that is answered or lost.
func (s *servers) order(now time.Time, lost time.Duration) []*server {
	s.mu.Lock()
	defer s.mu.Unlock()
	var up, down []*server
	for _, srv := range s.list {
		wait := srv.retry.Sub(now)
		switch {
		case srv.backoff == 0:
			up = append(up, srv)
		case wait <= 0 || wait > maxBackoff: // a clock set back
			up = append(up, srv)
		default:
			down = append(down, srv)
		}
	}
	slices.SortStableFunc(down, func(a, b *server) int { return a.retry.Compare(b.retry) })
	order := slices.Concat(up, down)
	if len(order) == 0 {
		return nil
	}
	if order[0].backoff > 0 {
		order[0].retry = now.Add(lost)
	}
	return order[:min(len(order), tries)]
}

// note remembers how a server fared. Questions that were under way when it
// failed say nothing more.
func (s *servers) note(srv *server, failed bool, began, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !failed {
		srv.backoff = 0
		return
	}
	if srv.backoff > 0 && began.Before(srv.failed) {
		return
	}
	srv.backoff = min(max(2*srv.backoff, firstBackoff), maxBackoff)
	srv.failed, srv.retry = now, now.Add(srv.backoff)
}

// ask puts a question to a zone, within its time.
func (c *Client) ask(ctx context.Context, z *zone, addr netip.Addr) (a Answer) {
	began := c.o.Now()
	a = Answer{Zone: z.Name, Status: Failed, TTL: failureTTL, Err: errors.New("no resolver is configured")}
	defer func() { a.Took = c.o.Now().Sub(began) }()
	ctx, cancel := context.WithTimeout(ctx, z.Timeout)
	defer cancel()
	query := new(dns.Msg).SetQuestion(nameOf(addr, z.Name), dns.TypeA)
	order := z.servers.order(began, z.Timeout)
	for i, srv := range order {
		half := z.Timeout / tries
		if i > 0 { // the rest is its own
			half = 0
		}
		codes, ttl, err := c.try(ctx, z, srv, query, half, len(order) == 1)
		a.take(z, codes, ttl, err)
		if a.Server = srv.addr; err == nil || ctx.Err() != nil {
			break
		}
	}
	return a
}

// try asks one server. After half of the zone's time it gives up, or, where
// there is no other server, asks again.
func (c *Client) try(ctx context.Context, z *zone, srv *server, query *dns.Msg, half time.Duration, alone bool,
) (codes []netip.Addr, ttl time.Duration, err error) {
	parent := ctx
	if half > 0 && !alone {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, half)
		defer cancel()
		half = 0
	}
	began := c.o.Now()
	m, err := exchange(ctx, srv.addr, query, half)
	if err == nil {
		codes, ttl, err = read(m)
	} else if ctx.Err() != nil {
		err = fmt.Errorf("%w (%w)", ctx.Err(), err)
	}
	if !errors.Is(parent.Err(), context.Canceled) {
		z.servers.note(srv, err != nil, began, c.o.Now())
	}
	return codes, ttl, err
}

// take is told what a server answered, as read has it.
func (a *Answer) take(z *zone, codes []netip.Addr, ttl time.Duration, err error) {
	a.Codes = slices.Clone(codes[:min(len(codes), maxCodes)])
	a.Err = err
	switch {
	case err == nil:
		a.Status, a.TTL = z.judge(codes), ttl
	case len(codes) > 0:
		a.Status = Invalid
	case errors.Is(err, context.DeadlineExceeded):
		a.Status = Timeout
	default:
		a.Status = Failed
	}
}

// exchange asks one server by UDP, again after some time unless that is 0, and
// by TCP if the answer does not fit. When ctx ends, so does it.
func exchange(ctx context.Context, addr string, query *dns.Msg, again time.Duration) (*dns.Msg, error) {
	query.Id = dns.Id()
	packet, err := query.Pack()
	if err != nil {
		return nil, fmt.Errorf("no name to ask for: %w", err)
	}
	reply, err := over(ctx, "udp", addr, packet, again, readUDP)
	if err == nil && truncated(reply) {
		reply, err = over(ctx, "tcp", addr, packet, 0, readTCP)
		if err == nil && truncated(reply) {
			err = errors.New("an answer cut short, by TCP too")
		}
	}
	if err != nil {
		return nil, err
	}
	return parse(reply, query.Question[0])
}

// over sends a packet and reads what read takes for its answer. Every question
// has a socket of its own, and so a port that nobody can know.
func over(ctx context.Context, network, addr string, packet []byte, again time.Duration, read func(net.Conn, uint16) ([]byte, error),
) ([]byte, error) {
	id := binary.BigEndian.Uint16(packet)
	if network == "tcp" {
		packet = frame(packet)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := conn.Write(packet); err != nil {
		return nil, err
	}
	if again > 0 {
		timer := time.AfterFunc(again, func() { _, _ = conn.Write(packet) })
		defer timer.Stop()
	}
	return read(conn, id)
}

// readUDP skips packets that are no answer to the question with that id.
func readUDP(conn net.Conn, id uint16) ([]byte, error) {
	buf := make([]byte, 4096)
	for strays := range maxStrays {
		n, err := conn.Read(buf)
		if err != nil {
			if strays > 0 {
				err = fmt.Errorf("after %d answers with a wrong id: %w", strays, err)
			}
			return nil, err
		}
		if answers(buf[:n], id) {
			return buf[:n], nil
		}
	}
	return nil, fmt.Errorf("%d answers with a wrong id", maxStrays)
}

func readTCP(conn net.Conn, id uint16) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, err
	}
	buf := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return nil, err
	}
	if !answers(buf, id) {
		return nil, errors.New("an answer with a wrong id")
	}
	return buf, nil
}

// frame puts a message's length before it (RFC 1035, section 4.2.2).
func frame(packet []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
}

// answers: a header (RFC 1035, section 4.1.1) with that id and the QR bit.
func answers(packet []byte, id uint16) bool {
	return len(packet) >= headerSize && binary.BigEndian.Uint16(packet) == id && packet[2]&0x80 != 0
}

func truncated(packet []byte) bool { return packet[2]&0x02 != 0 }
