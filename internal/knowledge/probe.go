package knowledge

import (
	"context"
	"crypto/rand"
	"net"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
	"github.com/backscatter-milter/backscatter-milter/internal/probe"
)

// signsAuto reports whether the domain is signed for as the MTA is found to take
// it.
func (k *Site) signsAuto(domain string) bool {
	cfg := k.cfg.Load()
	for _, d := range cfg.DomainSettings {
		if d.BATV.Sign != "" && config.FoldDomain(d.Name) == config.FoldDomain(domain) {
			return d.BATV.Sign == config.SignAuto
		}
	}
	return cfg.BATV.Sign == config.SignAuto
}

// TagRefused stops signing for a domain whose genuine bounces the MTA refuses,
// until the MTA has been asked again, and reports whether that is news: our own
// probe asks for such users, too.
func (k *Site) TagRefused(recipient string) bool {
	domain := config.FoldDomain(domainOf(recipient))
	if k.prober.IsOwn(recipient) || !k.prober.Layout(domain).Signs() && k.signsAuto(domain) {
		return false
	}
	k.prober.Refused(domain, "a genuine bounce was refused as for an unknown user")
	return true
}

// probeDialer calls the MTA that is to be asked by the settings now in force.
type probeDialer struct{ *Site }

func (k probeDialer) DialContext(ctx context.Context, network, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, k.cfg.Load().BATV.Probe)
}

// query makes the question whether tagged forms of a sender come home, in the
// layouts that the configuration leaves open. They are signed as of tomorrow:
// valid today, by the day of skew, but on no message in the world.
func (k *Site) query(sender string, now time.Time) (probe.Query, bool) {
	cfg := k.cfg.Load()
	scheme := policy.Scheme(cfg, k.keys.Load())
	random := "nobody-" + strings.ToLower(rand.Text()[:12]) + "@" + domainOf(sender)
	sign := func(layout batv.Layout, address string) string {
		if cfg.BATV.Layout != config.LayoutAuto && scheme.Layout != layout {
			return ""
		}
		s := scheme
		s.Layout = layout
		tagged, err := s.Sign(address, now.AddDate(0, 0, 1))
		if err != nil {
			return ""
		}
		return tagged
	}
	q := probe.Query{
		PRVS: sign(batv.LayoutPRVS, sender), Subaddress: sign(batv.LayoutSubaddress, sender),
		RandomPRVS: sign(batv.LayoutPRVS, random), RandomSubaddress: sign(batv.LayoutSubaddress, random),
		Plain: sender,
	}
	return q, q.PRVS != "" || q.Subaddress != ""
}

// probed logs an answer of the MTA.
func (k *Site) probed(domain string, r probe.Result) {
	log := k.live.Log()
	switch {
	case r.Err != nil:
		log.Warn("could not find out whether tagged recipients come home", "domain", domain, "error", r.Err)
	case !r.Layout.Signs():
		log.Warn("the MTA refuses tagged recipients: nothing is signed", "domain", domain, "reply", r.Reply)
	default:
		log.Info("tagged recipients come home", "domain", domain, "layout", r.Layout.String(), "catch-all", r.CatchAll)
	}
}
