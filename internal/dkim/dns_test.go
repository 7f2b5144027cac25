package dkim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

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

// zoneServer answers out of a table, and "long.*" by TCP alone.
func zoneServer(t *testing.T, table ...string) string {
	return serve(t, func(w dns.ResponseWriter, m *dns.Msg) {
		name := m.Question[0].Name
		for _, line := range table {
			r := rr(t, line)
			switch {
			case r.Header().Rrtype == dns.TypeSOA:
				if !slices.ContainsFunc(m.Answer, func(a dns.RR) bool { return a.Header().Name == name }) {
					m.Ns = []dns.RR{r}
				}
			case r.Header().Name == name || strings.HasPrefix(line, "stray") || strings.HasPrefix(line, "host") && strings.HasPrefix(name, "alias"):
				m.Answer = append(m.Answer, r)
			}
		}
		if strings.HasPrefix(name, "none") {
			m.Rcode = dns.RcodeNameError
		}
		if strings.HasPrefix(name, "long") && isUDP(w) {
			m.Answer, m.Truncated = nil, true
		}
		w.WriteMsg(m)
	})
}

func TestDNS(t *testing.T) {
	d := NewDNS(zoneServer(t,
		`s._domainkey.example.com. 600 IN TXT "v=DKIM1; " "p=AAAA"`, `s._domainkey.example.com. 300 IN TXT "other"`,
		`alias.example.com. 60 IN CNAME host.example.com.`, `host.example.com. 900 IN TXT "by alias"`,
		`loop.example.com. 60 IN CNAME loop.example.com.`,
		`long.example.com. 60 IN TXT "`+strings.Repeat("x", 250)+`" "`+strings.Repeat("y", 250)+`"`,
		`stray.example.net. 1 IN TXT "not asked for"`, `chaos.example.com. 60 CH TXT "of another class"`,
		`other.example.com. 60 IN A 192.0.2.1`,
		`example.com. 900 IN SOA ns.example.com. root.example.com. 1 2 3 4 120`,
	))
	for _, tt := range []struct{ name, want string }{
		{"s._domainkey.example.com", "[v=DKIM1; p=AAAA other] 5m0s <nil>"},
		{"alias.example.com", "[by alias] 1m0s <nil>"},
		{"loop.example.com", "[] 0s <nil>"},
		{"long.example.com", "[" + strings.Repeat("x", 250) + strings.Repeat("y", 250) + "] 1m0s <nil>"},
		{"none.example.com", "[] 2m0s <nil>"},
		{"chaos.example.com", "[] 0s <nil>"},
		{"other.example.com", "[] 0s <nil>"},
		{strings.Repeat("a", 64) + ".example.com", "[] 0s <nil>"},
		{"", "[] 0s <nil>"},
	} {
		records, ttl, err := d.TXT(t.Context(), tt.name)
		if got := fmt.Sprint(records, " ", ttl, " ", err); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestDNSKeys verifies a header with a key from a server.
func TestDNSKeys(t *testing.T) {
	record := recordOf(testKeys().rsa2048, "")
	server := zoneServer(t, fmt.Sprintf("rsa._domainkey.example.com. 600 IN TXT %q %q", record[:200], record[200:]))
	o := ourOptions()
	o.Keys = NewCache(NewDNS(server), time.Now)
	header := signing{tags: changes{"s": "none"}}.sign(t, signing{}.sign(t, letter()))
	if got := statuses(Verify(t.Context(), block(header), o)); got != "[pass key missing]" {
		t.Error(got)
	}
	o.Keys = NewCache(NewDNS("127.0.0.1:1"), time.Now)
	if got := statuses(Verify(t.Context(), block(header), o)); got != "[key unavailable key unavailable]" {
		t.Error(got)
	}
}
