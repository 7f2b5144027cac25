package spf

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// serve runs a DNS server for a test, on UDP and TCP, and gives its address.
func serve(t *testing.T, answer func(w dns.ResponseWriter, m *dns.Msg)) string {
	t.Helper()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", udp.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		answer(w, new(dns.Msg).SetReply(q))
	})
	for _, s := range []*dns.Server{{PacketConn: udp, Handler: handler}, {Listener: tcp, Handler: handler}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go s.ActivateAndServe()
		<-started
		t.Cleanup(func() { s.Shutdown() })
	}
	return udp.LocalAddr().String()
}

func rr(t *testing.T, s string) dns.RR {
	t.Helper()
	r, err := dns.NewRR(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func isUDP(w dns.ResponseWriter) bool { return w.RemoteAddr().Network() == "udp" }

func TestDNS(t *testing.T) {
	long := `"v=spf1 ` + strings.Repeat("ip4:192.0.2.1 ", 17) + `" "ip4:198.51.100.9 -all"`
	table := []string{
		`example.com. 60 IN TXT "v=spf1 a mx " "-all"`, `example.com. 60 IN TXT "other"`,
		`example.com. 60 IN MX 10 MX.example.com.`, `null.example.com. 60 IN MX 0 .`,
		`example.com. 60 IN A 192.0.2.1`, `example.com. 60 IN AAAA 2001:db8::1`,
		`mx.example.com. 60 IN CNAME host.example.com.`, `host.example.com. 60 IN A 192.0.2.2`,
		`loop.example.com. 60 IN CNAME loop.example.com.`,
		`long.example.com. 60 IN TXT ` + long,
		`stray.example.net. 60 IN A 203.0.113.1`,
	}
	server := serve(t, func(w dns.ResponseWriter, m *dns.Msg) {
		name := m.Question[0].Name
		for _, line := range table {
			r := rr(t, line)
			_, alias := r.(*dns.CNAME)
			if r.Header().Name == name && (alias || r.Header().Rrtype == m.Question[0].Qtype) || strings.HasPrefix(line, "stray") || name == "mx.example.com." && strings.HasPrefix(line, "host") {
				m.Answer = append(m.Answer, r)
			}
		}
		if name == "none.example.com." {
			m.Rcode = dns.RcodeNameError
		}
		if name == "long.example.com." && isUDP(w) {
			m.Answer, m.Truncated = nil, true
		}
		w.WriteMsg(m)
	})
	d := NewDNS(server)
	ask := func(list any, err error) string { return fmt.Sprint(list, " ", err) }
	for _, tt := range []struct{ what, got, want string }{
		{"TXT", ask(d.TXT(t.Context(), "example.com")), "[v=spf1 a mx -all other] <nil>"},
		{"MX", ask(d.MX(t.Context(), "example.com")), "[mx.example.com] <nil>"},
		{"null MX", ask(d.MX(t.Context(), "null.example.com")), "[] <nil>"},
		{"A, AAAA", ask(d.IPs(t.Context(), "example.com")), "[192.0.2.1 2001:db8::1] <nil>"},
		{"CNAME", ask(d.IPs(t.Context(), "mx.example.com")), "[192.0.2.2] <nil>"},
		{"CNAME loop", ask(d.IPs(t.Context(), "loop.example.com")), "[] <nil>"},
		{"no such name", ask(d.TXT(t.Context(), "none.example.com")), "[] <nil>"},
		{"no record", ask(d.TXT(t.Context(), "host.example.com")), "[] <nil>"},
		{"no name", ask(d.TXT(t.Context(), strings.Repeat("a", 64)+".example.com")), "[] <nil>"},
		{"empty", ask(d.TXT(t.Context(), "")), "[] <nil>"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %s, want %s", tt.what, tt.got, tt.want)
		}
	}
	f := Check(t.Context(), d, "example.com", prefixes("192.0.2.0/30", "2001:db8::1/128"))
	if f.Result != Nobody || f.Record != "v=spf1 a mx -all" {
		t.Errorf("%+v", f)
	}
	f = Check(t.Context(), d, "long.example.com", prefixes("192.0.2.0/30"))
	if f.Result != Elsewhere || fmt.Sprint(f.Others) != "[198.51.100.9]" {
		t.Errorf("by TCP: %+v", f)
	}
}

func TestDNSFailures(t *testing.T) {
	good := serve(t, func(w dns.ResponseWriter, m *dns.Msg) {
		m.Answer = append(m.Answer, rr(t, m.Question[0].Name+` 60 IN TXT "good"`))
		w.WriteMsg(m)
	})
	txt := func(m *dns.Msg) *dns.Msg {
		m.Answer = append(m.Answer, rr(t, m.Question[0].Name+` 60 IN TXT "bad"`))
		return m
	}
	bad := map[string]func(w dns.ResponseWriter, m *dns.Msg){
		"SERVFAIL":  func(w dns.ResponseWriter, m *dns.Msg) { m.Rcode = dns.RcodeServerFailure; w.WriteMsg(m) },
		"REFUSED":   func(w dns.ResponseWriter, m *dns.Msg) { m.Rcode = dns.RcodeRefused; w.WriteMsg(m) },
		"another":   func(w dns.ResponseWriter, m *dns.Msg) { txt(m).Question[0].Name = "example.org."; w.WriteMsg(m) },
		"other ID":  func(w dns.ResponseWriter, m *dns.Msg) { txt(m).Id++; w.WriteMsg(m) },
		"a query":   func(w dns.ResponseWriter, m *dns.Msg) { txt(m).Response = false; w.WriteMsg(m) },
		"garbage":   func(w dns.ResponseWriter, _ *dns.Msg) { w.Write([]byte("garbage of some length")) },
		"truncated": func(w dns.ResponseWriter, m *dns.Msg) { txt(m).Truncated = true; w.WriteMsg(m) },
		"silence":   func(dns.ResponseWriter, *dns.Msg) {},
	}
	for name, answer := range bad {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, answer)
			begun := time.Now()
			if got, err := NewDNS(server).TXT(t.Context(), "example.com"); err == nil {
				t.Errorf("alone: %q", got)
			}
			if got, err := NewDNS(server, good).TXT(t.Context(), "example.com"); err != nil || fmt.Sprint(got) != "[good]" {
				t.Errorf("with a good one behind: %q, %v", got, err)
			}
			if took := time.Since(begun); took > 15*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewDNS(good, good).TXT(ctx, "example.com"); err == nil {
		t.Error("asked after the end")
	}
	if _, err := NewDNS().TXT(t.Context(), "example.com"); err == nil {
		t.Error("asked nobody")
	}
}

func TestSystemDNS(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	os.WriteFile(path, []byte("# comment\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n"), 0o600)
	d, err := SystemDNS(path)
	if err != nil || fmt.Sprint(d.servers) != "[192.0.2.53:53 [2001:db8::53]:53]" {
		t.Errorf("%v, %v", d, err)
	}
	os.WriteFile(path, []byte("search example.com\n"), 0o600)
	if _, err := SystemDNS(path); err == nil {
		t.Error("no servers, and no error")
	}
	if _, err := SystemDNS(path + "x"); err == nil {
		t.Error("no file, and no error")
	}
}
