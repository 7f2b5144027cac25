package spf

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Limits of RFC 7208, section 4.6.4: terms that cause lookups, and names of one
// mx. maxOthers is how many findings are listed.
const (
	maxLookups = 10
	maxMX      = 10
	maxOthers  = 20
)

// Resolver asks the DNS. Names are without final dot. No such name and no such
// record are an empty list and no error; an error means: could not be asked.
type Resolver interface {
	TXT(ctx context.Context, name string) ([]string, error) // each with its strings joined
	IPs(ctx context.Context, name string) ([]netip.Addr, error)
	MX(ctx context.Context, name string) ([]string, error)
}

// Result is the answer in one word.
type Result uint8

// The results.
const (
	NotRead   Result = iota // the DNS could not be asked: nothing is known
	NoRecord                // there is no SPF record: nothing shows that others send
	Nobody                  // the record lets nobody but us send
	Elsewhere               // others may send, or it cannot be told
)

// String gives the name of the result.
func (r Result) String() string {
	return [...]string{"not read", "no record", "nobody else", "elsewhere"}[r]
}

// Finding is the answer.
type Finding struct {
	Result Result
	Record string   // the domain's record, "" where there is none or several
	Others []string // who else may send, each in plain words, the first 20
	Err    error    // with NotRead: why
}

// Text gives the finding in one plain sentence.
func (f Finding) Text() string {
	switch f.Result {
	case NoRecord:
		return "it has no SPF record"
	case Nobody:
		return "its SPF record lets nobody else send"
	case Elsewhere:
		return "its SPF record lets others send, or leaves it open: " + strings.Join(f.Others, "; ")
	}
	return fmt.Sprintf("its SPF record could not be read: %v", f.Err)
}

// Check reads the domain's record. Ours are the networks that mail of this site
// comes from.
func Check(ctx context.Context, r Resolver, domain string, ours []netip.Prefix) Finding {
	c := &checker{ctx: ctx, resolver: r, ours: unmapped(ours)}
	record, err := c.record(domain)
	switch {
	case errors.Is(err, errNone):
		return Finding{Result: NoRecord}
	case err == nil:
		err = c.read(domain, record, "")
	}
	f := Finding{Record: record}
	switch {
	case errors.As(err, new(*recordError)):
		c.other("", err.Error())
	case err != nil && len(c.others) == 0:
		return Finding{Result: NotRead, Record: record, Err: err}
	}
	f.Result, f.Others = Nobody, c.others
	if len(f.Others) > 0 {
		f.Result = Elsewhere
	}
	return f
}

// errNone: there is no SPF record.
var errNone = errors.New("there is no SPF record")

// recordError: the record, or one that it includes, is in error (RFC 7208,
// section 2.6.7, "permerror").
type recordError struct{ text string }

func (e *recordError) Error() string { return e.text }

func broken(format string, args ...any) error { return &recordError{fmt.Sprintf(format, args...)} }

// checker reads one domain's record and those that it includes.
type checker struct {
	ctx      context.Context
	resolver Resolver
	ours     []netip.Prefix
	lookups  int
	path     []string // domains being read, to find loops
	others   []string
}

// other notes somebody else who may send; where is the chain of includes.
func (c *checker) other(where, what string) {
	if where != "" {
		what = where + ": " + what
	}
	if len(c.others) < maxOthers && !slices.Contains(c.others, what) {
		c.others = append(c.others, what)
	}
}

// record finds the one SPF record of a domain (RFC 7208, section 4.5).
func (c *checker) record(domain string) (string, error) {
	all, err := c.resolver.TXT(c.ctx, domain)
	if err != nil {
		return "", err
	}
	var found []string
	for _, txt := range all {
		if version, _, _ := strings.Cut(txt, " "); strings.EqualFold(version, "v=spf1") {
			found = append(found, txt)
		}
	}
	switch len(found) {
	case 0:
		return "", errNone
	case 1:
		return found[0], nil
	}
	return "", broken("%s has %d SPF records", domain, len(found))
}

