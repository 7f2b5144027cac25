package dkim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	maxServers = 3
	maxAliases = 8 // CNAMEs followed within an answer
)

// DNS is a Resolver that asks recursive servers, by UDP and, where an answer
// does not fit, by TCP. All together have two seconds, of which each has its
// share; a server that is alone is asked twice.
type DNS struct {
	servers []string // host:port
}

// NewDNS asks the given servers, each "host:port", at most three.
func NewDNS(servers ...string) *DNS {
	servers = slices.Clone(servers[:min(len(servers), maxServers)])
	if len(servers) == 1 {
		servers = append(servers, servers[0])
	}
	return &DNS{servers}
}

// SystemDNS asks the servers named in a resolv.conf file.
func SystemDNS(path string) (*DNS, error) {
	conf, err := dns.ClientConfigFromFile(path)
	if err != nil {
		return nil, fmt.Errorf("resolvers: %w", err)
	}
	var servers []string
	for _, s := range conf.Servers {
		servers = append(servers, net.JoinHostPort(s, conf.Port))
	}
	if len(servers) == 0 {
		return nil, fmt.Errorf("resolvers: none in %s", path)
	}
	return NewDNS(servers...), nil
}

// TXT implements Resolver.
func (d *DNS) TXT(ctx context.Context, name string) ([]string, time.Duration, error) {
	if _, ok := dns.IsDomainName(name); !ok || name == "" {
		return nil, 0, nil // no such name can be
	}
	ctx, cancel := context.WithTimeout(ctx, questionFor)
	defer cancel()
	question := new(dns.Msg)
	question.SetQuestion(dns.Fqdn(name), dns.TypeTXT)
	question.SetEdns0(1232, false)
	failed := errors.New("no resolver is configured")
	for _, server := range d.servers {
		question.Id = dns.Id()
		answer, err := exchange(ctx, question, server, questionFor/time.Duration(len(d.servers)))
		if err == nil {
			records, ttl := texts(answer, question.Question[0].Name)
			return records, ttl, nil
		}
		failed = fmt.Errorf("asking %s for %s: %w", server, name, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, 0, failed
}

// exchange asks one server. Only "here it is" and "no such name" are answers.
func exchange(ctx context.Context, question *dns.Msg, server string, wait time.Duration) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
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
	client := &dns.Client{Net: network, Timeout: questionFor}
	answer, _, err := client.ExchangeContext(ctx, question, server)
	if err != nil {
		return nil, err
	}
	want := question.Question[0]
	if answer.Id != question.Id || !answer.Response || len(answer.Question) != 1 ||
		answer.Question[0].Qtype != want.Qtype || answer.Question[0].Qclass != want.Qclass ||
		!strings.EqualFold(answer.Question[0].Name, want.Name) {
		return nil, errors.New("an answer to another question")
	}
	return answer, nil
}

// texts takes the TXT records that a name has, by its aliases too, out of an
// answer, and how long they hold: as long as the first of them that ends.
// Without records it is how long that holds (RFC 2308, section 5).
func texts(answer *dns.Msg, name string) (records []string, ttl time.Duration) {
	seconds := ^uint32(0)
	for range maxAliases {
		alias := ""
		for _, rr := range answer.Answer {
			h := rr.Header()
			if h.Class != dns.ClassINET || !strings.EqualFold(h.Name, name) {
				continue
			}
			switch rr := rr.(type) {
			case *dns.CNAME:
				alias = rr.Target
			case *dns.TXT:
				if len(records) < maxTexts {
					records = append(records, strings.Join(rr.Txt, ""))
				}
			default:
				continue
			}
			seconds = min(seconds, h.Ttl)
		}
		if len(records) > 0 {
			return records, time.Duration(seconds) * time.Second
		}
		if alias == "" {
			break
		}
		name = alias
	}
	for _, rr := range answer.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return nil, time.Duration(min(soa.Hdr.Ttl, soa.Minttl)) * time.Second
		}
	}
	return nil, 0
}
