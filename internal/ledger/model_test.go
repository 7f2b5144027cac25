package ledger

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is a ledger as plain as can be: what was recorded when, what of it is
// on disk, and when nothing was recorded.
type model struct {
	f       *fixture
	entries map[int]time.Time // message: when it was last recorded
	unsaved map[int]bool      // not on disk yet, if first recorded today
	first   time.Time
	missed  []Gap
	beat    time.Time // the last that is on disk
}

// TestModel compares the ledger with the model through recording, time,
// restarts and crashes. All steps of the clock are ones that a clock may take.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{f: newFixture(t), entries: map[int]time.Time{}, unsaved: map[int]bool{}}
		m.f.open()
		defer func() { m.f.Close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"":       m.check,
			"record": m.record,
			"live":   m.live,
			"commit": func(*rapid.T) { m.commit() },
			"stop":   m.stop,
			"crash":  m.crash,
		})
	})
}

func (m *model) now() time.Time { return m.f.clockTime() }

func (m *model) record(rt *rapid.T) {
	for range rapid.IntRange(1, 5).Draw(rt, "messages") {
		n := rapid.IntRange(0, 30).Draw(rt, "message")
		m.f.Record(message(fmt.Sprint(n)))
		if last, ok := m.entries[n]; !ok || dayOf(last) != dayOf(m.now()) {
			m.unsaved[n] = true
		}
		m.entries[n] = m.now()
		if m.first.IsZero() {
			m.first = m.now()
		}
	}
	m.f.Heartbeat()
}

func (m *model) live(rt *rapid.T) {
	d := rapid.SampledFrom([]time.Duration{time.Minute, time.Hour, 9 * time.Hour, day, 5 * day}).Draw(rt, "time")
	m.commit()
	m.f.live(d)
	m.commit()
}

func (m *model) commit() {
	m.f.Heartbeat()
	m.f.store.commit()
	m.beat = m.now()
	clear(m.unsaved)
}

func (m *model) stop(rt *rapid.T) {
	m.f.stop()
	m.beat = m.now()
	clear(m.unsaved)
	m.reopen(rt)
}

// crash forgets what is not on disk. What an earlier day had of a message is.
func (m *model) crash(rt *rapid.T) {
	if m.beat.IsZero() { // nothing is on disk
		m.entries, m.first, m.missed = map[int]time.Time{}, time.Time{}, nil
	}
	m.f.Close()
	m.f.kill()
	for n := range m.unsaved {
		delete(m.entries, n)
	}
	clear(m.unsaved)
	if !m.first.IsZero() && len(m.f.store.meta[domainKey+"example.com"]) == 0 {
		m.first = time.Time{}
	}
	m.reopen(rt)
}

func (m *model) reopen(rt *rapid.T) {
	down := rapid.SampledFrom([]time.Duration{0, time.Second, time.Hour, 3 * day, 30 * day}).Draw(rt, "downtime")
	m.f.jump(down)
	m.f.open()
	if !m.beat.IsZero() {
		m.missed = append(m.missed, Gap{From: m.beat, To: m.now()})
	}
	m.commit()
}

// check compares all answers. What has been deleted from the model by a crash,
// but was recorded on an earlier day too, may be there.
func (m *model) check(rt *rapid.T) {
	now := m.now()
	for n := range 31 {
		id := fmt.Sprint(n)
		got := m.f.Sent("alice@example.com", id)
		last, ok := m.entries[n]
		switch {
		case ok && now.Sub(last) <= lifetime && !got:
			rt.Fatalf("message %d of %v is missing", n, last)
		case ok && now.Sub(last) > lifetime+2*day && got && m.settled():
			rt.Fatalf("message %d of %v is there still", n, last)
		}
		if m.f.Queued("alice@example.com", "Q"+id) != got {
			rt.Fatalf("message %d: Message-ID and queue id differ", n)
		}
	}
	for hours := -24 * 25; hours <= 24; hours += 7 {
		at := now.Add(time.Duration(hours) * time.Hour)
		if got, want := m.f.Covers("example.com", at), m.covers(at); got != want {
			rt.Fatalf("%v at %v: covered %v, gaps %s", at, now, got, m.f.list())
		}
	}
}

// settled: the last downtime of more than a day is more than a day ago.
func (m *model) settled() bool {
	for _, g := range m.missed {
		if g.To.Sub(g.From) > day && m.now().Sub(g.To) < day {
			return false
		}
	}
	return true
}

func (m *model) covers(at time.Time) bool {
	now := m.now()
	for _, g := range m.missed {
		if !at.Before(g.From.Add(-Skew)) && !at.After(g.To.Add(Skew)) {
			return false
		}
	}
	return !m.first.IsZero() && at.After(m.first.Add(Skew)) && !at.Before(now.Add(2*day-lifetime)) && !at.After(now.Add(Skew))
}
