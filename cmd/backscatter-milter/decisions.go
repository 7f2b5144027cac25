package main

import (
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/admin"
	"github.com/backscatter-milter/backscatter-milter/internal/control"
	decisions "github.com/backscatter-milter/backscatter-milter/internal/journal"
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// decided is the journal of decisions as the daemon fills it.
type decided struct {
	*decisions.Journal
	now func() time.Time
}

// openDecided opens the journal in the store. Where that cannot be had it is kept
// in memory.
func (k *knowledge) openDecided(use access) *decided {
	o := decisions.Options{Now: k.now, ReadOnly: use == readOnly, Report: func(err error) { k.failed("journal", err) }}
	if k.store != nil {
		o.Store = decisions.File(k.store)
	}
	j, err := decisions.Open(o)
	if err != nil {
		k.failed("read store", err)
	}
	return &decided{Journal: j, now: k.now}
}

// add keeps a verdict; addresses as the log shows them.
func (d *decided) add(r policy.Record, log *maillog.Log) {
	v := r.Verdict
	named := r.To[:min(len(r.To), decisions.MaxTo)]
	to := make([]string, len(named))
	for i, address := range named {
		to[i] = log.Address(address)
	}
	d.Add(decisions.Entry{
		At: d.now(), ID: r.ID, QueueID: r.QueueID, Client: r.Client,
		From: log.Address(r.From), To: to, MoreTo: len(r.To) - len(to),
		Stage: v.Stage.String(), Action: string(v.Action), Reason: string(v.Reason),
		Class: v.Class(), Origin: v.Origin(), Evidence: v.Evidence(),
		Enforced: v.Enforced, Took: r.Took,
	})
}

// sent counts a message of ours by what became of its reverse-path.
func (d *decided) sent(result string) { d.Count(decisions.EventOutgoing, result) }

func (d *decided) callout() { d.Count(decisions.EventCallout, "") }

func (d *decided) outscatter() { d.Count(decisions.EventOutscatter, "") }

// blocks tells the page what is blocked; addresses as the log shows them.
func (d *daemon) blocks() []admin.Block {
	blocks := []admin.Block{}
	for _, h := range d.floods.Hottest(maxShownBlocks) {
		if !h.Blocked {
			continue
		}
		key := strings.TrimPrefix(h.Name, h.Kind.String()+" ")
		switch {
		case strings.Contains(key, "@"):
			key = d.live.Log().Address(key)
		case h.Subject != "":
			key = strings.Fields(key)[0] + ": " + h.Subject
		}
		blocks = append(blocks, admin.Block{Kind: h.Kind.String(), Key: decisions.Visible(key), Until: h.Until, Count: uint64(h.Refused)})
	}
	return blocks
}

const maxShownBlocks = 100

// figures are those of the metrics.
func (d *decided) figures() (kept int, missing map[string]uint64) {
	s := d.Stats()
	return s.Entries, map[string]uint64{"skipped": s.Skipped, "overflow": s.Overflow, "unsaved": uint64(s.Unsaved), "corrupt": s.Corrupt}
}

func (d *decided) status() control.Journal {
	s := d.Stats()
	return control.Journal{Entries: s.Entries, Octets: s.Octets, Skipped: s.Skipped, Lost: s.Overflow, Unsaved: uint64(s.Unsaved), Corrupt: s.Corrupt}
}
