// Package decided is the journal of decisions as the daemon fills it with
// verdicts, and the digest of a period that report prints. What it keeps, and
// how, is internal/journal's affair.
package decided

import (
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/journal"
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
	"github.com/backscatter-milter/backscatter-milter/internal/store"
)

// Journal is the journal of decisions as the daemon fills it.
type Journal struct {
	*journal.Journal
	now func() time.Time
}

// Options say where a journal is kept.
type Options struct {
	Store    *store.Store // nil: it is kept in memory
	ReadOnly bool         // by a command, beside no daemon
	Now      func() time.Time
	Failed   func(what string, err error) // is told what goes wrong
}

// Open opens the journal in the store. It never fails: what cannot be read is
// left out.
func Open(o Options) *Journal {
	jo := journal.Options{Now: o.Now, ReadOnly: o.ReadOnly, Report: func(err error) { o.Failed("journal", err) }}
	if o.Store != nil {
		jo.Store = journal.File(o.Store)
	}
	j, err := journal.Open(jo)
	if err != nil {
		o.Failed("read the journal of decisions", err)
	}
	return &Journal{Journal: j, now: o.Now}
}

// Verdict keeps a verdict; addresses as the log shows them.
func (d *Journal) Verdict(r policy.Record, log *maillog.Log) {
	v := r.Verdict
	named := r.To[:min(len(r.To), journal.MaxTo)]
	to := make([]string, len(named))
	for i, address := range named {
		to[i] = log.Address(address)
	}
	d.Add(journal.Entry{
		At: d.now(), ID: r.ID, QueueID: r.QueueID, Client: r.Client,
		From: log.Address(r.From), To: to, MoreTo: len(r.To) - len(to),
		Stage: v.Stage.String(), Action: string(v.Action), Reason: string(v.Reason),
		Class: v.Class(), Origin: v.Origin(), Evidence: v.Evidence(),
		Enforced: v.Enforced, Took: r.Took,
	})
}

// Sent counts a message of ours by what became of its reverse-path.
func (d *Journal) Sent(result string) { d.Count(journal.EventOutgoing, result) }

// Callout counts a site that asked whether a sender exists.
func (d *Journal) Callout() { d.Count(journal.EventCallout, "") }

// Outscatter counts a bounce of our own MTA to an address elsewhere.
func (d *Journal) Outscatter() { d.Count(journal.EventOutscatter, "") }

// Figures are those of the metrics: how many decisions are kept, and by cause
// how many are not.
func (d *Journal) Figures() (kept int, missing map[string]uint64) {
	s := d.Stats()
	return s.Entries, map[string]uint64{"skipped": s.Skipped, "overflow": s.Overflow, "unsaved": uint64(s.Unsaved), "corrupt": s.Corrupt}
}

// Status is for status.
func (d *Journal) Status() control.Journal {
	s := d.Stats()
	return control.Journal{Entries: s.Entries, Octets: s.Octets, Skipped: s.Skipped, Lost: s.Overflow, Unsaved: uint64(s.Unsaved), Corrupt: s.Corrupt}
}
