package dnsbl

import (
	"net/netip"
	"time"
)

// Status is the answer to the question whether an address is listed, by one
// zone or by all of them.
type Status uint8

// Only Listed and NotListed are opinions.
const (
	NotAsked  Status = iota // there was no question: no zone lists such addresses
	Listed                  // the zone lists the address, with a code that counts; of all zones: at least one does
	NotListed               // the zone does not list it, or with codes that do not count; of all zones: all that list such addresses say so
	Unhealthy               // no opinion: the zone has not passed its latest check, or none yet
	Busy                    // no opinion: too many questions are under way
	Timeout                 // no opinion: no server answered in time
	Failed                  // no opinion: servers cannot be reached, or answered with an error or nonsense
	Invalid                 // no opinion: the answer is none that a list gives
	statuses
)

// String gives the status as in logs and metrics: "not-listed".
func (s Status) String() string {
	names := [statuses]string{"not-asked", "listed", "not-listed", "unhealthy", "busy", "timeout", "failed", "invalid"}
	if s >= statuses {
		return "unknown"
	}
	return names[s]
}

// Opinion reports whether the status is one: Listed or NotListed.
func (s Status) Opinion() bool { return s == Listed || s == NotListed }

// Answer is what one zone says of one address.
type Answer struct {
	Zone   string
	Status Status
	Codes  []netip.Addr  // what the zone answered, sorted; at most 16
	TTL    time.Duration // for how long the answer is kept
	Server string        // "host:port" that gave the answer, or was the last to fail
	Took   time.Duration
	Err    error // why there is no opinion, if there is more to say than the status does

	until time.Time
}

// Result is what all zones say of one address. It is small, and shared: nobody
// may change what Answers holds.
type Result struct {
	// Status is Listed if any zone lists the address; else why the first zone
	// without opinion has none; else NotListed; NotAsked where no zone lists
	// such addresses.
	Status  Status
	Answers []Answer // one of each zone, in the order of Options.Zones
}

func combine(answers []Answer) Result {
	r := Result{Answers: answers}
	for _, a := range answers {
		switch {
		case a.Status == Listed:
			r.Status = Listed
			return r
		case r.Status == NotAsked, r.Status == NotListed && !a.Status.Opinion() && a.Status != NotAsked:
			r.Status = a.Status
		}
	}
	return r
}
