package decided

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/journal"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

const (
	reportExamples = 3
	reportTop      = 10
)

// Report makes a digest of what the journal has since then, which begins with a
// whole hour. Who makes it, and what else is known of the site, is for the caller
// to add.
func (d *Journal) Report(since time.Duration, now time.Time) *control.Report {
	r := &control.Report{From: now.Add(-since).UTC().Truncate(time.Hour), To: now.UTC().Truncate(time.Second)}
	outcomes, rescued, outgoing := map[string]uint64{}, map[string]uint64{}, map[string]uint64{}
	blocks, surges := map[string]uint64{}, map[string]uint64{}
	reasons := map[journal.Outcome]map[string]uint64{}
	for _, o := range journal.Outcomes() {
		reasons[o] = map[string]uint64{}
	}
	d.Flush()
	d.EachHour(r.From, now.Add(time.Hour), func(_ time.Time, k journal.Key, n uint64) {
		switch k.Event {
		case journal.EventOutgoing:
			outgoing[k.Reason] += n
		case journal.EventOutscatter:
			r.Backlash.Sent += n
		case journal.EventCallout:
			r.Backlash.Callouts += n
		case journal.EventBlock:
			blocks[k.Reason] += n
		case journal.EventSurge:
			surges[k.Reason] += n
		case journal.EventAlarm:
			r.Floods.Alarms += n
		case journal.EventTagRefused:
			r.Genuine += n
		case journal.EventVerdict:
			r.Verdicts += n
			outcomes[string(k.Outcome())] += n
			reasons[k.Outcome()][k.Reason] += n
			switch policy.Reason(k.Reason) {
			case policy.TagValid, policy.OriginProven:
				rescued[k.Origin] += n
			case policy.Flood:
				r.Floods.Verdicts += n
			}
		}
	})
	r.Outcomes, r.Rescued, r.Outgoing = tallies(outcomes), tallies(rescued), tallies(outgoing)
	r.Floods.Blocks, r.Floods.Surges, r.Floods.Hottest = tallies(blocks), tallies(surges), []control.HotKey{}
	r.Refused = d.judged(r.From, reasons, journal.Refused, journal.Deferred, journal.Held)
	r.Spared = d.judged(r.From, reasons, journal.Spared)
	r.Unproven = d.judged(r.From, reasons, journal.Marked)
	top := d.Top(r.From, reportTop)
	r.Clients, r.Targets = fromCounts(top.Networks), fromCounts(top.Recipients)
	stats := d.Stats()
	r.Lost, r.Broken = stats.Overflow, stats.Corrupt
	return r
}

// judged counts by reason what had one of the outcomes, with the latest of each.
func (d *Journal) judged(since time.Time, reasons map[journal.Outcome]map[string]uint64, outcomes ...journal.Outcome) []control.Judged {
	sums := map[string]uint64{}
	for _, o := range outcomes {
		for reason, n := range reasons[o] {
			sums[reason] += n
		}
	}
	all := []control.Judged{}
	for _, t := range tallies(sums) {
		j := control.Judged{Reason: t.Name, Count: t.Count, Examples: []control.Example{}}
		for _, o := range outcomes {
			for _, e := range d.Find(journal.Query{Reason: t.Name, Outcome: o, Since: since, Limit: reportExamples}).Entries {
				j.Examples = append(j.Examples, example(&e))
			}
		}
		slices.SortStableFunc(j.Examples, func(a, b control.Example) int { return b.At.Compare(a.At) })
		j.Examples = j.Examples[:min(len(j.Examples), reportExamples)]
		all = append(all, j)
	}
	return all
}

func example(e *journal.Entry) control.Example {
	client := "unknown"
	if e.Client.IsValid() {
		client = e.Client.String()
	}
	to := strings.Join(e.To[:min(len(e.To), reportExamples)], ", ")
	if len(e.To)+e.MoreTo > reportExamples {
		to += ", …"
	}
	return control.Example{At: e.At, ID: e.ID, Client: client, From: e.From, To: to, Action: e.Action, Class: e.Class, Evidence: e.Evidence}
}

// tallies lists counts, the largest first.
func tallies(counts map[string]uint64) []control.Tally {
	all := []control.Tally{}
	for name, n := range counts {
		all = append(all, control.Tally{Name: name, Count: n})
	}
	slices.SortFunc(all, func(a, b control.Tally) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Name, b.Name))
	})
	return all
}

func fromCounts(list []journal.Count) []control.Tally {
	all := []control.Tally{}
	for _, c := range list {
		all = append(all, control.Tally{Name: c.Name, Count: c.N})
	}
	return all
}
