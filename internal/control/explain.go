package control

import (
	"net/netip"
	"time"
)

// Question is the message that the daemon is asked to explain.
type Question struct {
	Client  netip.Addr `json:"client"`
	From    string     `json:"from"`
	To      []string   `json:"to"`
	Message []byte     `json:"message"`

	At        time.Time `json:"at"` // when it is judged; zero: now
	Strict    bool      `json:"strict"`
	WithLists bool      `json:"with_lists"`
}
