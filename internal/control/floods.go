package control

import (
	"fmt"
	"io"
	"time"
)

// HotKey is a key of the flood control that is blocked, has a surge or comes
// close to either.
type HotKey struct {
	Kind    string    `json:"kind"`    // "client", "recipient", "subject", "domain", "sender"
	Key     string    `json:"key"`     // as unblock takes it
	Subject string    `json:"subject"` // the beginning of a normalised one
	Count   int       `json:"count"`   // in the window
	Limit   int       `json:"limit"`
	Surge   bool      `json:"surge"`
	Blocked bool      `json:"blocked"`
	Until   time.Time `json:"until"`   // the end of the block
	Refused int64     `json:"refused"` // by it so far
}

// Unblocking is what unblock is asked with, and answers.
type Unblocking struct {
	Key string `json:"key"` // as HotKey.Key, or an address
}

func (s *Status) writeFloods(w io.Writer) {
	if len(s.Floods) == 0 {
		return
	}
	fmt.Fprintf(w, "\nFLOOD\tCOUNT\tSTATE\n")
	for _, k := range s.Floods {
		state := ""
		switch {
		case k.Blocked:
			state = fmt.Sprintf("BLOCKED until %s, %d refused", k.Until.Format(time.RFC3339), k.Refused)
		case k.Surge && k.Kind == "sender":
			state = "ALARM: many proven bounces"
		case k.Surge:
			state = "surge"
		}
		key := k.Key
		if k.Subject != "" {
			key += fmt.Sprintf(" (%q)", k.Subject)
		}
		fmt.Fprintf(w, "%s\t%d of %d\t%s\n", key, k.Count, k.Limit, state)
	}
}
