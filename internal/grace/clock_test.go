package grace

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{day, 365 * day, -day, -365 * day} {
		t.Run(jump.String(), func(t *testing.T) {
			s := newSite(t)
			for range Sightings {
				s.SawAccepted(example, s.now)
				s.SawSent(example, s.now)
			}
			s.Prove(someKey(), s.now)
			s.live(time.Hour)
			s.SetSPF(example, "", s.now)
			s.live(3 * day)
			s.now = s.now.Add(jump)
			s.Signed(example, someKey(), s.now) // mail comes before the heartbeat
			s.expect("after the jump", false)
			s.live(time.Hour)
			s.now = s.now.Add(-jump)
			s.live(3 * day)
			s.expect("back, and three days later", false)
			st := s.Status(example, s.now).Signing
			if st.Since.After(s.now) || st.First.After(s.now) || st.Last.After(s.now) || len(st.Gaps) != 2 {
				t.Errorf("at %v: %+v", s.now, st)
			}
			s.start()
			if !s.Ours(example) || !s.Proven(someKey()) || len(s.Keys()) != 1 {
				t.Error("the record is lost")
			}
			s.live(7*day + time.Hour)
			s.expect("a lifetime after the second jump", true)
		})
	}
}

// TestNotStrictWhileTheTimeIsUnknown: between a jump and the first event after it
// nothing is strict either, nor where no heartbeat has come for long.
func TestNotStrictWhileTheTimeIsUnknown(t *testing.T) {
	s := newSite(t)
	s.SetRules(Rules{Lifetime: lifetime, AllMailHere: func(string) bool { return true }}, s.now)
	s.live(lifetime + day)
	for late, want := range map[time.Duration]bool{
		0: true, time.Minute: true, Hole: true, -time.Minute: true,
		Hole + time.Second: false, -Hole: false, day: false, -day: false, 365 * day: false, -365 * day: false,
	} {
		if got := s.Strict(example, s.now.Add(late)); got != want {
			t.Errorf("%v away: strict %v", late, got)
		}
		if got := s.StrictByRecord(example, s.now.Add(late)); got != want {
			t.Errorf("%v away: strict by record %v", late, got)
		}
	}
}

// TestJumpWhileDown: the same when the clock is wrong at start.
func TestJumpWhileDown(t *testing.T) {
	for _, jump := range []time.Duration{365 * day, -365 * day} {
		s := newSite(t)
		for range Sightings {
			s.SawAccepted(example, s.now)
			s.SawSent(example, s.now)
		}
		s.SetSPF(example, "", s.now)
		s.live(lifetime + day)
		s.expect("before", true)
		s.now = s.now.Add(jump)
		s.start()
		s.expect("at a wrong start", false)
		s.now = s.now.Add(-jump + time.Minute)
		s.start()
		s.expect("at a right one", false)
		if !s.Ours(example) {
			t.Error("forgotten")
		}
		s.live(lifetime + time.Hour)
		s.expect("a lifetime later", true)
	}
}

// TestNeverTooEarly drives a site through arbitrary days with a wall clock that
// jumps, and compares with the time that has really passed.
func TestNeverTooEarly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		store, now, lived := newStore(), begin(), time.Duration(0)
		rules := Rules{Lifetime: lifetime, AllMailHere: func(string) bool { return true }}
		g, _ := New(store, rules, now)
		intact := time.Duration(-1) // lived time since when nothing was amiss
		pass := func(d time.Duration) {
			for range d / (10 * time.Minute) {
				now, lived = now.Add(10*time.Minute), lived+10*time.Minute
				g.Heartbeat(now)
			}
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				now = now.Add(time.Duration(rapid.IntRange(-400, 400).Draw(t, "jump")) * day)
				now = now.Add(time.Hour)
				intact = lived
				g.Heartbeat(now)
			case 1:
				g.Unsigned(example, "a reason", now)
				intact = lived
			case 2:
				down := time.Duration(rapid.IntRange(1, 30).Draw(t, "down")) * time.Hour
				now, lived = now.Add(down), lived+down
				intact = lived
				g, _ = New(store, rules, now)
			case 3:
				g, _ = New(store, rules, now)
			default:
				pass(time.Duration(rapid.IntRange(1, 96).Draw(t, "hours")) * time.Hour)
				g.Signed(example, someKey(), now)
				if intact < 0 {
					intact = lived
				}
			}
			st := g.Status(example, now).Signing
			if st.Strict && lived-intact < lifetime {
				t.Fatalf("strict after %v: %+v", lived-intact, st)
			}
			if st.Since.After(now) {
				t.Fatalf("since %v, and it is %v", st.Since, now)
			}
		}
	})
}
