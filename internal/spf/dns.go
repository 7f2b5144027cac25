package spf

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	dnsTimeout = 2 * time.Second // of one question to one server
	maxAnswers = 100             // records taken of one answer
	maxAliases = 8               // CNAMEs followed within an answer
)

// DNS is a Resolver that asks recursive servers, by UDP and, where an answer
// does not fit, by TCP. It asks the next server when one fails.
type DNS struct {
	servers []string // host:port
}

// NewDNS asks the given servers, each "host:port".
func NewDNS(servers ...string) *DNS { return &DNS{slices.Clone(servers)} }

// SystemDNS asks the servers named in a resolv.conf file.
func SystemDNS(path string) (*DNS, error) {
	conf, err := dns.ClientConfigFromFile(path)
	if err != nil {
		return nil, fmt.Errorf("resolvers: %w", err)
	}
	if len(conf.Servers) == 0 {
		return nil, fmt.Errorf("resolvers: none in %s", path)
	}
	d := &DNS{}
	for _, s := range conf.Servers {
		d.servers = append(d.servers, net.JoinHostPort(s, conf.Port))
	}
	return d, nil
}

// TXT implements Resolver.
func (d *DNS) TXT(ctx context.Context, name string) (list []string, err error) {
	err = d.lookup(ctx, name, dns.TypeTXT, func(rr dns.RR) {
		if txt, ok := rr.(*dns.TXT); ok {
			list = append(list, strings.Join(txt.Txt, ""))
		}
	})
	return list, err
}

// MX implements Resolver.
func (d *DNS) MX(ctx context.Context, name string) (list []string, err error) {
	err = d.lookup(ctx, name, dns.TypeMX, func(rr dns.RR) {
		if mx, ok := rr.(*dns.MX); ok && mx.Mx != "." { // RFC 7505: "." is no host
			list = append(list, foldName(mx.Mx))
		}
	})
	return list, err
}

// IPs implements Resolver.
func (d *DNS) IPs(ctx context.Context, name string) (list []netip.Addr, err error) {
	add := func(ip net.IP) {
		if a, ok := netip.AddrFromSlice(ip); ok {
			list = append(list, a.Unmap())
		}
	}
	err = d.lookup(ctx, name, dns.TypeA, func(rr dns.RR) {
		if a, ok := rr.(*dns.A); ok {
			add(a.A)
		}
	})
	if err != nil {
		return nil, err
	}
	err = d.lookup(ctx, name, dns.TypeAAAA, func(rr dns.RR) {
		if a, ok := rr.(*dns.AAAA); ok {
			add(a.AAAA)
		}
	})
	return list, err
}

// lookup shows the records of one type that a name has, by its aliases too.
func (d *DNS) lookup(ctx context.Context, name string, kind uint16, show func(dns.RR)) error {
	if _, ok := dns.IsDomainName(name); !ok || name == "" {
		return nil // no such name can be
	}
	question := new(dns.Msg)
	question.SetQuestion(dns.Fqdn(name), kind)
	question.SetEdns0(1232, false)
	failed := errors.New("no resolver is configured")
	for _, server := range d.servers {
		question.Id = dns.Id()
		answer, err := exchange(ctx, question, server)
		if err != nil {
			failed = fmt.Errorf("asking %s for %s: %w", server, name, err)
			if ctx.Err() != nil {
				break
			}
			continue
		}
		for _, rr := range records(answer.Answer, question.Question[0].Name, kind) {
			show(rr)
		}
		return nil
	}
	return failed
}

// exchange asks one server. Only "here it is" and "no such name" are answers.
func exchange(ctx context.Context, question *dns.Msg, server string) (*dns.Msg, error) {
	answer, err := ask(ctx, "udp", question, server)
	if err == nil && answer.Truncated {
		answer, err = ask(ctx, "tcp", question, server)
	}
	switch {
	case err != nil:
		return nil, err
	case answer.Truncated:
		return nil, errors.New("an answer cut short")
	case answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError:
		return nil, errors.New(dns.RcodeToString[answer.Rcode])
	}
	return answer, nil
}

func ask(ctx context.Context, network string, question *dns.Msg, server string) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	client := &dns.Client{Net: network, Timeout: dnsTimeout}
	answer, _, err := client.ExchangeContext(ctx, question, server)
	if err != nil {
		return nil, err
	}
	if answer.Id != question.Id || !answer.Response || !sameQuestion(answer.Question, question.Question[0]) {
		return nil, errors.New("an answer to another question")
	}
	return answer, nil
}

func sameQuestion(got []dns.Question, want dns.Question) bool {
	return len(got) == 1 && got[0].Qtype == want.Qtype && got[0].Qclass == want.Qclass &&
		strings.EqualFold(got[0].Name, want.Name)
}

// records picks what belongs to the name out of an answer section, following
// its aliases.
func records(section []dns.RR, name string, kind uint16) []dns.RR {
	for range maxAliases {
		var found []dns.RR
		alias := ""
		for _, rr := range section {
			h := rr.Header()
			if h.Class != dns.ClassINET || !strings.EqualFold(h.Name, name) {
				continue
			}
			if cname, ok := rr.(*dns.CNAME); ok {
				alias = cname.Target
			} else if h.Rrtype == kind && len(found) < maxAnswers {
				found = append(found, rr)
			}
		}
		if len(found) > 0 || alias == "" {
			return found
		}
		name = alias
	}
	return nil
}
