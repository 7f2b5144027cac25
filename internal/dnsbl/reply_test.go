package dnsbl

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func TestNameOf(t *testing.T) {
	for _, tt := range []struct{ addr, zone, want string }{
		{"192.0.2.99", "bad.example.com", "99.2.0.192.bad.example.com."}, // RFC 5782, section 2.1
		{"203.0.113.1", "bad.example.com.", "1.113.0.203.bad.example.com."},
		// RFC 5782, section 2.4
		{"2001:db8:1:2:3:4:567:89ab", "ugly.example.com", "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ugly.example.com."},
		{"::ffff:7f00:2", "v6.example.com", "2.0.0.0.0.0.f.7.f.f.f.f." + strings.Repeat("0.", 20) + "v6.example.com."},
	} {
		if got := nameOf(ip(tt.addr), tt.zone); got != tt.want {
			t.Errorf("%s in %s: %s, want %s", tt.addr, tt.zone, got, tt.want)
		}
	}
}

// message is a reply to a question for www.list.example.
func message(t testing.TB, rcode int, answer, authority string) *dns.Msg {
	t.Helper()
	m := new(dns.Msg).SetReply(new(dns.Msg).SetQuestion("1.2.0.192.list.example.", dns.TypeA))
	m.Rcode = rcode
	parse := func(section string) (list []dns.RR) {
		for line := range strings.SplitSeq(section, "\n") {
			if line == "" {
				continue
			}
			rr, err := dns.NewRR(strings.Replace(line, "@", "1.2.0.192.list.example.", 1))
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, rr)
		}
		return list
	}
	m.Answer, m.Ns = parse(answer), parse(authority)
	return m
}

