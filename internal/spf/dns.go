package spf

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/backscatter-milter/backscatter-milter/internal/dnsquery"
)

// DNS is a Resolver that asks recursive servers.
type DNS struct{ client *dnsquery.Client }

// NewDNS asks the given servers, each "host:port", at most three.
func NewDNS(servers ...string) *DNS { return &DNS{dnsquery.New(servers...)} }

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

// lookup shows the records of one type that a name has.
func (d *DNS) lookup(ctx context.Context, name string, kind uint16, show func(dns.RR)) error {
	list, _, err := d.client.Records(ctx, name, kind)
	for _, rr := range list {
		show(rr)
	}
	return err
}
