package dnsbl

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// TestFailover: a dead first server costs its time once.
func TestFailover(t *testing.T) {
	first, second := serve(t, "list.example"), serve(t, "list.example")
	z := zoneAt(first, "list.example")
	z.Resolvers = append(z.Resolvers, second.Addr())
	z.Timeout = 600 * time.Millisecond
	c, clk := open(t, Options{Zones: []Zone{z}})
	counts := func(want1, want2 int) {
		t.Helper()
		if a, b := first.Counts().Questions, second.Counts().Questions; a != want1 || b != want2 {
			t.Errorf("asked %d and %d questions, want %d and %d", a, b, want1, want2)
		}
	}
	ask := func(addr string) {
		t.Helper()
		if got := asks(t, c, addr); got != "not-listed: not-listed" {
			t.Errorf("%s: %s", addr, got)
		}
	}
	counts(2, 0)
	first.SetFault(mtatest.Silent)
	ask("192.0.2.1")
	counts(3, 1)
	for i := range 20 {
		ask(fmt.Sprintf("192.0.2.%d", 10+i))
	}
	counts(3, 21)
	clk.move(firstBackoff - 1)
	ask("192.0.2.50")
	counts(3, 22)
	clk.move(1)
	ask("192.0.2.51") // the first server has another try, for twice the time
	ask("192.0.2.52")
	counts(4, 24)
	clk.move(2*firstBackoff - 1)
	ask("192.0.2.53")
	counts(4, 25)
	first.SetFault(mtatest.NoFault)
	clk.move(1)
	ask("192.0.2.54")
	ask("192.0.2.55")
	counts(6, 25)
	second.SetFault(mtatest.Silent)
	ask("192.0.2.56")
	counts(7, 25)
	if a := c.Lookup(t.Context(), ip("192.0.2.57"))[0]; a.Server != first.Addr() {
		t.Errorf("%+v", a)
	}
}

// TestOneTryOfTheDead: of many questions at once, one tries the server whose
// backoff is over.
func TestOneTryOfTheDead(t *testing.T) {
	s := newServers([]string{"a", "b", "c"})
	clk := &clock{}
	order := func() (names string) {
		for _, srv := range s.order(clk.now(), 5*time.Second) {
			names += srv.addr
		}
		return names
	}
	is := func(want string) {
		t.Helper()
		if got := order(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	fail := func(i int, began time.Time) { s.note(s.list[i], true, began, clk.now()) }
	begin := clk.now()
	is("ab")
	clk.move(time.Second)
	fail(0, begin)
	is("bc")
	fail(0, begin) // under way already: says nothing new
	if s.list[0].backoff != firstBackoff {
		t.Errorf("backoff %v", s.list[0].backoff)
	}
	fail(1, begin)
	is("ca")
	clk.move(time.Second)
	fail(2, clk.now())
	is("ab")
	clk.move(firstBackoff - time.Second)
	is("ab") // one question tries the first again,
	is("bc") // one the second,
	is("ca") // and none else either of them
	clk.move(5 * time.Second)
	is("ab")
	for range 20 {
		fail(0, clk.now())
	}
	if s.list[0].backoff != maxBackoff {
		t.Errorf("backoff %v", s.list[0].backoff)
	}
	is("bc")
	clk.moved.Store(-int64(time.Hour)) // a clock set back
	is("ab")
	clk.moved.Store(int64(10 * time.Minute))
	fail(0, clk.now())
	is("bc")
	s.note(s.list[0], false, clk.now(), clk.now())
	is("ac")
	if order := newServers(nil).order(clk.now(), time.Second); len(order) != 0 {
		t.Errorf("none, and %v", order)
	}
}

// TestSingleServer: what is lost once is asked for again; a refusal is not.
func TestSingleServer(t *testing.T) {
	var packets atomic.Int64
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		n := packets.Add(1)
		m := new(dns.Msg).SetReply(q)
		switch name := q.Question[0].Name; {
		case strings.HasPrefix(name, "1.") && n == 1:
			return
		case strings.HasPrefix(name, "2."):
			m.Rcode = dns.RcodeRefused
		}
		w.WriteMsg(m)
	})
	server := &dns.Server{PacketConn: conn, Handler: handler}
	go server.ActivateAndServe()
	c, _ := open(t, Options{})
	z := newZone(Zone{Name: "list.example", Timeout: time.Second}, []string{conn.LocalAddr().String()})
	lost := c.ask(t.Context(), z, ip("192.0.2.1"))
	refused := c.ask(t.Context(), z, ip("192.0.2.2"))
	conn.Close()
	if lost.Status != NotListed || refused.Status != Failed || !strings.Contains(refused.Err.Error(), "REFUSED") {
		t.Errorf("%+v, %+v", lost, refused)
	}
	if n := packets.Load(); n != 3 {
		t.Errorf("%d packets", n)
	}
}

// TestSlowServer: the answer to the first packet counts when there was a second.
func TestSlowServer(t *testing.T) {
	d := serve(t, "list.example")
	c, _ := open(t, Options{})
	d.SetDelay(1200 * time.Millisecond)
	a := c.ask(t.Context(), newZone(zoneAt(d, "list.example"), nil), ip("192.0.2.1"))
	if n := d.Asked("192.0.2.1"); a.Status != NotListed || n != 2 {
		t.Errorf("%+v, asked %d times", a, n)
	}
}

