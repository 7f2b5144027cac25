package grace

import (
	"slices"
	"time"
)

// domain is what is known of one domain; the exported fields are stored.
type domain struct {
	Accepted int       // sightings as a recipient's domain, up to Sightings
	Sent     int       // sightings as a sender's domain, up to Sightings
	LastIn   time.Time // of these
	LastOut  time.Time

	Signing   Track `json:",omitzero"`
	Recording Track `json:",omitzero"`

	SPF       SPF      `json:",omitzero"` // what its SPF record says of other hosts
	Elsewhere Evidence `json:",omitzero"` // the latest other sign that it sends elsewhere

	strict [2]bool // by signing, by recording; judged anew each minute
}

// Track is a steady activity: the signing of a domain's mail, or its recording
// in the ledger.
type Track struct {
	First, Last time.Time
	Days        []int32 // days of activity since 1970-01-01 UTC, ascending; the latest 128
	Gaps        []Gap   // the domain's own; downtime concerns all and is kept apart
}

// SPF is the latest finding about a domain's SPF record.
type SPF struct {
	At     time.Time // zero: never found out
	Others string    // who else may send, "" for nobody
}

// Evidence is a sign that mail of the domain leaves by other ways.
type Evidence struct {
	At   time.Time
	What string // "": there is none
}

func (d *domain) learned() bool { return d.Accepted >= Sightings && d.Sent >= Sightings }

// seen is when there last was a sign of the domain.
func (d *domain) seen() time.Time {
	seen := later(later(d.LastIn, d.LastOut), later(d.Signing.Last, d.Recording.Last))
	return later(later(seen, d.Elsewhere.At), later(lastEnd(d.Signing.Gaps), lastEnd(d.Recording.Gaps)))
}

// worthKeeping: what only senders have shown, anybody's domain, is not stored.
func (d *domain) worthKeeping() bool { return d.Accepted > 0 || d.settled() }

// settled: the domain is ours, or has been treated so; outsiders alone cannot
// bring that about.
func (d *domain) settled() bool {
	return d.learned() || d.active() || len(d.Signing.Gaps)+len(d.Recording.Gaps) > 0 || d.Elsewhere.What != ""
}

// active: mail of it has been signed or recorded.
func (d *domain) active() bool { return !d.Signing.First.IsZero() || !d.Recording.First.IsZero() }

func (d *domain) clip(now time.Time) bool {
	changed := clip(now, &d.LastIn, &d.LastOut, &d.SPF.At, &d.Elsewhere.At)
	changed = d.Signing.clip(now) || changed
	return d.Recording.clip(now) || changed
}

func (t *Track) clip(now time.Time) bool {
	changed := clip(now, &t.First, &t.Last)
	changed = clipGaps(t.Gaps, now) || changed
	for n := len(t.Days); n > 0 && t.Days[n-1] > dayOf(now); n-- {
		t.Days, changed = t.Days[:n-1], true
	}
	return changed
}

func dayOf(t time.Time) int32 { return int32(t.Unix() / int64(day/time.Second)) }

// fresh reports whether an activity at this time would add nothing to the track.
func (t *Track) fresh(now time.Time) bool {
	return isFresh(t.Last, now) && dayOf(t.Last) == dayOf(now)
}

func isFresh(last, now time.Time) bool {
	d := now.Sub(last)
	return d >= 0 && d < freshness
}

// active notes an activity.
func (t *Track) active(now time.Time) {
	if t.First.IsZero() {
		t.First = now
	}
	t.Last = now
	today := dayOf(now)
	if n := len(t.Days); n > 0 && t.Days[n-1] >= today {
		return
	}
	if len(t.Days) == maxDays {
		t.Days = slices.Delete(t.Days, 0, 1)
	}
	t.Days = append(t.Days, today)
}

// interrupted notes mail that was not signed, or not recorded.
func (t *Track) interrupted(now time.Time, why string) {
	t.Gaps = addGap(t.Gaps, Gap{now, now, why})
}

// interruptedLately reports whether the same interruption was noted just now.
func (t *Track) interruptedLately(now time.Time, why string) bool {
	n := len(t.Gaps)
	return n > 0 && t.Gaps[n-1].Why == why && isFresh(t.Gaps[n-1].To, now)
}

// since is the beginning of the unbroken activity, zero if there is none: the
// first activity or the end of the last gap, its own or everybody's.
func (t *Track) since(downtime []Gap) time.Time {
	if t.First.IsZero() {
		return time.Time{}
	}
	return later(t.First, later(lastEnd(t.Gaps), lastEnd(downtime)))
}

// daysSince counts the days of activity from a time on. The day on which a gap
// ended does not count: its activity may have been before.
func (t *Track) daysSince(since time.Time) int {
	if since.IsZero() {
		return 0
	}
	first := dayOf(since)
	if !since.Equal(t.First) {
		first++
	}
	from, _ := slices.BinarySearch(t.Days, first)
	return len(t.Days) - from
}
