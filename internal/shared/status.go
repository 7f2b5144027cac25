package shared

import (
	"cmp"
	"slices"
	"time"
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
	Heard    time.Time     // all that it did until then is known
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
		list = append(list, Host{ID: id, Name: p.record.Name, Heard: p.until, Skew: p.skew})
	}
	slices.SortFunc(list, func(a, b Host) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return list
}

func (l *Link) back() {
	l.mu.Lock()
	before := l.status.State
	l.status.State, l.status.Since, l.status.Error = "shared", l.options.Now(), nil
	l.status.Joined++
	n := len(l.peers)
	l.mu.Unlock()
	if before != "shared" {
		l.options.Report(Event{"the shared store is in use" + others(n), nil})
	}
}

func others(n int) string {
	if n == 0 {
		return ", by this host alone so far"
	}
	return ""
}

func (l *Link) away(err error) {
	l.mu.Lock()
	before := l.status.State
	l.status.State, l.status.Error = "away", err
	if before != "away" {
		l.status.Since = l.options.Now()
	}
	l.status.Failures++
	l.mu.Unlock()
	if before != "away" {
		l.options.Report(Event{"the shared store is away: this host goes on by itself, and nothing new is strict or foreign that depends on others", err})
	}
}
