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
	for i := range s.Floods {
		k := &s.Floods[i]
		fmt.Fprintf(w, "%s\t%d of %d\t%s\n", k.name(), k.Count, k.Limit, k.state())
	}
}

func (k *HotKey) name() string {
	if k.Subject != "" {
		return fmt.Sprintf("%s (%q)", k.Key, k.Subject)
	}
	return k.Key
}

// state is what follows from the count; "" for nothing yet.
func (k *HotKey) state() string {
	switch {
	case k.Blocked:
		return fmt.Sprintf("BLOCKED until %s, %d refused", k.Until.Format(time.RFC3339), k.Refused)
	case k.Alarm():
		return "ALARM: many proven bounces"
	case k.Surge:
		return "surge"
	}
	return ""
}

// Alarm reports whether one of our senders gets many proven bounces.
func (k *HotKey) Alarm() bool { return k.Surge && k.Kind == "sender" }
