package daemon

import (
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/control"
)

// status tells what the daemon does.
func (d *daemon) status(now time.Time) *control.Status {
	current := d.current()
	cfg := current.cfg
	names := cfg.Domains.List()
	s := &control.Status{
		Version: d.version,
		Started: d.started.UTC().Truncate(time.Second),
		Now:     now.UTC().Truncate(time.Second),
		Config:  current.from,
		Mode:    string(cfg.Mode),
		Stage:   string(cfg.Stage),

		Listeners:      []string{},
		Connections:    d.server.Connections(),
		MaxConnections: d.begun.MaxConnections,
		Domains:        control.Domains{Count: len(names), Names: append([]string{}, names[:min(control.MaxNames, len(names))]...)},
		Signing:        control.Signing{Sign: string(cfg.BATV.Sign), Results: d.metrics.SignedResults()},
		Verdicts:       []control.Verdict{},
		KeyFile:        current.keyFile,
		Keys:           keyStates(current, now),
		Reload:         d.reloaded.Load(),
		Known:          d.known.Status(cfg, now),
		Store:          d.known.StoreStatus(),
		Zones:          d.lists.status(),
		Ledger:         d.known.LedgerStatus(),
		Journal:        d.decided.Status(),
		Floods:         d.floodStatus(),
		Shared:         d.sharing.Status(),
		Abroad:         d.known.Abroad(now).UTC(),
	}
	for _, l := range d.mail {
		s.Listeners = append(s.Listeners, mtaAddress(l.Addr()))
	}
	for _, c := range d.metrics.Verdicts() {
		s.Verdicts = append(s.Verdicts, control.Verdict{
			Stage: c.Labels["stage"], Action: c.Labels["action"], Reason: c.Labels["reason"],
			Enforced: c.Labels["enforced"] == "true", Count: c.Value,
		})
	}
	return s
}
