package dnsbl

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	maxAliases = 8  // CNAMEs followed within an answer
	maxCodes   = 16 // kept of an answer; all are judged
)

// parse reads a reply to a question, which is the only one in it (RFC 5452,
// section 9.1; the id and the sender have been looked at).
func parse(packet []byte, question dns.Question) (*dns.Msg, error) {
	m := new(dns.Msg)
	if err := m.Unpack(packet); err != nil {
		return nil, fmt.Errorf("a malformed answer: %w", err)
	}
	if len(m.Question) != 1 || !m.Response || m.Opcode != dns.OpcodeQuery {
		return nil, errors.New("no answer to a question")
	}
	q := m.Question[0]
	if q.Qtype != question.Qtype || q.Qclass != question.Qclass || !strings.EqualFold(q.Name, question.Name) {
		return nil, fmt.Errorf("an answer to another question: %q", q.String())
	}
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		if name, ok := dns.RcodeToString[m.Rcode]; ok {
			return nil, errors.New(name)
		}
		return nil, fmt.Errorf("response code %d", m.Rcode)
	}
	return m, nil
}

// read gives what a reply says: the codes of listings, or none, and for how long
// that holds. With an error, codes are no listings.
func read(m *dns.Msg) (codes []netip.Addr, ttl time.Duration, err error) {
	codes, ttl, err = addresses(m)
	if err == nil {
		err = check(codes)
	}
	return codes, ttl, err
}

// addresses are the addresses that a reply gives to the name it was asked for,
// by aliases too, and how long it says they hold. None: there are none.
func addresses(m *dns.Msg) (list []netip.Addr, ttl time.Duration, err error) {
	name := m.Question[0].Name
	ttl = maxTTL
	for range maxAliases {
		found, alias, life := records(m.Answer, name)
		ttl = min(ttl, life)
		if len(found) > 0 && m.Rcode == dns.RcodeSuccess {
			return found, max(ttl, minTTL), nil
		}
		if alias == "" {
			life, err := absence(m, name)
			return nil, max(min(ttl, life), minTTL), err
		}
		name = alias
	}
	return nil, 0, errors.New("an answer whose aliases do not end")
}

// records picks what belongs to a name out of an answer section.
func records(section []dns.RR, name string) (list []netip.Addr, alias string, ttl time.Duration) {
	ttl = maxTTL
	for _, rr := range section {
		h := rr.Header()
		if h.Class != dns.ClassINET || !strings.EqualFold(h.Name, name) {
			continue
		}
		switch rr := rr.(type) {
		case *dns.A:
			if a, ok := netip.AddrFromSlice(rr.A); ok {
				list = append(list, a.Unmap())
				ttl = min(ttl, life(h.Ttl))
			}
		case *dns.CNAME:
			alias = rr.Target
			ttl = min(ttl, life(h.Ttl))
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list), alias, ttl
}

// absence is for how long a name has no address: the lesser of the TTL and the
// MINIMUM of the SOA record (RFC 2308, section 5).
func absence(m *dns.Msg, name string) (time.Duration, error) {
	referral := false
	for _, rr := range m.Ns {
		switch rr := rr.(type) {
		case *dns.SOA:
			if dns.IsSubDomain(rr.Hdr.Name, name) {
				return min(life(rr.Hdr.Ttl), life(rr.Minttl)), nil
			}
		case *dns.NS:
			referral = true
		}
	}
	switch {
	case m.Rcode == dns.RcodeNameError:
		return failureTTL, nil
	case referral && !m.Authoritative:
		return 0, errors.New("a referral: the server is not a resolver")
	case !strings.EqualFold(name, m.Question[0].Name):
		return 0, errors.New("an answer whose aliases lead nowhere")
	}
	return failureTTL, nil
}

// life is a TTL, of which half is too much to be true (RFC 2181, section 8).
func life(ttl uint32) time.Duration {
	if ttl > 1<<31-1 {
		return 0
	}
	return min(time.Duration(ttl)*time.Second, maxTTL)
}

// check finds an address that no list answers: RFC 5782, section 2.1, has them
// in 127.0.0.0/8, and lists agree to use 127.255.255.0/24 for errors.
func check(codes []netip.Addr) error {
	for _, code := range codes {
		switch o := code.As4(); {
		case o[0] != 127:
			return fmt.Errorf("the answer %s is none of a list: the zone is gone, or the resolver makes answers up", code)
		case o[1] == 255 && o[2] == 255:
			return fmt.Errorf("the answer %s means that the list refuses the question", code)
		}
	}
	return nil
}

// judge says what codes that passed check mean.
func (z Zone) judge(codes []netip.Addr) Status {
	for _, code := range codes {
		if len(z.Codes) == 0 || slices.Contains(z.Codes, code) {
			return Listed
		}
	}
	return NotListed
}
