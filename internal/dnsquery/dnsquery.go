// Package dnsquery asks recursive name servers for the records of a name: by UDP
// and, where an answer does not fit, by TCP, the next server when one fails. It
// is what the packages that read keys and policies out of the DNS have in common.
//
// It refuses to know what records mean, to remember answers and to share
// questions; a list that is asked for every client needs more (internal/dnsbl).
package dnsquery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	patience   = 2 * time.Second // of one question, with all servers
	maxServers = 3
	maxRecords = 100 // taken of one answer
	maxAliases = 8   // CNAMEs followed within an answer
)

// Client asks servers. It is safe for concurrent use.
type Client struct {
	servers []string // host:port
}

// New makes a Client of the given servers, each "host:port", at most three. All
// together have two seconds for a question, of which each has its share; a server
// that is alone is asked twice.
func New(servers ...string) *Client {
	servers = slices.Clone(servers[:min(len(servers), maxServers)])
	if len(servers) == 1 {
		servers = append(servers, servers[0])
	}
	return &Client{servers}
}

// Records gives the records of one type that a name has, by its aliases too, and
// how long they hold: as long as the first of them that ends. No such name and no
// such record are an empty list and no error, and how long that holds (RFC 2308,
// section 5). An error means: could not be asked.
func (c *Client) Records(ctx context.Context, name string, kind uint16) ([]dns.RR, time.Duration, error) {
	if _, ok := dns.IsDomainName(name); !ok || name == "" {
		return nil, 0, nil // no such name can be
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	question := new(dns.Msg)
	question.SetQuestion(dns.Fqdn(name), kind)
	question.SetEdns0(1232, false)
	failed := errors.New("no resolver is configured")
	for _, server := range c.servers {
		question.Id = dns.Id()
		answer, err := exchange(ctx, question, server, patience/time.Duration(len(c.servers)))
		if err == nil {
			records, ttl := pick(answer, question.Question[0].Name, kind)
			return records, ttl, nil
		}
		failed = fmt.Errorf("asking %s for %s: %w", server, name, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, 0, failed
}

// exchange asks one server, again without EDNS if it is one that does not know
// that (RFC 6891, section 7). Only "here it is" and "no such name" are answers.
func exchange(ctx context.Context, question *dns.Msg, server string, wait time.Duration) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	answer, err := ask(ctx, "udp", question, server)
	if err == nil && (answer.Rcode == dns.RcodeFormatError || answer.Rcode == dns.RcodeNotImplemented) {
		question = question.Copy()
		question.Extra = nil
		answer, err = ask(ctx, "udp", question, server)
	}
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
	client := &dns.Client{Net: network, Timeout: patience}
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

// pick takes what belongs to the name out of an answer, following its aliases.
func pick(answer *dns.Msg, name string, kind uint16) (records []dns.RR, ttl time.Duration) {
	seconds := ^uint32(0)
	for range maxAliases {
		alias := ""
		for _, rr := range answer.Answer {
			h := rr.Header()
			if h.Class != dns.ClassINET || !strings.EqualFold(h.Name, name) {
				continue
			}
			if cname, ok := rr.(*dns.CNAME); ok {
				alias = cname.Target
			} else if h.Rrtype != kind || len(records) >= maxRecords {
				continue
			} else {
				records = append(records, rr)
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
