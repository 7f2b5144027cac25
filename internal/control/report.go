package control

import (
	"fmt"
	"io"
	"strings"
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
	Outcomes []Tally    `json:"outcomes"`   // verdicts by what became of the mail
	Refused  []Judged   `json:"refused"`    // refused, deferred, quarantined or discarded, by reason
	Spared   []Judged   `json:"spared"`     // what would have been, but for mode = "monitor"
	Unproven []Judged   `json:"unproven"`   // delivered and marked, by reason
	Rescued  []Tally    `json:"rescued"`    // accepted on proof, by what proves it
	Floods   uint64     `json:"floods"`     // verdicts on what was blocked
	Clients  []Tally    `json:"clients"`    // networks that most that is not proven came from
	Targets  []Tally    `json:"recipients"` // that most of it was for
	Outgoing []Tally    `json:"outgoing"`   // messages of ours by what became of their reverse-path
	Backlash Outscatter `json:"outscatter"`

	Listed []Listed      `json:"listed"` // lists that have addresses of ours; null where they were not asked
	Zones  []Zone        `json:"zones"`
	Known  []KnownDomain `json:"domains"`
	Store  Store         `json:"store"`
	Lost   uint64        `json:"lost"` // decisions since the start that are in no figure
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
	refused := uint64(0)
	for _, j := range r.Refused {
		refused += j.Count
	}
	return fmt.Sprintf("backscatter at %s: %d of %d notifications refused", r.Host, refused, r.Verdicts)
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
	judged(t, "Refused, by reason", r.Refused)
	judged(t, "Would have been refused, were the mode not monitor", r.Spared)
	tallies(t, "Rescued: proven ours, and delivered", r.Rescued)
	judged(t, "Not proven, delivered and marked", r.Unproven)
	if r.Floods > 0 {
		fmt.Fprintf(t, "\nFloods\n  %d notifications came while their source or recipient was blocked\n", r.Floods)
	}
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

func (r *Report) writeOurselves(w io.Writer) {
	fmt.Fprintf(w, "\nOurselves\n")
	switch {
	case r.Listed == nil:
		fmt.Fprintf(w, "  DNS lists were not asked about our own addresses\n")
	case len(r.Listed) == 0:
		fmt.Fprintf(w, "  no DNS list has an address of ours\n")
	}
	for _, l := range r.Listed {
		fmt.Fprintf(w, "  %s LISTS %d OF OUR OWN ADDRESSES\n", l.Zone, l.Count)
	}
	for _, z := range r.Zones {
		if !z.Healthy && !z.Since.IsZero() {
			fmt.Fprintf(w, "  DNS list %s is not used: %s\n", z.Zone, z.Why)
		}
	}
	if n := r.Backlash.Sent; n > 0 {
		fmt.Fprintf(w, "  our own MTA sent %d bounces to addresses elsewhere: have it refuse at RCPT what it cannot deliver\n", n)
	}
	if n := r.Backlash.Callouts; n > 0 {
		fmt.Fprintf(w, "  other sites asked %d times whether a sender of ours exists\n", n)
	}
	if r.Store.Error != "" {
		fmt.Fprintf(w, "  the store cannot be written: %s\n", r.Store.Error)
	}
	if r.Lost > 0 {
		fmt.Fprintf(w, "  %d decisions came too fast to be counted here\n", r.Lost)
	}
}

func (r *Report) writeGrace(w io.Writer) {
	if len(r.Known) == 0 {
		return
	}
	fmt.Fprintf(w, "\nDomains\n")
	for _, d := range r.Known {
		state := "strict"
		if !d.Strict {
			state = "not strict: " + strings.Join(d.Missing, "; ")
		}
		if d.ByRecord && !d.Strict {
			state += " (strict by record)"
		}
		fmt.Fprintf(w, "  %s\t%s\n", d.Domain, state)
	}
}
