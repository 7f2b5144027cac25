package spf

import (
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// serve runs a DNS server for a test, on UDP and TCP, and gives its address.
func serve(t *testing.T, answer func(w dns.ResponseWriter, m *dns.Msg)) string {
	t.Helper()
	addr, end, err := mtatest.ServeDNS(func(w dns.ResponseWriter, q *dns.Msg) { answer(w, new(dns.Msg).SetReply(q)) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	return addr
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
