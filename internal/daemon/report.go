package daemon

import (
	"encoding/json"

	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/knowledge"
)

// report answers the command.
func (d *daemon) report(args json.RawMessage) (any, error) {
	var span control.ReportSpan
	if err := json.Unmarshal(args, &span); err != nil {
		return nil, err
	}
	now := d.now()
	r := d.decided.Report(span.Since, now)
	r.Version, r.Host, r.Daemon = d.version, knowledge.HostName(), true
	r.Known, r.Store, r.Zones = d.known.Status(d.current().cfg, now), d.known.StoreStatus(), d.lists.status()
	r.Shared, r.Floods.Hottest = d.sharing.Status(), d.hottest()
	if len(d.current().cfg.PublicAddresses) > 0 && len(r.Zones) > 0 {
		r.Listed = []control.Listed{}
	}
	for _, z := range r.Zones {
		if z.Own > 0 {
			r.Listed = append(r.Listed, control.Listed{Zone: z.Zone, Count: z.Own})
		}
	}
	return r, nil
}
