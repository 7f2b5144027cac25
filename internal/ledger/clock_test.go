package ledger

import (
	"fmt"
	"testing"
	"time"
)

func TestCovers(t *testing.T) {
	f := start(t)
	f.sent(message("first"))
	begun := f.clockTime()
	f.covers(false, begun)
	f.live(30 * day)
	now := f.clockTime()
	for _, tt := range []struct {
		at   time.Time
		want bool
	}{
		{now, true},
		{now.Add(Skew), true},
		{now.Add(Skew + time.Second), false},
		{now.Add(2*day - lifetime), true},
		{now.Add(2*day - lifetime - time.Second), false},
		{begun, false},
		{time.Time{}, false},
	} {
		f.covers(tt.want, tt.at)
	}
	if f.Covers("example.net", now) || f.Covers("", now) || !f.Covers("EXAMPLE.com.", now) {
		t.Error("the wrong domains are covered")
	}
	f.SetLifetime(2 * day)
	f.covers(false, now.Add(-time.Second))
	f.SetLifetime(lifetime) // what went does not come back
	f.covers(true, now.Add(-day))
	if s := f.Stats(); s.Lifetime != lifetime || s.Gaps != 0 {
		t.Errorf("%+v, %s", s, f.list())
	}
}

// TestFirst: the record of a domain begins with its first message.
func TestFirst(t *testing.T) {
	f := start(t)
	f.live(day)
	f.sent(message("first"))
	at := f.clockTime()
	f.live(day)
	f.sent(message("second"))
	f.covers(false, at)
	f.covers(false, at.Add(Skew))
	f.covers(true, at.Add(Skew+time.Second))
	f.covers(false, at.Add(-time.Hour))
	f.stop()
	f.open()
	f.covers(false, at.Add(Skew))
	f.covers(true, at.Add(Skew+time.Second))
}

// TestDowntime: whether the daemon stopped or died, the time is a gap.
func TestDowntime(t *testing.T) {
	f := start(t)
	f.sent(message("first"))
	f.live(day)
	f.sent(message("stays"))
	f.store.commit()
	f.jump(30 * time.Second)
	f.Record(message("lost"))
	died := f.clockTime()
	f.kill()
	f.jump(2 * time.Hour)
	f.open()
	back := f.clockTime()
	if !f.Sent("alice@example.com", "stays") || f.Sent("alice@example.com", "lost") {
		t.Error("not what was on disk")
	}
	f.live(10 * time.Minute)
	for _, at := range []time.Time{died, died.Add(time.Hour), back, died.Add(-Skew), back.Add(Skew)} {
		f.covers(false, at)
	}
	f.covers(true, died.Add(-Skew-time.Minute))
	f.covers(true, back.Add(Skew+time.Second))

	f.live(day)
	f.stop()
	stopped := f.clockTime()
	f.jump(20 * time.Second)
	f.open()
	f.live(day)
	f.covers(false, stopped.Add(10*time.Second))
	f.covers(true, stopped.Add(-Skew-time.Second))
	f.covers(true, stopped.Add(20*time.Second+Skew+time.Second))
	if gaps := f.Gaps(); len(gaps) != 2 || gaps[1].Why != "the daemon was not running" || !gaps[1].From.Equal(stopped) {
		t.Errorf("gaps %s", f.list())
	}
	f.live(lifetime + 2*day)
	if f.Stats().Gaps != 0 {
		t.Errorf("old gaps %s", f.list())
	}
}

func TestExpiry(t *testing.T) {
	f := start(t)
	f.sent(message("a"))
	f.live(12*time.Hour + lifetime - time.Hour) // its day ended 12 h later
	if !f.Sent("alice@example.com", "a") {
		t.Error("gone before its time")
	}
	f.live(2 * time.Hour)
	f.store.commit()
	if f.Sent("alice@example.com", "a") || len(f.store.groups) != 0 || f.Stats().Entries != 0 {
		t.Errorf("there still: %+v", f.Stats())
	}
}

// TestLongStop: after a long stop the old days go, a day later.
func TestLongStop(t *testing.T) {
	f := start(t)
	f.sent(message("a"))
	f.stop()
	f.jump(40 * day)
	f.open()
	f.live(day - hole)
	if !f.Sent("alice@example.com", "a") {
		t.Error("gone on the word of a clock that had just jumped")
	}
	f.stop() // restarts do not begin the day anew
	f.open()
	f.live(2 * hole)
	if f.Sent("alice@example.com", "a") {
		t.Error("there still")
	}
}

