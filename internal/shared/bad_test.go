package shared

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/backscatter-milter/backscatter-milter/internal/flood"
	"github.com/backscatter-milter/backscatter-milter/internal/ledger"
)

func TestURL(t *testing.T) {
	for setting, want := range map[string]string{
		"redis://redis.example.com":                    "redis://redis.example.com:6379/0 user= password= tls=false",
		"redis://:pw@192.0.2.1:6380/3":                 "redis://192.0.2.1:6380/3 user= password=pw tls=false",
		"rediss://user:p@ss:w/rd@[2001:db8::1]:6379/0": "rediss://[2001:db8::1]:6379/0 user=user password=p@ss:w/rd tls=true",
		"redis://[2001:db8::1]":                        "redis://[2001:db8::1]:6379/0 user= password= tls=false",
		"redis://us%65r:p%40s%2Fs@host/0":              "redis://host:6379/0 user=user password=p@s/s tls=false",
		"redis://:100%@host/0":                         "redis://host:6379/0 user= password=100% tls=false",
		"redis://pw@a,b:7000":                          "redis://a:6379,b:7000 user= password=pw tls=false",
	} {
		u, err := ParseURL(setting)
		if got := fmt.Sprintf("%v user=%s password=%s tls=%v", u, u.user, u.password, u.TLS); err != nil || got != want {
			t.Errorf("%s: %s, %v", setting, got, err)
		}
	}
}

// TestForeignValues: what is in the way of a key is named, and outlived.
func TestForeignValues(t *testing.T) {
	for name, put := range map[string]func(*redis.Client){
		siteKey:  func(c *redis.Client) { c.Set(t.Context(), siteKey, "hello", 0) },
		liveKey:  func(c *redis.Client) { c.Set(t.Context(), liveKey, "hello", 0) },
		hostsKey: func(c *redis.Client) { c.LPush(t.Context(), hostsKey, "hello") },
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			c := redis.NewClient(&redis.Options{Addr: s.Addr()})
			defer func() { _ = c.Close() }()
			put(c)
			a := start(t, "a", "redis://"+s.Addr(), &clock{})
			a.inState("away")
			if err := a.Status().Error; err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("error %v", err)
			}
			c.Del(t.Context(), name)
			a.inState("shared")
		})
	}
}

// TestNonsense: entries that make no sense are passed over and counted, and a
// host whose fingerprints could not be read is not covered for that time.
func TestNonsense(t *testing.T) {
	s, a, b := two(t, 12*day)
	c := redis.NewClient(&redis.Options{Addr: s.Addr()})
	defer func() { _ = c.Close() }()
	early := a.clock.now().Add(-5 * day)
	until(t, "covered before", func() bool { return a.ledger.Covers("example.com", early) })
	from := func(fields ...any) []any { return append([]any{hostField, b.id, instanceField, "other"}, fields...) }
	for _, values := range [][]any{
		{"x", "y"},
		{hostField, strings.Repeat("x", 1000)},
		from(beatField, "{"), from(beatField, `{"u":-1}`),
		from(groupField, "1234", dayField, "20000"),
		from(groupField, ledger.EncodeGroup([]uint64{1 << 61}), dayField, "soon"),
		from(dayField, "-5"), from(dayField, "999999999"), from(dayField, "x"),
		from(nameField, "beat", recordField, "{"), from(nameField, "domain/x", recordField, `{"Signing":{"Days":[5,4]}}`),
		from(nameField, "what is this"),
	} {
		if err := c.XAdd(t.Context(), &redis.XAddArgs{Stream: liveKey, Values: values}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, values := range [][]any{
		from(countsField, "123"), from(blocksField, "{"),
		from(countsField, encodeCounts([]flood.Counted{{Kind: 99, Sum: 1, Events: 1}, {Kind: 1, Sum: 0, Events: 5}, {Kind: 1, Sum: 5, Events: -1 << 31}})),
		from(blocksField, `[{"kind":250,"sum":1,"left":5},{"kind":1,"sum":77,"name":"a\nb","left":9000000000000000000}]`),
	} {
		if err := c.XAdd(t.Context(), &redis.XAddArgs{Stream: floodKey, Values: values}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "all are counted", func() bool { return a.Status().Damaged >= 12 })
	b.ledger.Record(message("after"))
	a.waitFor("after")
	for _, h := range a.flood.Hottest(0) {
		if strings.Contains(h.Name, "\n") || h.Left > 4*time.Hour {
			t.Errorf("%+v", h)
		}
	}
	doubtful := a.clock.now()
	minutes(20, a)
	minutes(20, b)
	until(t, "what was unreadable is not covered, and the rest is", func() bool {
		return a.ledger.Covers("example.com", early) && !a.ledger.Covers("example.com", doubtful.Add(-time.Second))
	})
}

// TestClocks: a host whose clock is far ahead is told of, and not believed.
func TestClocks(t *testing.T) {
	s := startServer(t)
	a := start(t, "a", "redis://"+s.Addr(), &clock{})
	a.inState("shared")
	ahead := &clock{}
	ahead.jump(time.Hour)
	b := start(t, "b", "redis://"+s.Addr(), ahead)
	b.inState("shared")
	b.ledger.Record(message("ahead"))
	a.waitFor("ahead")
	until(t, "a tells of the clock", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, e := range a.events {
			if strings.Contains(e.Text, "clock of host") && strings.Contains(e.Text, "59m") || strings.Contains(e.Text, "1h0m") {
				return true
			}
		}
		return false
	})
	if h := a.Status().Hosts; len(h) != 1 || h[0].Skew.Round(time.Minute) != time.Hour {
		t.Errorf("%+v", h)
	}
}

// TestOwnPast: a host with a record of its own joins a site: what it recorded
// still proves there, and is of no use to others.
func TestOwnPast(t *testing.T) {
	s := startServer(t)
	a := start(t, "a", "redis://"+s.Addr(), &clock{})
	a.inState("shared")
	c := start(t, "b", "redis://192.0.2.1:1", &clock{}) // cannot be reached
	c.ledger.Record(message("past"))
	until(t, "it proves", func() bool { return c.proves("past") })
	c.leave()
	c.share("redis://" + s.Addr())
	c.inState("shared")
	c.ledger.Record(message("present"))
	a.waitFor("present")
	if !c.proves("past") || a.proves("past") {
		t.Errorf("the past: %v there, %v here", c.proves("past"), a.proves("past"))
	}
}

// TestCopiedState: two hosts with one identity part ways.
func TestCopiedState(t *testing.T) {
	s := startServer(t)
	a := start(t, "a", "redis://"+s.Addr(), &clock{})
	a.inState("shared")
	b := start(t, "b", "redis://192.0.2.1:1", &clock{})
	b.leave()
	b.id = a.id
	time.Sleep(1200 * time.Millisecond)
	b.share("redis://" + s.Addr())
	until(t, "one has another identity", func() bool {
		const text = "another host has a copy of this state folder; this one takes a new identity"
		return a.told(text)+b.told(text) == 1
	})
	a.ledger.Record(message("a"))
	b.waitFor("a")
	b.ledger.Record(message("b"))
	a.waitFor("b")
}
