package grace

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// SetSPF notes what the domain's SPF record says: others names in plain words
// who may send besides this site, "" for nobody. Where the record could not be
// read it is not to be called: the last finding stands.
func (g *Grace) SetSPF(name, others string, now time.Time) {
	g.evidence(name, now, func(d *domain, now time.Time) { d.SPF = SPF{now, others} })
}

// SendsElsewhere notes another sign that mail of the domain leaves by other
// ways, in plain words, such as a bounce proven by DKIM of mail that was not
// recorded. It holds for Memory.
func (g *Grace) SendsElsewhere(name, what string, now time.Time) {
	g.evidence(name, now, func(d *domain, now time.Time) { d.Elsewhere = Evidence{now, what} })
}

func (g *Grace) evidence(name string, now time.Time, set func(*domain, time.Time)) {
	name = fold(name)
	g.mu.Lock()
	defer g.mu.Unlock()
	now = g.advance(now)
	if g.known(name) == nil {
		return
	}
	if d := g.domain(name); d != nil {
		set(d, now)
		g.judge(name, d)
		g.saveDomain(name, d)
	}
}

// Strict reports whether the absence of a tag means that mail was not of this
// domain: it has been signing for a whole lifetime without a gap, on at least
// MinDays days, and nothing shows that it also sends elsewhere. A time that is
// Hole or more away from the one last heard of makes no domain strict: the clock
// has jumped, and nobody can say any more which tags are out of date.
func (g *Grace) Strict(name string, now time.Time) bool { return g.strict(name, signing, now) }

// StrictByRecord reports the same of the absence from the ledger.
func (g *Grace) StrictByRecord(name string, now time.Time) bool {
	return g.strict(name, recording, now)
}

func (g *Grace) strict(name string, a activity, now time.Time) bool {
	name = fold(name)
	g.mu.RLock()
	defer g.mu.RUnlock()
	d := g.known(name)
	return d != nil && d.strict[a] && g.clock.steady(now) && g.sharing.heard()
}

func (g *Grace) judgeAll() {
	for name, d := range g.each() {
		g.judge(name, d)
	}
}

// judge finds out whether the domain is strict at the time last heard of.
func (g *Grace) judge(name string, d *domain) {
	m := g.merged(name, d)
	alone := g.sendsHereAlone(name, m)
	downtime := g.downtime()
	for _, a := range []activity{signing, recording} {
		t := m.track(a)
		since := t.since(downtime)
		d.strict[a] = alone && !since.IsZero() &&
			g.clock.now.Sub(since) >= g.rules.Lifetime && t.daysSince(since) >= MinDays
	}
}

func (g *Grace) sendsHereAlone(name string, d *domain) bool {
	return g.allMailHere(name) ||
		!d.SPF.At.IsZero() && d.SPF.Others == "" && d.Elsewhere.What == ""
}

func (g *Grace) allMailHere(name string) bool {
	return g.rules.AllMailHere != nil && g.rules.AllMailHere(name)
}

// Status is what a postmaster may want to know of a domain.
type Status struct {
	Domain   string
	Learned  bool // seen both to receive and to send, often enough
	Accepted int  // sightings as a recipient's domain, up to Sightings
	Sent     int  // and as a sender's
	SPF      SPF
	// Elsewhere is the latest other sign that the domain sends elsewhere.
	Elsewhere          Evidence
	Signing, Recording Activity
}

// Activity is the state of signing, or of recording.
type Activity struct {
	Strict      bool
	First, Last time.Time
	Since       time.Time // the beginning of the unbroken part; zero: none
	Days        int       // days of activity in that part
	Gaps        []Gap     // the latest, of the domain and of the daemon, by date
	// Missing says in plain sentences what keeps the domain from being strict
	// and, where time will bring it, when. Empty: nothing.
	Missing []string
}

