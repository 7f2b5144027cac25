package control

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// ReportSpan is what a report is asked for with.
type ReportSpan struct {
	Since time.Duration `json:"since"` // how long before now it begins
}

// Report is a digest of a period. What has no figures of the period is as it is
// at its end.
type Report struct {
	Version string    `json:"version"`
	Host    string    `json:"host"`
	From    time.Time `json:"from"` // a full hour
	To      time.Time `json:"to"`
	Daemon  bool      `json:"daemon"` // it was there to be asked; else the store was

	Verdicts uint64     `json:"verdicts"`
	Outcomes []Tally    `json:"outcomes"` // verdicts by what became of the mail
	Refused  []Judged   `json:"refused"`  // refused, deferred or held (quarantined, discarded), by reason
	Spared   []Judged   `json:"spared"`   // what would have been, but for mode = "monitor"
	Unproven []Judged   `json:"unproven"` // delivered and marked, by reason
	Rescued  []Tally    `json:"rescued"`  // accepted on proof, by what proves it
	Floods   Floods     `json:"floods"`
	Clients  []Tally    `json:"clients"`    // networks that most that is not proven came from
	Targets  []Tally    `json:"recipients"` // that most of it was for
	Outgoing []Tally    `json:"outgoing"`   // messages of ours by what became of their reverse-path
	Backlash Outscatter `json:"outscatter"`
	Genuine  uint64     `json:"tags_refused"` // genuine bounces that the MTA refused

	Listed []Listed      `json:"listed"` // lists that have addresses of ours; null where they were not asked
	Zones  []Zone        `json:"zones"`
	Known  []KnownDomain `json:"domains"`
	Store  Store         `json:"store"`
	Shared *Shared       `json:"shared"`     // null where the store is this host's alone, or nobody was asked
	Lost   uint64        `json:"lost"`       // decisions since the start that are in no figure
	Broken uint64        `json:"unreadable"` // records of decisions and counts, at the start
}

// Floods is what the flood control did.
type Floods struct {
	Verdicts uint64   `json:"verdicts"` // on what was blocked, or came in a surge
	Blocks   []Tally  `json:"blocks"`   // that began, by what was blocked
	Surges   []Tally  `json:"surges"`   // that began, by what had one
	Alarms   uint64   `json:"alarms"`   // of many proven bounces for one sender
	Hottest  []HotKey `json:"hottest"`  // blocked, in a surge or alarmed about at the end; addresses as the log shows them
}

// Tally is how often something was.
type Tally struct {
	Name  string `json:"name"`
	Count uint64 `json:"count"`
}

// Judged is how often a reason decided, and the latest of it.
type Judged struct {
	Reason   string    `json:"reason"`
	Count    uint64    `json:"count"`
	Examples []Example `json:"examples"`
}

// Example is one decision; addresses as the log shows them.
type Example struct {
	At       time.Time `json:"time"`
	ID       string    `json:"id"`
	Client   string    `json:"client"`
	From     string    `json:"from"`
	To       string    `json:"to"`
	Action   string    `json:"action"`
	Class    string    `json:"class"`
	Evidence string    `json:"evidence"`
}

// Outscatter is what shows of our own site's behaviour.
type Outscatter struct {
	Sent     uint64 `json:"sent"`     // bounces of our own MTA's to addresses elsewhere
	Callouts uint64 `json:"callouts"` // sites that asked whether a sender exists
}

// Listed is a DNS list that has addresses of ours.
type Listed struct {
	Zone  string `json:"zone"`
	Count int    `json:"count"`
}

const minuteUTC = "2006-01-02 15:04 UTC"

// Subject is the report in a line.
func (r *Report) Subject() string {
	of := map[string]uint64{}
	for _, o := range r.Outcomes {
		of[o.Name] = o.Count
	}
	return fmt.Sprintf("backscatter at %s: %d of %d notifications refused, %d deferred, %d held", r.Host, of["refused"], r.Verdicts, of["deferred"], of["held"])
}

// Write writes the report for people.
func (r *Report) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s\n\nfrom %s to %s", r.Subject(), r.From.UTC().Format(minuteUTC), r.To.UTC().Format(minuteUTC))
	if !r.Daemon {
		fmt.Fprint(t, "\nno daemon runs: this is from its record")
	}
	fmt.Fprintln(t)
	tallies(t, "What became of notifications", r.Outcomes)
	judged(t, "Refused, deferred or held, by reason", r.Refused)
	judged(t, "Would have been refused, were the mode not monitor", r.Spared)
	tallies(t, "Rescued: proven ours, and delivered", r.Rescued)
	judged(t, "Not proven, delivered and marked", r.Unproven)
	r.Floods.write(t)
	tallies(t, "Networks that brought most that is not proven", r.Clients)
	tallies(t, "Recipients that most of it was for", r.Targets)
	tallies(t, "Our own mail, signed or why not", r.Outgoing)
	r.writeOurselves(t)
	r.writeGrace(t)
	return t.Flush()
}

func tallies(w io.Writer, title string, list []Tally) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", title)
	for _, c := range list {
		fmt.Fprintf(w, "  %s\t%d\n", c.Name, c.Count)
	}
}

func judged(w io.Writer, title string, list []Judged) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", title)
	for _, j := range list {
		fmt.Fprintf(w, "  %s\t%d\n", j.Reason, j.Count)
		for _, e := range j.Examples {
			fmt.Fprintf(w, "    %s %s for %s from %s (%s; %s)\n", e.At.UTC().Format("01-02 15:04:05"), e.Action, e.To, e.Client, e.Class, e.ID)
		}
	}
}
