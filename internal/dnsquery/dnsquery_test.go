package dnsquery

import (
	"context"
	"fmt"
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

// texts gives the texts of example.com.
func texts(ctx context.Context, c *Client) (list []string, err error) {
	records, _, err := c.Records(ctx, "example.com", dns.TypeTXT)
	for _, r := range records {
		list = append(list, strings.Join(r.(*dns.TXT).Txt, ""))
	}
	return list, err
}

// A server that fails, lies or is silent costs its share of the time, and the next
// one answers.
func TestFailures(t *testing.T) {
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
			if got, err := texts(t.Context(), New(server)); err == nil {
				t.Errorf("alone: %q", got)
			}
			if got, err := texts(t.Context(), New(server, good)); err != nil || fmt.Sprint(got) != "[good]" {
				t.Errorf("with a good one behind: %q, %v", got, err)
			}
			if took := time.Since(begun); took > 6*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := texts(ctx, New(good, good)); err == nil {
		t.Error("asked after the end")
	}
	if _, err := texts(t.Context(), New()); err == nil {
		t.Error("asked nobody")
	}
}

// TestOldServer: one that knows nothing of EDNS is asked without.
func TestOldServer(t *testing.T) {
	for _, code := range []int{dns.RcodeFormatError, dns.RcodeNotImplemented} {
		addr, end, err := mtatest.ServeDNS(func(w dns.ResponseWriter, q *dns.Msg) {
			m := new(dns.Msg).SetReply(q)
			if q.IsEdns0() != nil {
				m.Rcode = code
			} else {
				m.Answer = append(m.Answer, rr(t, m.Question[0].Name+` 60 IN TXT "good"`))
			}
			w.WriteMsg(m)
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(end)
		if got, err := texts(t.Context(), New(addr)); err != nil || fmt.Sprint(got) != "[good]" {
			t.Errorf("%s: %q, %v", dns.RcodeToString[code], got, err)
		}
	}
}

// TestAgain: a datagram that was lost is sent again.
func TestAgain(t *testing.T) {
	t.Parallel()
	lost := make(chan bool, 1)
	lost <- true
	server := serve(t, func(w dns.ResponseWriter, m *dns.Msg) {
		select {
		case <-lost:
		default:
			m.Answer = append(m.Answer, rr(t, `example.com. 60 IN TXT "at last"`))
			w.WriteMsg(m)
		}
	})
	if got, err := texts(t.Context(), New(server)); fmt.Sprint(got, err) != "[at last] <nil>" {
		t.Errorf("%q, %v", got, err)
	}
}

// However much an answer holds, not all of it is taken.
func TestManyRecords(t *testing.T) {
	server := serve(t, func(w dns.ResponseWriter, m *dns.Msg) {
		if w.RemoteAddr().Network() == "udp" {
			m.Truncated = true
		} else {
			for i := range 500 {
				m.Answer = append(m.Answer, rr(t, fmt.Sprintf(`example.com. 60 IN TXT "%d"`, i)))
			}
		}
		w.WriteMsg(m)
	})
	if got, err := texts(t.Context(), New(server)); err != nil || len(got) != maxRecords {
		t.Errorf("%d records, %v", len(got), err)
	}
}
