package knowledge

import (
	"slices"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/grace"
	"github.com/backscatter-milter/backscatter-milter/internal/probe"
)

// Status tells of each domain what is known of it.
func (k *Site) Status(cfg *config.Config, now time.Time) []control.KnownDomain {
	probed := make(map[string]probe.Finding)
	unsigned := make(map[string]bool)
	for _, f := range k.prober.Findings() {
		probed[f.Domain], unsigned[f.Domain] = f, true
	}
	list := k.grace.All(now)
	for _, s := range list {
		delete(unsigned, s.Domain)
	}
	for domain := range unsigned { // the MTA has been asked, and nothing signed since
		list = append(list, k.grace.Status(domain, now))
	}
	byName := func(a, b grace.Status) int { return strings.Compare(a.Domain, b.Domain) }
	slices.SortFunc(list, byName)
	list = k.withNamed(list[:min(len(list), control.MaxNames)], cfg, now)
	slices.SortFunc(list, byName)
	known := []control.KnownDomain{}
	for _, s := range list {
		f := probed[s.Domain]
		d := control.KnownDomain{
			Domain:        s.Domain,
			Ours:          s.Learned || cfg.Domains.Match(s.Domain),
			Strict:        s.Signing.Strict,
			Missing:       append([]string{}, s.Signing.Missing...),
			ByRecord:      s.Recording.Strict,
			MissingRecord: append([]string{}, s.Recording.Missing...),
			Layout:        f.Layout.String(),
			CatchAll:      f.CatchAll,
			Reply:         f.Reply,
			Since:         s.Signing.Since,
			Days:          s.Signing.Days,
			Gaps:          gaps(s.Signing.Gaps),
		}
		if f.Err != "" {
			d.Reply = f.Err
		}
		known = append(known, d)
	}
	return known
}

// withNamed adds the domains that the configuration names and that had no mail
// yet, as far as there is room.
func (k *Site) withNamed(list []grace.Status, cfg *config.Config, now time.Time) []grace.Status {
	has := make(map[string]bool, len(list))
	for _, s := range list {
		has[s.Domain] = true
	}
	for _, name := range cfg.Domains.List() {
		if len(list) == control.MaxNames {
			break
		}
		if !strings.HasPrefix(name, "*.") && !has[name] {
			list = append(list, k.grace.Status(name, now))
		}
	}
	return list
}

func gaps(list []grace.Gap) []control.Gap {
	all := []control.Gap{}
	for _, g := range list {
		all = append(all, control.Gap{From: g.From, To: g.To, Why: g.Why})
	}
	return all
}

// StoreStatus tells how the record is kept.
func (k *Site) StoreStatus() control.Store {
	if k.store == nil {
		return control.Store{}
	}
	s := k.store.Stats()
	status := control.Store{Path: k.store.Path(), Queued: s.Queued, Dropped: s.Overflows, Failures: s.Failures}
	if s.LastError != nil {
		status.Error = s.LastError.Error()
	}
	return status
}

// Strictness gives the strict domains and those that are not, for metrics.
func (k *Site) Strictness(now time.Time) map[string]bool {
	strict := make(map[string]bool)
	for _, s := range k.grace.All(now) {
		strict[s.Domain] = s.Signing.Strict
	}
	return strict
}

// StoreFailures counts writes that failed and records that found no room.
func (k *Site) StoreFailures() int64 {
	if k.store == nil {
		return 0
	}
	s := k.store.Stats()
	return s.Failures + s.Overflows
}
