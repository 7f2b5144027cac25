package control

import (
	"fmt"
	"io"
)

// Ledger is the record of what was sent.
type Ledger struct {
	Entries int   `json:"entries"`
	Days    int   `json:"days"`
	Octets  int   `json:"octets"` // of memory
	Lost    int64 `json:"lost"`   // entries that could not be kept
	Gaps    []Gap `json:"gaps"`   // times for which it is not complete, the latest ten
}

func (s *Status) writeLedger(w io.Writer) {
	l := s.Ledger
	fmt.Fprintf(w, "sent mail\t%d entries of %d days, %d MiB", l.Entries, l.Days, l.Octets>>20)
	if l.Lost > 0 {
		fmt.Fprintf(w, "; %d LOST", l.Lost)
	}
	if n := len(l.Gaps); n > 0 {
		fmt.Fprintf(w, "; the last gap ended %s", l.Gaps[n-1].To.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	fmt.Fprintln(w)
}
