package shared

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/backscatter-milter/backscatter-milter/internal/flood"
)

// TestClockAhead: of a host whose clock cannot be right nothing is known, and it
// is not one that is gone: it keeps its place, and nothing is covered or strict.
func TestClockAhead(t *testing.T) {
	s, a, _ := two(t, 12*day)
	early := a.clock.now().Add(-5 * day)
	until(t, "covered before", func() bool {
		return a.ledger.Covers("example.com", early) && a.grace.Strict("example.com", a.clock.now())
	})
	c := redis.NewClient(&redis.Options{Addr: s.Addr()})
	defer func() { _ = c.Close() }()
	const id = "0123456789abcdef"
	record, err := json.Marshal(hostRecord{Name: "ahead\n", Begun: early.Add(-day), Until: a.clock.now().Add(time.Hour).UnixMilli()})
	if err != nil {
		t.Fatal(err)
	}
	c.HSet(t.Context(), hostsKey, id, record)
	text, err := json.Marshal(beat{Until: a.clock.now().Add(time.Hour).UnixMilli(), Edge: 1})
	if err != nil {
		t.Fatal(err)
	}
	c.XAdd(t.Context(), &redis.XAddArgs{Stream: liveKey, Values: []any{hostField, id, beatField, text}})
	a.knows(2)
	until(t, "not covered, nor strict", func() bool {
		return !a.ledger.Covers("example.com", early) && !a.grace.Strict("example.com", a.clock.now())
	})
	minutes(4, a) // and what is kept is looked after
	time.Sleep(3 * tick)
	if s.HGet(hostsKey, id) != string(record) {
		t.Error("its place has been taken away")
	}
	for _, h := range a.Status().Hosts {
		if h.ID == id && (h.Name != "ahead?" || h.Heard.IsZero()) {
			t.Errorf("%+v", h)
		}
	}
}

// TestClockSetBackAtStart: a host that starts with its clock behind what it said
// of itself before is no copy.
func TestClockSetBackAtStart(t *testing.T) {
	s, now := startServer(t), &clock{}
	a := start(t, "a", "redis://"+s.Addr(), now)
	a.inState("shared")
	id := a.id
	time.Sleep(beatEvery + 2*tick)
	a.leave()
	now.jump(-time.Minute)
	a.share("redis://" + s.Addr())
	a.inState("shared")
	time.Sleep(beatEvery + 2*tick)
	if a.id != id {
		t.Errorf("%s is now %s: %v", id, a.id, a.events)
	}
}

// TestOneOfTwins: of two hosts with one identity one keeps it.
func TestOneOfTwins(t *testing.T) {
	for range 3 {
		s := startServer(t)
		a := start(t, "a", "redis://"+s.Addr(), &clock{})
		a.inState("shared")
		id := a.id
		b := start(t, "b", "redis://192.0.2.1:1", &clock{})
		b.leave()
		b.id = id
		b.share("redis://" + s.Addr())
		until(t, "they know of each other", func() bool { return len(a.Status().Hosts) == 1 && len(b.Status().Hosts) == 1 })
		time.Sleep(beatEvery + 2*tick)
		a.leave()
		b.leave()
		if (a.id == id) == (b.id == id) {
			t.Errorf("%s: %s and %s", id, a.id, b.id)
		}
	}
}

// TestTooManyHosts: where there are more than can be looked after, nothing is
// covered or strict.
func TestTooManyHosts(t *testing.T) {
	s, a, b := two(t, 12*day)
	early := a.clock.now().Add(-5 * day)
	until(t, "covered before", func() bool { return b.ledger.Covers("example.com", early) })
	a.leave()
	for n := range maxHosts + 5 {
		record, err := json.Marshal(hostRecord{Name: fmt.Sprint("h", n), Begun: early.Add(-5 * day), Until: a.clock.now().UnixMilli()})
		if err != nil {
			t.Fatal(err)
		}
		s.HSet(hostsKey, fmt.Sprintf("%016x", n), string(record))
	}
	a.share("redis://" + s.Addr())
	a.inState("shared")
	until(t, "a has concluded", func() bool { return len(a.Status().Hosts) == maxHosts })
	if a.ledger.Covers("example.com", early) || a.grace.StrictByRecord("example.com", a.clock.now()) {
		t.Error("covered or strict")
	}
}

// TestLateFloods: counts that come late count for nothing, and blocks for what
// is left of them.
func TestLateFloods(t *testing.T) {
	_, a, b := two(t, 0)
	b.leave()
	a.leave()
	if !a.self {
		t.Fatal("a does not know the store's clock")
	}
	from := b.flood
	b.bounce("203.0.113.7", 50)
	var news flood.News
	if news = from.News(); len(news.Blocks) != 1 {
		t.Fatalf("%+v", news)
	}
	entry := func(ago time.Duration, blocks []flood.Blocking) redis.XMessage {
		text, err := json.Marshal(blocks)
		if err != nil {
			t.Fatal(err)
		}
		id := position{ms: uint64(a.clock.now().Add(a.skew - ago).UnixMilli())}
		return redis.XMessage{ID: id.String(), Values: map[string]any{
			hostField: b.id, instanceField: "x", countsField: string(encodeCounts(news.Counts)), blocksField: string(text),
		}}
	}
	a.hearFlood(entry(20*time.Minute, news.Blocks))
	if a.blocks("203.0.113.7") || len(a.flood.Hottest(0)) > 0 {
		t.Errorf("%+v", a.flood.Hottest(0))
	}
	a.hearFlood(entry(5*time.Minute, news.Blocks))
	hot := a.flood.Hottest(0)
	if len(hot) != 1 || hot[0].Left > 10*time.Minute || hot[0].Left < 9*time.Minute {
		t.Errorf("%+v", hot)
	}
	a.hearFlood(entry(5*time.Minute, []flood.Blocking{{Name: "203.0.113.0/24"}}))
	if a.blocks("203.0.113.7") {
		t.Error("what was unblocked late is still blocked")
	}
}