// Status tells how the domain stands at the given time. The time is used for
// nothing else: no gap is noted.
func (g *Grace) Status(name string, now time.Time) Status {
	name = fold(name)
	g.mu.RLock()
	defer g.mu.RUnlock()
	d := g.known(name)
	if d == nil {
		d = &domain{}
	}
	d = g.merged(name, d)
	return Status{
		Domain: name, Learned: d.learned(), Accepted: d.Accepted, Sent: d.Sent,
		SPF: d.SPF, Elsewhere: d.Elsewhere,
		Signing:   g.activity(name, d, signing, wall(now)),
		Recording: g.activity(name, d, recording, wall(now)),
	}
}

// All gives the Status of every domain that is learned, or has been signed or
// recorded, sorted by name.
func (g *Grace) All(now time.Time) []Status {
	g.mu.RLock()
	var names []string
	for name, d := range g.each() {
		if d = g.merged(name, d); d.learned() || d.active() {
			names = append(names, name)
		}
	}
	g.mu.RUnlock()
	slices.Sort(names)
	list := make([]Status, len(names))
	for i, name := range names {
		list[i] = g.Status(name, now)
	}
	return list
}

func (g *Grace) activity(name string, d *domain, a activity, now time.Time) Activity {
	t := d.track(a)
	downtime := g.downtime()
	since := t.since(downtime)
	gaps := slices.Concat(t.Gaps, downtime)
	slices.SortFunc(gaps, func(a, b Gap) int { return a.To.Compare(b.To) })
	return Activity{
		Strict: d.strict[a] && g.sharing.heard(), First: t.First, Last: t.Last, Since: since,
		Days: t.daysSince(since), Gaps: gaps,
		Missing: slices.Concat(g.missingHosts(), g.missingTime(t, a, since, now), g.missingAlone(name, d)),
	}
}

// missingTime says what only time brings.
func (g *Grace) missingTime(t *Track, a activity, since, now time.Time) (missing []string) {
	did := [...]string{"signed", "recorded"}[a]
	if since.IsZero() {
		return []string{fmt.Sprintf("no mail of it has been %s yet", did)}
	}
	if due := since.Add(g.rules.Lifetime); now.Before(due) {
		sentence := fmt.Sprintf("its mail has been %s without a gap since %s, and has to be for %s: until %s",
			did, date(since), days(g.rules.Lifetime), date(due))
		if why := lastWhy(t.Gaps, g.downtime(), since); why != "" {
			sentence += fmt.Sprintf(" (the last gap: %s)", why)
		}
		missing = append(missing, sentence)
	}
	if n := t.daysSince(since); n < MinDays {
		missing = append(missing, fmt.Sprintf("its mail has been %s on %d of at least %d days", did, n, MinDays))
	}
	return missing
}

// lastWhy is the reason of the gap that ended at the given time, the latest if
// there are several.
func lastWhy(own, all []Gap, end time.Time) (why string) {
	for _, g := range slices.Concat(own, all) {
		if g.To.Equal(end) {
			why = g.Why
		}
	}
	return why
}

// missingAlone says what speaks for mail that leaves by other ways.
func (g *Grace) missingAlone(name string, d *domain) (missing []string) {
	if g.sendsHereAlone(name, d) {
		return nil
	}
	switch {
	case d.SPF.At.IsZero():
		missing = append(missing, "its SPF record has not been read yet, so that others may send for it")
	case d.SPF.Others != "":
		missing = append(missing, "it may also send elsewhere: "+d.SPF.Others)
	}
	if d.Elsewhere.What != "" {
		missing = append(missing, fmt.Sprintf("it also sends elsewhere: %s (%s)", d.Elsewhere.What, date(d.Elsewhere.At)))
	}
	if !d.SPF.At.IsZero() {
		missing = append(missing, "if all its mail leaves here, set public_addresses to where it leaves from, or all_mail_here = true")
	}
	return missing
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

func days(d time.Duration) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Hours()/24), ".0") + " days"
}
