package shared

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// Status says how the Link is.
type Status struct {
	URL      string    // without user and password
	State    string    // "connecting", "shared", "away"
	Since    time.Time // of that state; zero while connecting
	Error    error     // why it is away
	Joined   int64     // how often it has been joined
	Failures int64     // attempts and exchanges that failed
	Told     int64     // fingerprints
	Heard    int64     // and those from others
	Counts   int64     // flood counts told
	Lost     int64     // and those for which there was no room
	Damaged  int64     // things in the store that make no sense
	Hosts    []Host    // the others, by name
}

// Host is another host of the site.
type Host struct {
	ID, Name string
	Heard    time.Time     // all that it did until then is known; or, of a clock that cannot be right, when it was there
	Skew     time.Duration // of its clock against ours
}

// Status gives the figures of the moment.
func (l *Link) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

func (l *Link) hosts() []Host {
	list := make([]Host, 0, len(l.peers))
	for id, p := range l.peers {
		heard := p.until
		if heard.IsZero() {
			heard = p.heard
		}
		list = append(list, Host{ID: id, Name: p.record.Name, Heard: heard, Skew: p.skew})
	}
	slices.SortFunc(list, func(a, b Host) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return list
}

func (l *Link) back() {
	l.mu.Lock()
	before := l.status.State
	if before != "shared" {
		l.status.Since = l.options.Now()
	}
	l.status.State, l.status.Error = "shared", nil
	l.status.Joined++
	n := len(l.peers)
	l.mu.Unlock()
	if before == "connecting" || l.saidAway {
		l.options.Report(Event{Text: "the shared store is in use" + others(n)})
	}
	l.unsaid, l.saidAway = false, false
}

func others(n int) string {
	if n == 0 {
		return ", by this host alone so far"
	}
	return ""
}

// away notes that the store cannot be used. It is said once, and of a store that
// comes and goes not more often than once in a while.
func (l *Link) away(err error) {
	if c, ok := l.client.(*redis.ClusterClient); ok {
		c.ReloadState(context.Background()) // another node may have taken over; by itself it looks seldom
	}
	now := l.options.Now()
	l.mu.Lock()
	if l.status.State != "away" {
		l.status.Since, l.unsaid = now, true
	}
	l.status.State, l.status.Error = "away", err
	l.status.Failures++
	l.mu.Unlock()
	if l.unsaid && (l.said.IsZero() || now.Sub(l.said) >= quiet || now.Before(l.said)) {
		l.unsaid, l.said, l.saidAway = false, now, true
		l.options.Report(Event{Text: "the shared store is away: this host goes on by itself, and nothing new is strict or foreign that depends on others", Err: err})
	}
}
