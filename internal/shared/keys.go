package shared

import (
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// prefix begins all keys. What is in braces decides the slot in a cluster.
const prefix = "{backscatter-milter}:"

const (
	siteKey  = prefix + "site"
	liveKey  = prefix + "live"
	floodKey = prefix + "flood"
	hostsKey = prefix + "hosts"
	dayKey   = prefix + "day:"   // and the day since 1970-01-01 UTC
	graceKey = prefix + "grace:" // and the host's ID
)

// How long keys outlive the last that was written to them, and how much of the
// streams of news is kept.
const (
	siteTTL  = 120 * 24 * time.Hour
	hostTTL  = 90 * 24 * time.Hour
	liveTTL  = time.Hour
	floodTTL = 10 * time.Minute
	liveKept = 10 * time.Minute
	floodNew = time.Minute
	dayExtra = 3 * 24 * time.Hour // beyond the lifetime of entries
)

func dayStream(day int) string { return dayKey + strconv.Itoa(day) }

func graceHash(id string) string { return graceKey + id }

// position is an ID of an entry of a stream: milliseconds by the clock of the
// store, and a number.
type position struct{ ms, n uint64 }

func parsePosition(id string) (p position, ok bool) {
	for i := range len(id) {
		if id[i] == '-' {
			ms, err := strconv.ParseUint(id[:i], 10, 64)
			n, errN := strconv.ParseUint(id[i+1:], 10, 64)
			return position{ms, n}, err == nil && errN == nil
		}
	}
	return p, false
}

func (p position) String() string {
	return strconv.FormatUint(p.ms, 10) + "-" + strconv.FormatUint(p.n, 10)
}

func (p position) before(o position) bool { return p.ms < o.ms || p.ms == o.ms && p.n < o.n }

// back is a position so much earlier.
func (p position) back(d time.Duration) position {
	if ms := uint64(d.Milliseconds()); p.ms > ms {
		return position{ms: p.ms - ms}
	}
	return position{}
}

// text is a field of an entry, "" where there is none.
func text(m redis.XMessage, field string) string {
	s, _ := m.Values[field].(string)
	return s
}