// TestClockAhead: for two hours the clock is a year ahead. It takes a day until
// the right one is believed.
func TestClockAhead(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		t.Run(fmt.Sprint("restarts ", restarts), func(t *testing.T) {
			f := start(t)
			restart := func() {
				if restarts {
					f.stop()
					f.open()
				}
			}
			f.sent(message("before"))
			f.live(5 * day)
			wrong := f.clockTime()
			f.jump(365 * day)
			f.covers(false, f.clockTime()) // not noted yet
			restart()
			f.sent(message("wrong"))
			f.live(2 * time.Hour)
			f.covers(false, f.clockTime().Add(-300*day))
			f.jump(-365 * day)
			restart()
			f.sent(message("after"))
			f.live(2 * time.Hour)
			restart()
			righted := f.clockTime()
			f.live(3 * day)
			f.covers(true, wrong.Add(-time.Hour))
			f.covers(false, wrong.Add(time.Hour))
			f.covers(true, righted.Add(day))
			f.stop()
			f.open()
			for _, id := range []string{"before", "wrong", "after"} {
				if !f.Sent("alice@example.com", id) {
					t.Errorf("%s is lost", id)
				}
			}
			for _, d := range f.Stats().Days {
				if d.Day.After(f.clockTime()) {
					t.Errorf("a day in the future: %v", d.Day)
				}
			}
			f.live(lifetime + 2*day)
			if n := f.Stats().Entries; n != 0 {
				t.Errorf("%d entries never expire", n)
			}
		})
	}
}

// TestClockBehind: after a restart the clock is at 1970, and is put right
// after ten minutes or nearly a day.
func TestClockBehind(t *testing.T) {
	for _, long := range []time.Duration{10 * time.Minute, 23 * time.Hour} {
		t.Run(fmt.Sprint(long), func(t *testing.T) {
			f := start(t)
			f.sent(message("before"))
			f.live(5 * day)
			down := f.clockTime()
			f.stop()
			f.set(time.Unix(100, 0))
			f.open()
			f.sent(message("wrong"))
			f.live(long)
			f.set(down.Add(long))
			f.sent(message("after"))
			righted := f.clockTime()
			f.live(3 * day)
			for _, id := range []string{"before", "wrong", "after"} {
				if !f.Sent("alice@example.com", id) {
					t.Errorf("%s is lost", id)
				}
			}
			f.covers(false, down.Add(time.Minute))
			f.covers(false, righted)
			f.covers(true, righted.Add(time.Hour))
			f.covers(true, down.Add(-time.Hour))
		})
	}
}

// TestClockSteps: what a time service does costs nothing.
func TestClockSteps(t *testing.T) {
	f := start(t)
	f.sent(message("a"))
	f.live(day)
	for i := range 200 {
		f.jump(time.Duration(i%5-2) * time.Minute)
		f.Heartbeat()
	}
	f.live(time.Hour)
	if gaps := f.Gaps(); len(gaps) != 0 {
		t.Errorf("gaps %s", f.list())
	}
	f.covers(true, f.clockTime().Add(-30*time.Minute))
}

func TestGaps(t *testing.T) {
	at := func(minute int) time.Time { return date("2026-11-01 12:00").Add(time.Duration(minute) * time.Minute) }
	gap := func(from, to int) Gap { return Gap{at(from), at(to), "w"} }
	var g gaps
	for _, x := range []Gap{gap(100, 110), gap(0, 5), gap(50, 60), gap(200, 200), gap(15, 20), gap(105, 130), gap(1, 2), gap(215, 216)} {
		g = g.add(x)
	}
	want := gaps{gap(0, 20), gap(50, 60), gap(100, 130), gap(200, 200), gap(215, 216)}
	if fmt.Sprint(g) != fmt.Sprint(want) {
		t.Fatalf("%v\nwant %v", g, want)
	}
	for minute := -20; minute < 240; minute++ {
		naive := false
		for _, x := range want {
			naive = naive || !at(minute).Before(x.From.Add(-Skew)) && !at(minute).After(x.To.Add(Skew))
		}
		if g.holds(at(minute)) != naive {
			t.Errorf("minute %d: %v", minute, !naive)
		}
	}
	g = nil
	for i := range 3 * maxGaps {
		g = g.add(gap(i*100+i%3*20, i*100+i%3*20))
	}
	if len(g) != maxGaps || !g[0].From.Equal(at(0)) || !g[len(g)-1].To.Equal(at((3*maxGaps-1)*100+40)) {
		t.Errorf("%d gaps, %v to %v", len(g), g[0], g[len(g)-1])
	}
	for i := range 3 * maxGaps {
		if !g.holds(at(i*100 + i%3*20)) {
			t.Errorf("gap %d is lost", i)
		}
	}
	for i := 1; i < len(g); i++ {
		if !g[i].From.After(g[i-1].To) {
			t.Errorf("out of order at %d", i)
		}
	}
}
