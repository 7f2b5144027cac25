package knowledge

import (
	"time"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/dkim"
	"github.com/backscatter-milter/backscatter-milter/internal/dnsbl"
	"github.com/backscatter-milter/backscatter-milter/internal/ledger"
	"github.com/backscatter-milter/backscatter-milter/internal/origin"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
	"github.com/backscatter-milter/backscatter-milter/internal/problem"
)

// openLedger opens the record of what was sent. Where the store cannot be had
// it is kept in memory, and covers nothing from before.
func (k *Site) openLedger(cfg *config.Config) *ledger.Ledger {
	var kept ledger.Store
	if k.store != nil {
		kept = ledger.File(k.store, k.now)
	}
	l, err := ledger.Open(ledger.Options{
		Store: kept, Now: k.now, Lifetime: cfg.Origin.Ledger,
		Report: func(err error) { k.failed("ledger", err) },
	})
	if err != nil {
		k.failed("read store", err)
	}
	return l
}

// record is the ledger as origins ask it. It covers no time in which hands were
// off a domain, of which the ledger itself does not know.
type record struct {
	*ledger.Ledger
	known *Site
}

func (k *Site) record() record { return record{k.ledger, k} }

// Covers is Ledger.Covers.
func (r record) Covers(domain string, t time.Time) bool {
	if !r.Ledger.Covers(domain, t) {
		return false
	}
	for _, gap := range r.known.grace.Status(domain, r.known.now()).Recording.Gaps {
		if !t.Before(gap.From.Add(-ledger.Skew)) && !t.After(gap.To.Add(ledger.Skew)) {
			return false
		}
	}
	return true
}

// Finder makes what finds out whether originals are ours under the settings.
func (k *Site) Finder(cfg *config.Config) (*origin.Finder, error) {
	o := origin.Options{
		Record: k.record(), Ours: k.isOurs(cfg), Host: HostName(), Relays: cfg.OurRelays,
		Lifetime: cfg.Origin.Ledger,
	}
	if cfg.Origin.DKIM {
		keys, err := dkim.ReadKeys(cfg.Origin.DKIMKeys)
		if err != nil {
			return nil, problem.WithHint(err, "origin.dkim_keys names files that hold a key's DNS record")
		}
		resolvers, err := originResolvers(cfg)
		if err != nil {
			k.live.Log().Warn("DNS servers", "error", err)
		}
		o.Keys = dkim.Static{Keys: keys, Next: dkim.NewCache(dkim.NewDNS(resolvers...), k.now)}
	}
	return origin.New(o), nil
}

// originResolvers are the servers that are asked for DKIM keys and SPF: those that
// are configured, or else the system's. An error says what is odd about these.
func originResolvers(cfg *config.Config) ([]string, error) {
	if servers := cfg.Origin.Resolvers; len(servers) > 0 {
		return servers, nil
	}
	return dnsbl.SystemResolvers(dnsbl.ResolvConf)
}

// isOurs reports whether a domain is named as ours, or where none are named has
// been learned.
func (k *Site) isOurs(cfg *config.Config) func(domain string) bool {
	if cfg.Domains.Empty() {
		return k.grace.Ours
	}
	return cfg.Domains.Match
}

// remember enters a message that left into the record.
func (k *Site) remember(e policy.Entry) {
	now := k.now()
	if e.Sender == "" && e.From == "" {
		return
	}
	k.ledger.Record(e)
	for _, address := range []string{e.Sender, e.From} {
		if address != "" {
			k.grace.Recorded(domainOf(address), now)
		}
	}
}

// lossy notes a gap in the recording of every domain where the ledger has lost
// entries since this was last asked.
func (k *Site) lossy() {
	s := k.ledger.Stats()
	lost := s.Overflows + s.Refused + s.StoreLost + s.Dropped + s.Damaged
	if lost == k.ledgerLost.Swap(lost) {
		return
	}
	now := k.now()
	for _, d := range k.grace.All(now) {
		k.grace.Unrecorded(d.Domain, "the record of sent mail lost entries", now)
	}
}

// StrictByRecord reports whether it means something for a domain that the
// record has nothing.
func (k *Site) StrictByRecord(domain string) bool {
	return k.grace.StrictByRecord(domain, k.now())
}

// Judged learns from a verdict.
func (k *Site) Judged(v policy.Verdict) {
	if domain, what := v.Elsewhere(); what != "" {
		k.grace.SendsElsewhere(domain, what, k.now())
	}
}

// LedgerStatus tells how the record of sent mail is kept.
func (k *Site) LedgerStatus() control.Ledger {
	s := k.ledger.Stats()
	l := control.Ledger{Entries: s.Entries, Days: len(s.Days), Octets: s.Octets, Lost: s.Overflows + s.StoreLost, Gaps: []control.Gap{}}
	const latest = 10
	gaps := k.ledger.Gaps()
	for _, g := range gaps[max(0, len(gaps)-latest):] {
		l.Gaps = append(l.Gaps, control.Gap{From: g.From, To: g.To, Why: g.Why})
	}
	return l
}
