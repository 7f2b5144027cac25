package control

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Zone is how a DNS list fares.
type Zone struct {
	Zone    string           `json:"zone"`
	Healthy bool             `json:"healthy"` // its latest check passed: it has a say
	Why     string           `json:"why"`     // if not
	Since   time.Time        `json:"since"`   // zero before the first check
	Asked   map[string]int64 `json:"asked"`   // questions by outcome, as in backscatter_dnsbl_lookups_total
	Own     int              `json:"own"`     // addresses of ours that it lists
}

func (s *Status) writeZones(w io.Writer) {
	for _, z := range s.Zones {
		state := "used"
		if !z.Healthy {
			state = "NOT USED: " + z.Why
		}
		var counts []string
		for _, outcome := range slices.Sorted(maps.Keys(z.Asked)) {
			counts = append(counts, fmt.Sprintf("%d %s", z.Asked[outcome], outcome))
		}
		if len(counts) > 0 {
			state += "; asked: " + strings.Join(counts, ", ")
		}
		if z.Own > 0 {
			state += fmt.Sprintf("; LISTS %d OF OUR OWN ADDRESSES", z.Own)
		}
		fmt.Fprintf(w, "DNS list\t%s %s\n", z.Zone, state)
	}
}
