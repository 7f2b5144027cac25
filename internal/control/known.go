package control

import (
	"fmt"
	"io"
	"time"
)

// KnownDomain is what the daemon has found out of one domain.
type KnownDomain struct {
	Domain        string    `json:"domain"`
	Ours          bool      `json:"ours"`   // named, or learned
	Strict        bool      `json:"strict"` // a missing tag means something
	Missing       []string  `json:"missing"`
	ByRecord      bool      `json:"strict_by_record"` // and so does absence from the record of sent mail
	MissingRecord []string  `json:"missing_by_record"`
	Layout        string    `json:"layout"`    // "unknown", "none", "prvs", "subaddress"
	CatchAll      bool      `json:"catch_all"` // the MTA accepts any tagged recipient
	Reply         string    `json:"reply"`     // of the MTA, or why it could not be asked
	Since         time.Time `json:"since"`     // of unbroken signing; zero: none
	Days          int       `json:"days"`      // of signing since then
	Gaps          []Gap     `json:"gaps"`
}

// Gap is a time for which the record cannot speak.
type Gap struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Why  string    `json:"why"`
}

// Store is how the record is kept.
type Store struct {
	Path     string `json:"path"`   // "" where there is none
	Error    string `json:"error"`  // of the latest failure, "" when writing goes well
	Queued   int    `json:"queued"` // records that wait to be written
	Dropped  int64  `json:"dropped"`
	Failures int64  `json:"failures"`
}

// writeKnown shows the domains with what keeps them from being strict.
func (s *Status) writeKnown(w io.Writer) {
	for _, d := range s.Known {
		state := "not strict"
		switch {
		case d.Strict:
			state = "strict"
		case !d.Ours:
			state = "not ours yet"
		}
		fmt.Fprintf(w, "\n%s\t%s\n", d.Domain, state)
		if d.CatchAll {
			fmt.Fprintf(w, "  tags come home\t%s; the MTA accepts any tagged recipient, known or not\n", d.Layout)
		} else {
			fmt.Fprintf(w, "  tags come home\t%s %s\n", d.Layout, d.Reply)
		}
		if !d.Since.IsZero() {
			fmt.Fprintf(w, "  signing since\t%s, on %d days\n", d.Since.Format(time.RFC3339), d.Days)
		}
		for _, m := range d.Missing {
			fmt.Fprintf(w, "  missing\t%s\n", m)
		}
		if d.ByRecord {
			fmt.Fprintf(w, "  by record\tstrict\n")
		}
		for _, m := range d.MissingRecord {
			fmt.Fprintf(w, "  missing by record\t%s\n", m)
		}
		for _, g := range d.Gaps {
			fmt.Fprintf(w, "  gap\t%s to %s: %s\n", g.From.Format(time.RFC3339), g.To.Format(time.RFC3339), g.Why)
		}
	}
}

func (s *Status) writeStore(w io.Writer) {
	switch {
	case s.Store.Path == "":
		fmt.Fprintf(w, "store\tnone: what is learned is lost at a restart\n")
	case s.Store.Error != "":
		fmt.Fprintf(w, "store\t%s: %s; %d records wait, %d were dropped\n", s.Store.Path, s.Store.Error, s.Store.Queued, s.Store.Dropped)
	default:
		fmt.Fprintf(w, "store\t%s\n", s.Store.Path)
	}
}
