package mtatest

import (
	"testing"
	"time"

	"github.com/miekg/dns"
)

func TestDNS(t *testing.T) {
	d, err := ListenDNS("127.0.0.1:0", "List.example")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.List("192.0.2.1", "127.0.0.3", "127.0.0.4")
	d.List("2001:db8::1")
	d.List("192.0.2.9")
	d.Unlist("192.0.2.9")
	const v6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.list.example."
	for _, network := range []string{"udp", "tcp"} {
		for _, tt := range []struct {
			name           string
			kind           uint16
			rcode, records int
		}{
			{"2.0.0.127.list.example.", dns.TypeA, 0, 1}, {"1.0.0.127.list.example.", dns.TypeA, 3, 0},
			{"1.2.0.192.LIST.example.", dns.TypeA, 0, 2}, {"1.2.0.192.list.example.", dns.TypeTXT, 0, 0},
			{"9.2.0.192.list.example.", dns.TypeA, 3, 0}, {"list.example.", dns.TypeA, 0, 0}, {v6, dns.TypeA, 0, 1},
			{"2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.list.example.", dns.TypeA, 0, 1},
			{"example.", dns.TypeA, 5, 0},
		} {
			c := &dns.Client{Net: network}
			m, _, err := c.Exchange(new(dns.Msg).SetQuestion(tt.name, tt.kind), d.Addr())
			if err != nil {
				t.Fatal(err)
			}
			if m.Rcode != tt.rcode || len(m.Answer) != tt.records || (len(m.Ns) == 1) != (tt.records == 0 && tt.rcode != 5) {
				t.Errorf("%s %s: %v", network, tt.name, m)
			}
		}
	}
	if n := d.Asked("192.0.2.1"); n != 4 {
		t.Errorf("asked %d times", n)
	}
	if n := d.Counts(); n != (DNSCounts{18, 9, 1}) {
		t.Errorf("%+v", n)
	}
}

func TestDNSFaults(t *testing.T) {
	seen := map[string]bool{NoFault.String(): true}
	for _, f := range Faults() {
		if seen[f.String()] || f.String() == "" {
			t.Errorf("%d is %q", f, f)
		}
		seen[f.String()] = true
	}
	if (faults).String() != "unknown fault" || len(seen) != int(faults) {
		t.Errorf("%d faults", len(seen))
	}
	d, err := ListenDNS("127.0.0.1:0", "list.example")
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	d.SetDelay(time.Hour)
	asked := make(chan error)
	go func() {
		_, _, err := new(dns.Client).Exchange(new(dns.Msg).SetQuestion("2.0.0.127.list.example.", dns.TypeA), d.Addr())
		asked <- err
	}()
	for d.Counts().Questions == 0 {
		time.Sleep(time.Millisecond)
	}
	d.Close()
	<-asked
	d.Close()
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("closing took %v", took)
	}
	if _, err := ListenDNS("192.0.2.1:0", "list.example"); err == nil {
		t.Error("listens at an address of others")
	}
}
