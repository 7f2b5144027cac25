package control

import (
	"fmt"
	"io"
	"time"
)

// Shared is how the daemon acts as one with other hosts.
type Shared struct {
	URL      string       `json:"url"`   // without user and password
	State    string       `json:"state"` // "connecting", "shared", "away"
	Since    time.Time    `json:"since"`
	Error    string       `json:"error"` // why it is away, else ""
	Failures int64        `json:"failures"`
	Told     int64        `json:"told"`    // entries of the ledger
	Heard    int64        `json:"heard"`   // and those of other hosts
	Lost     int64        `json:"lost"`    // flood counts for which there was no room
	Damaged  int64        `json:"damaged"` // things in the store that make no sense
	Hosts    []SharedHost `json:"hosts"`   // the others
}

// SharedHost is another host.
type SharedHost struct {
	ID    string    `json:"id"`
	Name  string    `json:"name"`
	Heard time.Time `json:"heard"` // all that it did until then is known
	Skew  string    `json:"skew"`  // of its clock against ours
}

// Away reports whether it cannot be reached, so that the daemon acts alone.
func (s *Shared) Away() bool { return s.State == "away" }

func (s *Status) writeShared(w io.Writer) {
	if s.Shared == nil {
		return
	}
	switch h := s.Shared; h.State {
	case "shared":
		fmt.Fprintf(w, "shared store\t%s, since %s; %d entries told, %d heard\n", h.URL, h.Since.Format(time.RFC3339), h.Told, h.Heard)
	default:
		fmt.Fprintf(w, "shared store\t%s: %s, %d failures: %s\n", h.URL, h.State, h.Failures, h.Error)
	}
	for _, h := range s.Shared.Hosts {
		fmt.Fprintf(w, "  host %s\t%q, heard of until %s, clock %s\n", h.ID, h.Name, h.Heard.Format(time.RFC3339), h.Skew)
	}
	if len(s.Shared.Hosts) == 0 {
		fmt.Fprintf(w, "  hosts\tno other has been heard of\n")
	}
}