// read notes everybody whom the record of the domain lets send.
func (c *checker) read(domain, record, where string) error {
	if slices.Contains(c.path, domain) {
		return broken("%s includes itself", domain)
	}
	c.path = append(c.path, domain)
	defer func() { c.path = c.path[:len(c.path)-1] }()
	terms, redirect, err := parse(record)
	if err != nil {
		return fmt.Errorf("%w in the record of %s", err, domain)
	}
	for _, t := range terms {
		if t.name == "all" {
			if t.qualifier == '+' {
				c.other(where, "anybody ("+t.text+")")
			}
			return nil // what follows is never reached, redirect included
		}
		if t.qualifier == '+' || t.qualifier == '?' {
			if err := c.term(t, domain, where); err != nil {
				return err
			}
		} else if t.lookup() {
			if err := c.count(); err != nil {
				return err
			}
		}
	}
	if redirect == "" {
		return nil
	}
	return c.include(redirect, where, "redirect="+redirect)
}

func (c *checker) count() error {
	if c.lookups++; c.lookups > maxLookups {
		return broken("more than %d DNS lookups are needed for the record", maxLookups)
	}
	return nil
}

// term notes whom a mechanism lets send.
func (c *checker) term(t term, domain, where string) error {
	if t.lookup() {
		if err := c.count(); err != nil {
			return err
		}
	}
	name := t.domain
	if name == "" {
		name = domain
	}
	switch {
	case t.name == "ip4" || t.name == "ip6":
		c.network(t.network, where, t.text)
	case t.name == "exists" || t.name == "ptr" || strings.Contains(name, "%"):
		c.other(where, t.text+", of which cannot be told whom it means")
	case t.name == "a":
		return c.hosts(name, t, where)
	case t.name == "mx":
		return c.exchangers(name, t, where)
	case t.name == "include":
		c.lookups-- // counted there
		return c.include(name, where, t.text)
	}
	return nil
}

func (c *checker) include(domain, where, text string) error {
	if err := c.count(); err != nil {
		return err
	}
	if strings.Contains(domain, "%") {
		c.other(where, text+", of which cannot be told whom it means")
		return nil
	}
	record, err := c.record(domain)
	if errors.Is(err, errNone) { // RFC 7208, sections 5.2 and 6.1
		return broken("%s, where there is no SPF record", text)
	}
	if err != nil {
		return err
	}
	if where != "" {
		text = where + ", " + text
	}
	return c.read(domain, record, text)
}

func (c *checker) hosts(name string, t term, where string) error {
	ips, err := c.resolver.IPs(c.ctx, name)
	if err != nil {
		return err
	}
	for _, ip := range ips {
		ip = ip.Unmap()
		bits := t.bits4
		if ip.Is6() {
			bits = t.bits6
		}
		p, err := ip.Prefix(bits)
		if err != nil {
			return broken("%s: %v", t.text, err)
		}
		c.network(p, where, t.text)
	}
	return nil
}

func (c *checker) exchangers(name string, t term, where string) error {
	names, err := c.resolver.MX(c.ctx, name)
	if err != nil {
		return err
	}
	if len(names) > maxMX {
		return broken("%s: more than %d exchangers", t.text, maxMX)
	}
	for _, mx := range names {
		if err := c.hosts(mx, t, where); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) network(p netip.Prefix, where, text string) {
	if covered(p, c.ours) {
		return
	}
	what := p.String()
	if p.IsSingleIP() {
		what = p.Addr().String()
	}
	if !strings.HasPrefix(strings.TrimLeft(strings.ToLower(text), "+?"), "ip") {
		what += " (" + text + ")"
	}
	c.other(where, what)
}

// covered reports whether every address of p lies in one of the networks.
func covered(p netip.Prefix, networks []netip.Prefix) bool {
	inside := networks[:0:0]
	for _, n := range networks {
		if n.Bits() <= p.Bits() && n.Contains(p.Addr()) {
			return true
		}
		if p.Contains(n.Addr()) {
			inside = append(inside, n)
		}
	}
	if len(inside) == 0 || p.IsSingleIP() {
		return false
	}
	low, high := halves(p)
	return covered(low, inside) && covered(high, inside)
}

func halves(p netip.Prefix) (low, high netip.Prefix) {
	low = netip.PrefixFrom(p.Masked().Addr(), p.Bits()+1)
	octets := low.Addr().AsSlice()
	octets[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	addr, _ := netip.AddrFromSlice(octets)
	return low, netip.PrefixFrom(addr, p.Bits()+1)
}

// unmapped turns v4-mapped networks into IPv4 ones.
func unmapped(networks []netip.Prefix) []netip.Prefix {
	var list []netip.Prefix
	for _, n := range networks {
		if n.Addr().Is4In6() && n.Bits() >= 96 {
			n = netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-96)
		}
		list = append(list, n.Masked())
	}
	return list
}
