package probe

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const example = "example.com"

type memory struct {
	mu      sync.Mutex
	records map[string][]byte
}

func (m *memory) Each(fn func(string, []byte) error) error {
	for k, v := range maps.Clone(m.records) {
		if err := fn(k, v); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) Put(key string, value []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records[key] = value
}

func (m *memory) Delete(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.records, key)
}

// prober runs a Prober in a bubble, where time goes by when all wait.
func prober(t *testing.T, m *mta, store Store) *Prober {
	t.Helper()
	p, err := NewProber(Options{
		Target: target(m),
		Query: func(sender string, _ time.Time) (Query, bool) {
			return query(), sender != "unsigned@example.com"
		},
		Store: store,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return p
}

func (p *Prober) need() { p.Need(example, plain, time.Now()); synctest.Wait() }

func TestProberAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{records: map[string][]byte{}}
		m := &mta{rcpt: accepting(prvs, plain)}
		p := prober(t, m, store)
		if p.Layout(example) != Unknown {
			t.Error("known before asked")
		}
		p.Need(example, "unsigned@example.com", time.Now())
		synctest.Wait()
		if m.asked() != 0 {
			t.Error("asked for a sender that is not signed")
		}
		time.Sleep(firstBackoff + time.Second)
		p.need()
		if p.Layout(example) != PRVS || m.asked() != 1 {
			t.Fatalf("%+v after %d questions", p.Findings(), m.asked())
		}
		time.Sleep(23 * time.Hour)
		p.need()
		if m.asked() != 1 {
			t.Error("asked again within the day")
		}
		m.answer("", accepting(plain))
		time.Sleep(2 * time.Hour)
		p.need()
		if p.Layout(example) != None || m.asked() != 2 {
			t.Errorf("%+v after %d questions", p.Findings(), m.asked())
		}
		m.answer("", accepting(sub, plain))
		time.Sleep(againNo + time.Second)
		p.need()
		if p.Layout(example) != Subaddress {
			t.Errorf("mended an hour ago: %+v", p.Findings())
		}

		// After a restart the answer holds until it has been asked again.
		m.answer("", accepting(plain))
		p = prober(t, m, store)
		if p.Layout(example) != Subaddress {
			t.Errorf("after a restart %+v", p.Findings())
		}
		p.need()
		if p.Layout(example) != None {
			t.Errorf("asked after a restart: %+v", p.Findings())
		}
	})
}

func TestProberErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mta{rcpt: accepting(prvs, plain)}
		p := prober(t, m, nil)
		p.need()
		m.answer("554 no", nil)
		p.Restart()
		p.need()
		if p.Layout(example) != PRVS || m.asked() != 2 {
			t.Errorf("an MTA that cannot be asked changes the answer: %+v", p.Findings())
		}
		if got := p.Findings()[0].Err; !strings.Contains(got, "554 no") {
			t.Errorf("error %q", got)
		}
		before := m.asked()
		time.Sleep(10 * time.Hour)
		if n := m.asked() - before; n < 8 || n > 20 {
			t.Errorf("%d attempts in ten hours", n)
		}
		p.Need("other.example.com", "a@other.example.com", time.Now())
		m.answer("", accepting(prvs, plain))
		time.Sleep(longestBackoff + time.Minute)
		if p.Findings()[0].Err != "" || p.Layout("other.example.com") != PRVS {
			t.Errorf("%+v", p.Findings())
		}

		// A sender that nobody is says nothing.
		m.answer("", accepting())
		time.Sleep(againYes)
		p.need()
		if p.Layout(example) != PRVS {
			t.Errorf("%+v", p.Findings())
		}
		// A genuine tag refused stops at once, and asks anew.
		p.mu.Lock()
		p.domains[example].CatchAll = true // as was said before
		p.mu.Unlock()
		p.Refused(example, "550 5.1.1 unknown\n")
		if f := p.Findings()[0]; f.Layout != None || f.CatchAll || f.Reply != "550 5.1.1 unknown?" {
			t.Errorf("%+v", f)
		}
		m.answer("", accepting(prvs, plain))
		p.need()
		if p.Layout(example) != PRVS {
			t.Errorf("%+v", p.Findings())
		}
	})
}

func TestIsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *Prober
		var during []bool
		var hang atomic.Bool
		m := &mta{rcpt: func(a string) string {
			during = append(during, p.IsOwn(a), p.IsOwn(strings.ToUpper(a)), p.IsOwn("prvs=9999999999=user@example.com"))
			if hang.Load() {
				return "HANG"
			}
			return accepting(plain)(a)
		}}
		p = prober(t, m, nil)
		p.need()
		if got := fmt.Sprint(during); got != "[true true false true true false true true false]" {
			t.Errorf("during the question: %s", got)
		}
		if p.IsOwn(prvs) || p.IsOwn(plain) {
			t.Error("own after the question")
		}
		hang.Store(true)
		p.Restart()
		p.need()
		time.Sleep(replyTimeout + time.Second)
		if !p.IsOwn(prvs) || p.IsOwn(plain) {
			t.Errorf("left without a reply: %v, plain %v", p.IsOwn(prvs), p.IsOwn(plain))
		}
		m.answer("554 no", nil)
		time.Sleep(4 * time.Hour)
		p.Restart()
		time.Sleep(2 * time.Minute)
	})
}

func TestProberBounds(t *testing.T) {
	p, _ := NewProber(Options{Target: target(&mta{})})
	for i := range maxDomains + 100 {
		p.Need(fmt.Sprintf("d%d.example.com", i), plain, time.Now())
	}
	if len(p.domains) != maxDomains {
		t.Errorf("%d domains", len(p.domains))
	}
	now := time.Now()
	if n := testing.AllocsPerRun(100, func() {
		p.Need("d1.example.com", plain, now)
		p.Layout("d1.example.com")
		p.IsOwn(prvs)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestProberStored(t *testing.T) {
	p, err := NewProber(Options{Target: target(&mta{}), Store: &memory{records: map[string][]byte{
		"a.example.com": []byte(`{"Layout":2}`),
		"b.example.com": []byte(`{"Layout":9}`),
		"c.example.com": []byte(`{`),
	}}})
	if err != nil || len(p.Findings()) != 1 || p.Layout("a.example.com") != PRVS {
		t.Errorf("%+v, %v", p.Findings(), err)
	}
}
