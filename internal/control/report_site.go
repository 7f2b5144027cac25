package control

import (
	"fmt"
	"io"
	"strings"
)

func (f *Floods) write(w io.Writer) {
	if f.Verdicts == 0 && len(f.Blocks)+len(f.Surges)+len(f.Hottest) == 0 && f.Alarms == 0 {
		return
	}
	fmt.Fprintf(w, "\nFloods\n  %d notifications came while their source, recipient or subject was blocked, or in a surge\n", f.Verdicts)
	for _, began := range []struct {
		what string
		list []Tally
	}{{"blocks", f.Blocks}, {"surges", f.Surges}} {
		for _, c := range began.list {
			fmt.Fprintf(w, "  %s of a %s that began\t%d\n", began.what, c.Name, c.Count)
		}
	}
	if f.Alarms > 0 {
		fmt.Fprintf(w, "  alarms: many proven bounces for one sender\t%d\n", f.Alarms)
	}
	for i := range f.Hottest {
		h := &f.Hottest[i]
		fmt.Fprintf(w, "  now: %s\t%s\n", h.name(), h.state())
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
	if r.Genuine > 0 {
		fmt.Fprintf(w, "  OUR MTA REFUSED %d GENUINE BOUNCES: it does not know its users by their tagged addresses\n", r.Genuine)
	}
	if n := r.Backlash.Sent; n > 0 {
		fmt.Fprintf(w, "  our own MTA sent %d bounces to addresses elsewhere: have it refuse at RCPT what it cannot deliver\n", n)
	}
	if n := r.Backlash.Callouts; n > 0 {
		fmt.Fprintf(w, "  other sites asked %d times whether a sender of ours exists\n", n)
	}
	r.writeRecord(w)
}

// writeRecord tells what is wrong with how things are kept.
func (r *Report) writeRecord(w io.Writer) {
	if r.Store.Error != "" {
		fmt.Fprintf(w, "  the store fails: %s\n", r.Store.Error)
	}
	if s := r.Shared; s != nil && s.Away() {
		fmt.Fprintf(w, "  THE SHARED STORE %s IS AWAY, this host acts alone: %s\n", s.URL, s.Error)
	} else if s != nil {
		fmt.Fprintf(w, "  the shared store %s is %s; %d other hosts\n", s.URL, s.State, len(s.Hosts))
	}
	if r.Lost > 0 {
		fmt.Fprintf(w, "  %d decisions came too fast to be counted here\n", r.Lost)
	}
	if r.Broken > 0 {
		fmt.Fprintf(w, "  %d records of decisions cannot be read any more: what they held is in no figure here\n", r.Broken)
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
		if len(d.MissingRecord) > 0 {
			fmt.Fprintf(w, "    not by record: %s\n", strings.Join(d.MissingRecord, "; "))
		}
	}
}
