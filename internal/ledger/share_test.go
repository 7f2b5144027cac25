package ledger

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

// shared is a ledger that shares, has recorded for 15 days, and beats at now.
func shared(t *testing.T) (f *fixture, now time.Time) {
	t.Helper()
	f = start(t)
	f.Share(f.Secret())
	f.sent(message("first"))
	f.live(15 * day)
	return f, f.clockTime()
}

// TestCoversWithPeers: only what all hosts recorded, and what is known here of
// it, is covered.
func TestCoversWithPeers(t *testing.T) {
	f, now := shared(t)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	f.covers(false, ago(day)) // nobody has told of the others
	f.SetPeers(nil)
	f.covers(true, ago(day)) // there are none
	sound := Peer{Begun: ago(30 * day), Until: now}
	with := func(change func(*Peer)) Peer {
		p := sound
		change(&p)
		return p
	}
	hour := time.Hour
	nested := []Gap{{ago(5 * hour), ago(5*hour - 10*time.Minute), "short"}, {ago(7 * hour), ago(4 * hour), "long"}}
	backward := []Gap{{ago(hour), ago(9 * hour), "nonsense"}}
	for _, tt := range []struct {
		name string
		peer Peer
		at   time.Duration // ago
		want bool
	}{
		{"sound", sound, hour, true},
		{"just now", sound, Skew, false},
		{"older than news", sound, Skew + time.Second, true},
		{"before it began", with(func(p *Peer) { p.Begun = ago(hour) }), 2 * hour, false},
		{"after it began", with(func(p *Peer) { p.Begun = ago(3 * hour) }), 2 * hour, true},
		{"silent since", with(func(p *Peer) { p.Until = ago(3 * hour) }), 2 * hour, false},
		{"before the silence", with(func(p *Peer) { p.Until = ago(3 * hour) }), 4 * hour, true},
		{"gone, in the day after", with(func(p *Peer) { p.Until = ago(30 * hour) }), 20 * hour, false},
		{"gone, later", with(func(p *Peer) { p.Until = ago(30 * hour) }), 2 * hour, true},
		{"never heard of", with(func(p *Peer) { p.Until = time.Time{} }), 4 * hour, false},
		{"in a gap around another", with(func(p *Peer) { p.Gaps = nested }), 6*hour + 30*time.Minute, false},
		{"in the inner gap", with(func(p *Peer) { p.Gaps = nested }), 5*hour - 5*time.Minute, false},
		{"outside", with(func(p *Peer) { p.Gaps = nested }), 3 * hour, true},
		{"a gap that ends before it begins", with(func(p *Peer) { p.Gaps = backward }), 5 * hour, true},
	} {
		f.SetPeers([]Peer{sound, tt.peer})
		if got := f.Covers("example.com", ago(tt.at)); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// TestCoversAJoin: what left here before this host began is not known, even if
// another host has long recorded the domain.
func TestCoversAJoin(t *testing.T) {
	f, now := shared(t)
	other := Peer{Begun: now.Add(-30 * day), Until: now, First: map[string]time.Time{"example.com": now.Add(-19 * day), "example.org": now.Add(-19 * day)}}
	f.SetPeers([]Peer{other})
	f.covers(true, now.Add(-14*day))
	f.covers(false, now.Add(-16*day))
	if !f.Covers("example.org", now.Add(-14*day)) {
		t.Error("a domain that only the other has recorded is not covered")
	}
}

// TestFresh gives what was recorded, once, and says when that is not all.
func TestFresh(t *testing.T) {
	f, _ := shared(t)
	f.Fresh()
	f.Record(message("second"))
	fps, until, all := f.Fresh()
	if len(fps) != 4 || !all || !until.Equal(f.clockTime()) {
		t.Errorf("%d until %v, %v", len(fps), until, all)
	}
	f.Merge(dayOf(f.clockTime()), []uint64{fps[0] ^ 1})
	if again, _, _ := f.Fresh(); len(again) > 0 {
		t.Error("tells of what it has been told")
	}
	for range 3 {
		many := make([]uint64, maxOutbox/2)
		f.guarded(func() {
			for i := range many {
				f.tell(uint64(i))
			}
		})
	}
	if fps, _, all := f.Fresh(); len(fps) != maxOutbox || all {
		t.Errorf("%d, all: %v", len(fps), all)
	}
	if _, _, all := f.Fresh(); !all {
		t.Error("the loss is told twice")
	}
}

// TestMerge: what another host has recorded proves, on the day that it says,
// within what is kept here.
func TestMerge(t *testing.T) {
	f, now := shared(t)
	a, b, c := uint64(kindID)<<kindShift|1, uint64(kindID)<<kindShift|2, uint64(kindID)<<kindShift|3
	today := dayOf(now)
	f.Merge(today-3, []uint64{a, 0, 7<<kindShift | 5})
	f.Merge(today+9, []uint64{b})
	f.Merge(today-40, []uint64{c})
	if got := f.Entries(today - 3); !slices.Equal(got, []uint64{a}) {
		t.Errorf("%x", got)
	}
	if !slices.Contains(f.Entries(today), b) || len(f.Entries(today+9)) > 0 || len(f.Entries(today-40)) > 0 {
		t.Errorf("days %v", f.Days())
	}
	if f.Stats().Gaps > 0 {
		t.Error(f.list())
	}
}

// TestMergeBelowCeiling: days that had to go for want of room are not taken in
// again from other hosts, which would be a gap each time they are compared.
func TestMergeBelowCeiling(t *testing.T) {
	f := newFixture(t)
	f.options.MaxEntries = 300
	f.open()
	f.Share(f.Secret())
	f.live(10 * day)
	today := dayOf(f.clockTime())
	fill := func(day int) []uint64 {
		fps := make([]uint64, 100)
		for i := range fps {
			fps[i] = uint64(kindID)<<kindShift | uint64(day)<<16 | uint64(i)
		}
		return fps
	}
	for range 3 {
		for day := today - 5; day <= today; day++ {
			f.Merge(day, fill(day))
		}
	}
	if s := f.Stats(); s.Entries != 300 || s.Gaps != 0 || s.Refused != 0 {
		t.Errorf("%d entries, %d refused, gaps %s", s.Entries, s.Refused, f.list())
	}
}

// TestShareOtherSecret: entries under a former secret go on to prove, over a
// restart too; those under the fourth from last do not.
func TestShareOtherSecret(t *testing.T) {
	f, now := shared(t)
	f.SetPeers(nil)
	f.covers(true, now.Add(-day))
	secret := func(n byte) []byte { return bytes.Repeat([]byte{n}, secretOctets) }
	f.Share(secret(1))
	f.SetPeers([]Peer{{Begun: now.Add(-30 * day), Until: now}})
	f.covers(false, now.Add(-day)) // others could not know what was recorded
	if p := f.Self(); !p.Begun.Equal(now) {
		t.Errorf("has what others can use since %v", p.Begun)
	}
	f.stop()
	f.open()
	if !f.Sent("alice@example.com", "first") || !bytes.Equal(f.Secret(), secret(1)) {
		t.Error("what was recorded before does not prove")
	}
	for n := range byte(maxOldSecrets) {
		f.Share(secret(2 + n))
	}
	if f.Sent("alice@example.com", "first") {
		t.Error("keeps more secrets than it should")
	}
}

// FuzzDecodeGroup: whatever is in a shared store, only what is a group is taken
// for one, and it is written as it was read.
func FuzzDecodeGroup(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 0})
	f.Add(EncodeGroup([]uint64{uint64(kindID)<<kindShift | 1, uint64(kindWithoutID)<<kindShift | 1<<60}))
	f.Add(EncodeGroup([]uint64{7 << kindShift}))
	f.Add(EncodeGroup([]uint64{uint64(kindID) << kindShift})[1:])
	f.Fuzz(func(t *testing.T, group []byte) {
		fps, ok := DecodeGroup(group)
		if !ok {
			if len(fps) > 0 {
				t.Errorf("%d fingerprints of what is no group", len(fps))
			}
			return
		}
		for _, fp := range fps {
			if !known(fp) {
				t.Errorf("%x", fp)
			}
		}
		if !bytes.Equal(EncodeGroup(fps), group) {
			t.Errorf("%x is written otherwise", group)
		}
	})
}
