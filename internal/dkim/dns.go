package dkim

import (
	"context"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/backscatter-milter/backscatter-milter/internal/dnsquery"
)

// DNS is a Resolver that asks recursive servers.
type DNS struct{ client *dnsquery.Client }

// NewDNS asks the given servers, each "host:port", at most three.
func NewDNS(servers ...string) *DNS { return &DNS{dnsquery.New(servers...)} }

// TXT implements Resolver. Of many records of one name the first ten count.
func (d *DNS) TXT(ctx context.Context, name string) (records []string, ttl time.Duration, err error) {
	list, ttl, err := d.client.Records(ctx, name, dns.TypeTXT)
	for _, rr := range list[:min(len(list), maxTexts)] {
		if txt, ok := rr.(*dns.TXT); ok {
			records = append(records, strings.Join(txt.Txt, ""))
		}
	}
	return records, ttl, err
}
