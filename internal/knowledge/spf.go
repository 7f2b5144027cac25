package knowledge

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/spf"
)

// watchSPF reads the SPF records of our domains, soon after the start and then
// daily.
func (k *Site) watchSPF(ctx context.Context) {
	read := make(map[string]time.Time)
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		for _, s := range k.grace.All(k.now()) {
			if at, done := read[s.Domain]; done && k.now().Sub(at) < 24*time.Hour {
				continue
			}
			if k.readSPF(ctx, s.Domain) {
				read[s.Domain] = k.now()
			}
			if ctx.Err() != nil {
				return
			}
		}
		select {
		case <-tick.C:
		case <-k.reread:
			clear(read)
		case <-ctx.Done():
			return
		}
	}
}

// readSPF reports whether the record could be read, or there is none.
func (k *Site) readSPF(ctx context.Context, domain string) bool {
	servers, err := originResolvers(k.cfg.Load())
	if err != nil {
		k.failed("read SPF", err)
	}
	f := spf.Check(ctx, spf.NewDNS(servers...), domain, sendingNetworks(k.cfg.Load()))
	if f.Result == spf.NotRead {
		k.failed("read SPF", errors.Join(errors.New(domain), f.Err))
		return false
	}
	k.grace.SetSPF(domain, othersBySPF(f, k.cfg.Load().Domains.Empty()), k.now())
	return true
}

// othersBySPF names who else may send, "" for nobody. A domain that is only
// learned and has no SPF record may be somebody else's.
func othersBySPF(f spf.Finding, learned bool) string {
	if f.Result == spf.NoRecord && learned {
		return "anybody: it has no SPF record, and is not named in domains"
	}
	return strings.Join(f.Others, "; ")
}

// sendingNetworks are those that mail of this site may leave from: those named,
// and the addresses of this machine.
func sendingNetworks(cfg *config.Config) []netip.Prefix {
	networks := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	own, err := net.InterfaceAddrs()
	if err != nil { // what is named is left
		own = nil
	}
	for _, a := range own {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			networks = append(networks, netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
		}
	}
	for _, a := range cfg.PublicAddresses {
		networks = append(networks, netip.PrefixFrom(a, a.BitLen()))
	}
	return networks
}