func TestAddresses(t *testing.T) {
	const soa = "list.example. 900 IN SOA a. b. 1 2 3 4 300"
	chain := func(links int) string {
		var b strings.Builder
		fmt.Fprintln(&b, "@ 60 IN CNAME c0.example.org.")
		for i := range links - 1 {
			fmt.Fprintf(&b, "c%d.example.org. 60 IN CNAME c%d.example.org.\n", i, i+1)
		}
		fmt.Fprintf(&b, "c%d.example.org. 60 IN A 127.0.0.2", links-1)
		return b.String()
	}
	for _, tt := range []struct {
		name              string
		rcode             int
		answer, authority string
		want              string
	}{
		{"one", 0, "@ 60 IN A 127.0.0.2", "", "[127.0.0.2] 1m0s <nil>"},
		{"the least TTL", 0, "@ 60 IN A 127.0.0.2\n@ 30 IN A 127.0.0.3", "", "[127.0.0.2 127.0.0.3] 30s <nil>"},
		{"of aliases, too", 0, "@ 7 IN CNAME x.example.org.\nx.example.org. 30 IN A 127.0.0.3", "", "[127.0.0.3] 7s <nil>"},
		{"a TTL of 0", 0, "@ 0 IN A 127.0.0.2", "", "[127.0.0.2] 1s <nil>"},
		{"a long TTL", 0, "@ 2147483647 IN A 127.0.0.2", "", "[127.0.0.2] 24h0m0s <nil>"},
		{"too long a TTL", 0, "@ 2147483648 IN A 127.0.0.2", "", "[127.0.0.2] 1s <nil>"},
		{"case", 0, strings.ToUpper("1.2.0.192.list.example.") + " 60 IN A 127.0.0.2", "", "[127.0.0.2] 1m0s <nil>"},
		{"records of others", 0, "other.example. 60 IN A 127.0.0.2\n@ 60 CH A 127.0.0.2\n@ 60 IN TXT x\n@ 60 IN AAAA ::1", soa, "[] 5m0s <nil>"},
		{"aliases in any order", 0, "y.example. 60 IN A 127.0.0.2\nx.example. 60 IN CNAME y.example.\n@ 60 IN CNAME X.example.", "", "[127.0.0.2] 1m0s <nil>"},
		{"7 aliases", 0, chain(7), "", "[127.0.0.2] 1m0s <nil>"},
		{"8 aliases", 0, chain(8), "", "[] 0s an answer whose aliases do not end"},
		{"an alias of itself", 0, "@ 60 IN CNAME @", soa, "[] 0s an answer whose aliases"},
		{"an alias without end", 0, "@ 60 IN CNAME x.example.", "", "[] 1s an answer whose aliases lead nowhere"},
		{"an alias to nothing", 3, "@ 60 IN CNAME x.list.example.", soa, "[] 1m0s <nil>"},
		{"no such name", 3, "", soa, "[] 5m0s <nil>"},
		{"no such record", 0, "", soa, "[] 5m0s <nil>"},
		{"an SOA of less TTL", 3, "", "list.example. 20 IN SOA a. b. 1 2 3 4 300", "[] 20s <nil>"},
		{"an SOA of 0", 3, "", "list.example. 20 IN SOA a. b. 1 2 3 4 0", "[] 1s <nil>"},
		{"a long SOA", 3, "", "list.example. 2000000 IN SOA a. b. 1 2 3 4 2000000", "[] 24h0m0s <nil>"},
		{"an SOA of others", 3, "", "other.example. 900 IN SOA a. b. 1 2 3 4 300", "[] 5s <nil>"},
		{"no SOA", 3, "", "", "[] 5s <nil>"}, {"nothing", 0, "", "", "[] 5s <nil>"},
		{"no such name, but", 3, "@ 60 IN A 127.0.0.2", soa, "[] 1m0s <nil>"},
		{"a referral", 0, "", "example. 60 IN NS ns.example.", "[] 1s a referral"},
	} {
		list, ttl, err := addresses(message(t, tt.rcode, strings.ReplaceAll(tt.answer, "CNAME @", "CNAME 1.2.0.192.list.example."), tt.authority))
		if got := fmt.Sprint(list, ttl, err); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestCodes(t *testing.T) {
	for code, want := range map[string]string{
		"127.0.0.2": "", "127.255.254.255": "", "127.255.255.0": "refuses", "127.255.255.254": "refuses", "127.255.255.255": "refuses",
		"126.255.255.255": "none of a list", "128.0.0.1": "none of a list", "203.0.113.7": "none of a list", "0.0.0.0": "none of a list",
	} {
		err := check(addrs("127.0.0.3", code))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", code, err, want)
		}
	}
}

func TestParse(t *testing.T) {
	question := dns.Question{Name: "1.2.0.192.list.example.", Qtype: dns.TypeA, Qclass: dns.ClassINET}
	for name, tt := range map[string]struct {
		change func(m *dns.Msg)
		want   string
	}{
		"good":           {func(*dns.Msg) {}, "<nil>"},
		"another case":   {func(m *dns.Msg) { m.Question[0].Name = strings.ToUpper(m.Question[0].Name) }, "<nil>"},
		"no such name":   {func(m *dns.Msg) { m.Rcode = dns.RcodeNameError }, "<nil>"},
		"no question":    {func(m *dns.Msg) { m.Question = nil }, "no answer to a question"},
		"two questions":  {func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }, "no answer to a question"},
		"a question":     {func(m *dns.Msg) { m.Response = false }, "no answer to a question"},
		"an opcode":      {func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }, "no answer to a question"},
		"another name":   {func(m *dns.Msg) { m.Question[0].Name = "list.example." }, "another question"},
		"another type":   {func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA }, "another question"},
		"another class":  {func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }, "another question"},
		"SERVFAIL":       {func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure }, "SERVFAIL"},
		"a strange code": {func(m *dns.Msg) { m.Rcode = 15 }, "response code 15"},
	} {
		m := message(t, 0, "@ 60 IN A 127.0.0.2", "")
		tt.change(m)
		packet, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if _, err = parse(packet, question); !strings.Contains(fmt.Sprint(err), tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

// FuzzReply feeds octets that claim to answer a question.
func FuzzReply(f *testing.F) {
	question := dns.Question{Name: "1.2.0.192.list.example.", Qtype: dns.TypeA, Qclass: dns.ClassINET}
	for _, m := range []*dns.Msg{
		message(f, 0, "@ 60 IN A 127.0.0.2\n@ 60 IN A 203.0.113.7", ""),
		message(f, 3, "", "list.example. 900 IN SOA a. b. 1 2 3 4 300"),
		message(f, 0, "@ 60 IN CNAME x.example.\nx.example. 60 IN A 127.0.0.4", ""),
		message(f, 0, "", "example. 60 IN NS ns.example."),
	} {
		packet, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packet)
		f.Add(packet[:len(packet)-3])
	}
	f.Add([]byte{0, 1, 0x84, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0xc0, 0x0c})
	z := newZone(Zone{Name: "list.example", Codes: []netip.Addr{ip("127.0.0.2")}}, nil)
	f.Fuzz(func(t *testing.T, packet []byte) {
		m, err := parse(packet, question)
		if err != nil {
			return
		}
		var a Answer
		codes, ttl, err := read(m)
		a.take(z, codes, ttl, err)
		good := func(code netip.Addr) bool { return code.As4()[0] == 127 }
		switch {
		case a.Status != Listed && a.Status != NotListed && a.Status != Failed && a.Status != Invalid,
			(a.Err == nil) != a.Status.Opinion(), len(a.Codes) > maxCodes:
			t.Errorf("%+v", a)
		case a.Status.Opinion() && (a.TTL < time.Second || a.TTL > 24*time.Hour):
			t.Errorf("kept for %v", a.TTL)
		}
		for _, code := range a.Codes {
			if a.Status.Opinion() && !good(code) {
				t.Errorf("%+v", a)
			}
		}
		if a.Status == Listed && !strings.Contains(fmt.Sprint(m.Answer), "127.0.0.2") {
			t.Errorf("listed by %v", m)
		}
	})
}