func TestTimeIsBounded(t *testing.T) {
	z := Zone{Name: "list.example", Timeout: 300 * time.Millisecond, Resolvers: []string{dead(t), dead(t), dead(t)}}
	c, _ := open(t, Options{})
	begun := time.Now()
	a := c.ask(t.Context(), newZone(z, nil), ip("192.0.2.1"))
	if took := time.Since(begun); a.Status != Timeout || took < z.Timeout || took > z.Timeout+2*time.Second {
		t.Errorf("%+v after %v", a, took)
	}
	if z := newZone(Zone{}, []string{"192.0.2.53:53"}); z.Timeout != 2*time.Second || z.Resolvers[0] != "192.0.2.53:53" {
		t.Errorf("%+v", z)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	begun = time.Now()
	z.Timeout = time.Minute
	if a := c.ask(ctx, newZone(z, nil), ip("192.0.2.1")); a.Status != Failed || time.Since(begun) > 10*time.Second {
		t.Errorf("%+v after %v", a, time.Since(begun))
	}
}

func TestLookup(t *testing.T) {
	d := serve(t, "list.example")
	d.List("192.0.2.1", "127.0.0.3", "127.0.0.2")
	long := strings.Repeat(strings.Repeat("a", 60)+".", 4) + "example"
	c, _ := open(t, Options{Zones: []Zone{
		zoneAt(d, "list.example"), zoneAt(d, "other.example"), {Name: long, Resolvers: []string{d.Addr()}, IPv6: true}, {Name: "none.example"},
		{Name: "a..b", Resolvers: []string{d.Addr()}}, {Name: "list.example", Resolvers: []string{"127.0.0.1"}},
	}})
	d.SetFault(mtatest.NoFault)
	for range 2 { // no cache
		list := c.Lookup(t.Context(), ip("::ffff:192.0.2.1"))
		a := list[0]
		if a.Status != Listed || fmt.Sprint(a.Codes) != "[127.0.0.2 127.0.0.3]" || a.TTL != time.Minute || a.Server != d.Addr() || a.Err != nil {
			t.Errorf("%+v", a)
		}
		if a = list[1]; a.Status != Failed || a.Server != d.Addr() || a.Err == nil || !strings.Contains(a.Err.Error(), "REFUSED") {
			t.Errorf("%+v", a)
		}
		for _, a := range list[2:] {
			if a.Status != Failed || a.Err == nil {
				t.Errorf("%+v", a)
			}
		}
	}
	if n := d.Asked("192.0.2.1"); n != 2 {
		t.Errorf("%d questions", n)
	}
	list := c.Lookup(t.Context(), ip("2001:db8::1"))
	if list[0].Status != NotAsked || list[2].Status != Failed || list[0].Zone != "list.example" {
		t.Errorf("%+v", list)
	}
	if a := c.Lookup(t.Context(), ip("127.0.0.2"))[0]; a.Status != Listed { // by hand, all is asked for
		t.Errorf("%+v", a)
	}
}

func TestSystemResolvers(t *testing.T) {
	tests := []struct{ file, want, wrong string }{
		{"nameserver 192.0.2.53\nnameserver 2001:db8::53\noptions timeout:9 attempts:7\n", "[192.0.2.53:53 [2001:db8::53]:53]", ""},
		{"# c\n; c\n\nsearch example.com\n\tnameserver\t192.0.2.53 # mine\r\n", "[192.0.2.53:53]", ""},
		{"nameserver fe80::1%eth0\n", "[[fe80::1%eth0]:53]", ""},
		{"nameserver 192.0.2.1\nnameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n",
			"[192.0.2.1:53 192.0.2.2:53 192.0.2.3:53]", ""},
		{"", "[127.0.0.1:53]", "names no server"},
		{"search example.com\n", "[127.0.0.1:53]", "names no server"},
		{"nameserver\n", "[127.0.0.1:53]", `"" is no address`},
		{"nameserver ns.example.com\nnameserver 192.0.2.1\n", "[192.0.2.1:53]", `"ns.example.com" is no address`},
		{"nameserver 192.0.2.1:53\n", "[127.0.0.1:53]", `"192.0.2.1:53" is no address`},
		{"nameserver 192.0.2.1\n" + strings.Repeat("\x00", 1<<20), "[192.0.2.1:53]", ""},
		{strings.Repeat("nameserver x\n", 1<<16) + "nameserver 192.0.2.1\n", "[127.0.0.1:53]", `"x" is no address`},
	}
	path := filepath.Join(t.TempDir(), "resolv.conf")
	for _, tt := range tests {
		if err := os.WriteFile(path, []byte(tt.file), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := SystemResolvers(path)
		if fmt.Sprint(got) != tt.want || (err == nil) != (tt.wrong == "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
			t.Errorf("%.50q: %v, %v; want %s, %q", tt.file, got, err, tt.want, tt.wrong)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("%.50q: an error of %d octets", tt.file, len(err.Error()))
		}
	}
	for _, path := range []string{path + "x", t.TempDir()} {
		if got, err := SystemResolvers(path); fmt.Sprint(got) != "[127.0.0.1:53]" || err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%v, %v", got, err)
		}
	}
}
