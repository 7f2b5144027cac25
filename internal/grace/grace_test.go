package grace

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"
)

// memory is a Store that a test can look into.
type memory struct {
	mu      sync.Mutex
	records map[string][]byte
	err     error
}

func (m *memory) Each(fn func(string, []byte) error) error {
	for k, v := range m.records {
		if err := fn(k, v); err != nil {
			return err
		}
	}
	return m.err
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

const (
	lifetime = 10 * day
	example  = "example.com"
)

func begin() time.Time  { return time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC) }
func someKey() KeyID    { return KeyID{1, 2, 3} }
func newStore() *memory { return &memory{records: map[string][]byte{}} }

// site is a Grace with a clock that goes by itself.
type site struct {
	*Grace
	t     *testing.T
	store *memory
	now   time.Time
	rules Rules
}

func newSite(t *testing.T) *site {
	s := &site{t: t, store: newStore(), now: begin(), rules: Rules{Lifetime: lifetime}}
	s.start()
	return s
}

func (s *site) start() {
	s.t.Helper()
	g, err := New(s.store, s.rules, s.now)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Grace = g
}

// live lets time go by, with heartbeats and a signing an hour.
func (s *site) live(d time.Duration) {
	for end := s.now.Add(d); s.now.Before(end); {
		before := s.now
		s.now = s.now.Add(min(10*time.Minute, end.Sub(s.now)))
		s.Heartbeat(s.now)
		if s.now.Hour() != before.Hour() {
			s.Signed(example, someKey(), s.now)
			s.Recorded(example, s.now)
		}
	}
}

func (s *site) expect(what string, strict bool) {
	s.t.Helper()
	if got := s.Strict(example, s.now); got != strict {
		s.t.Errorf("%s: strict %v, missing %q", what, got, s.Status(example, s.now).Signing.Missing)
	}
	missing := s.Status(example, s.now).Signing.Missing
	if (len(missing) == 0) != s.Strict(example, s.now) {
		s.t.Errorf("%s: strict %v, and missing %q", what, s.Strict(example, s.now), missing)
	}
}

func TestStrict(t *testing.T) {
	s := newSite(t)
	s.expect("at first", false)
	s.live(time.Hour)
	s.SetSPF(example, "", s.now)
	s.expect("after an hour", false)
	s.live(lifetime - 2*time.Minute)
	s.expect("two minutes short of a lifetime", false)
	s.live(2 * time.Minute)
	s.expect("after a lifetime", true)
	if !s.StrictByRecord(example, s.now) {
		t.Error("not strict by record")
	}

	s.Unsigned(example, "the probe was refused", s.now)
	s.expect("mail unsigned", false)
	if !s.StrictByRecord(example, s.now) {
		t.Error("unsigned mail is no gap of the record")
	}
	s.live(lifetime + time.Minute)
	s.expect("a lifetime after the gap", true)
	s.Unrecorded(example, "the store was full", s.now)
	s.expect("mail unrecorded", true)
	if s.StrictByRecord(example, s.now) {
		t.Error("strict by a record with a gap")
	}
}

func TestDowntime(t *testing.T) {
	s := newSite(t)
	s.live(time.Hour)
	s.SetSPF(example, "", s.now)
	s.live(lifetime)
	s.expect("after a lifetime", true)
	s.now = s.now.Add(Hole - time.Minute)
	s.start()
	s.expect("after a short stop", true)
	down := s.now
	s.now = s.now.Add(Hole + time.Minute)
	s.start()
	s.expect("after a long stop", false)
	gaps := s.Status(example, s.now).Signing.Gaps
	if len(gaps) != 1 || gaps[0].Why != "the daemon was not running" || !gaps[0].From.Equal(down) || !gaps[0].To.Equal(s.now) {
		t.Errorf("gaps %+v", gaps)
	}
	if got := s.Status(example, s.now).Signing.Missing; len(got) != 2 || !strings.Contains(got[0], "the daemon was not running") {
		t.Errorf("missing %q", got)
	}
	s.live(lifetime)
	s.expect("a lifetime later", true)
	s.start()
	s.expect("after a restart", true)
}

// TestFewDays: a site that writes on two days of a lifetime is not strict.
func TestFewDays(t *testing.T) {
	s := newSite(t)
	quiet := func(d time.Duration) {
		for end := s.now.Add(d); s.now.Before(end); {
			s.now = s.now.Add(time.Minute)
			s.Heartbeat(s.now)
		}
	}
	s.Signed(example, someKey(), s.now)
	s.SetSPF(example, "", s.now)
	quiet(2 * day)
	s.Signed(example, someKey(), s.now)
	quiet(lifetime)
	s.expect("two days of signing", false)
	if got := s.Status(example, s.now).Signing.Missing; len(got) != 1 || got[0] != "its mail has been signed on 2 of at least 3 days" {
		t.Errorf("missing %q", got)
	}
	s.Signed(example, someKey(), s.now)
	s.expect("the third", true)
}

func TestElsewhere(t *testing.T) {
	s := newSite(t)
	s.live(lifetime + time.Hour)
	s.expect("SPF never read", false)
	s.SetSPF(example, "include:_spf.example.net allows 192.0.2.0/24", s.now)
	s.expect("SPF lets others send", false)
	all := true
	s.SetRules(Rules{Lifetime: lifetime, AllMailHere: func(d string) bool { return all && d == example }}, s.now)
	s.expect("all mail here", true)
	all = false
	s.Heartbeat(s.now)
	s.expect("no longer", false)
	s.SetSPF(example, "", s.now)
	s.expect("SPF lets nobody else send", true)
	s.SendsElsewhere(example, "a bounce was proven by DKIM of mail that is not in the ledger", s.now)
	s.expect("seen to send elsewhere", false)
	s.start()
	s.expect("after a restart", false)
	s.live(Memory + time.Hour)
	s.SetSPF(example, "", s.now)
	s.expect("long ago", true)
	s.SetRules(Rules{Lifetime: 200 * day}, s.now)
	s.expect("longer lifetime", false)
}

func TestBounds(t *testing.T) {
	s := newSite(t)
	for i := range MaxDomains + 500 {
		s.SawSent(fmt.Sprintf("d%d.example.net", i), s.now)
	}
	for range Sightings {
		s.SawSent(example, s.now)
		s.SawAccepted(example, s.now)
	}
	if !s.Ours(example) || len(s.domains) > MaxDomains || s.Counts().NotLearned != 0 {
		t.Errorf("forwarded senders keep our domain from being learned: %d known", len(s.domains))
	}
	for i := range MaxDomains + 500 {
		s.SawAccepted(fmt.Sprintf("d%d.example.org", i), s.now)
		s.Signed(fmt.Sprintf("d%d.example.org", i), KeyID{byte(i), byte(i >> 8), 1}, s.now)
	}
	if len(s.domains) != MaxDomains || len(s.keys) != MaxDomains || s.Counts().NotLearned == 0 {
		t.Errorf("%d domains, %d keys, %+v", len(s.domains), len(s.keys), s.Counts())
	}
	s.SawAccepted(strings.Repeat("a.", 200)+"example.com", s.now)
	for i := range 100 {
		s.now = s.now.Add(2 * day)
		s.Unsigned("d1.example.org", fmt.Sprint("reason ", i), s.now)
		s.Signed("d1.example.org", someKey(), s.now)
	}
	d := s.domains["d1.example.org"]
	if len(d.Signing.Gaps) > maxGaps || len(d.Signing.Days) > maxDays || len(s.clock.record.Gaps) > maxGaps {
		t.Errorf("%d gaps, %d days", len(d.Signing.Gaps), len(d.Signing.Days))
	}
	s.start()
	if len(s.domains) > MaxDomains || s.Counts().Unreadable > 0 {
		t.Errorf("%d domains read, %+v", len(s.domains), s.Counts())
	}
}

func TestKeys(t *testing.T) {
	s := newSite(t)
	a, b := KeyID{1}, KeyID{2}
	s.Signed(example, a, s.now)
	s.Prove(a, s.now)
	s.live(day)
	s.Signed(example, b, s.now)
	s.Prove(KeyID{}, s.now)
	s.start()
	if !s.Proven(a) || s.Proven(b) || s.Proven(KeyID{}) {
		t.Errorf("proven: %v %v", s.Proven(a), s.Proven(b))
	}
	var got []string
	for _, k := range s.Keys() {
		got = append(got, fmt.Sprint(k.ID, " ", k.Abroad.Sub(begin())))
	}
	if want := []string{"0102030000000000 288h0m0s", "0200000000000000 288h0m0s", "0100000000000000 264h0m0s"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("keys %q", got)
	}
	s.live(Memory + time.Hour)
	if s.Proven(a) || len(s.Keys()) != 1 {
		t.Errorf("after 90 days %v", s.Keys())
	}
}

func TestUnreadableRecords(t *testing.T) {
	s := newSite(t)
	s.live(lifetime)
	s.SetSPF(example, "", s.now)
	s.live(day)
	s.expect("before", true)
	maps.Copy(s.store.records, map[string][]byte{
		"domain/a.example.com": []byte("{"),
		"domain/b.example.com": []byte(`{"Signing":{"Days":[3,2]}}`),
		"key/zz":               []byte("{}"),
		"key/0102":             []byte("{}"),
		"other":                []byte("{}"),
		beatKey:                []byte(`[]`),
	})
	s.start()
	if got := s.Counts().Unreadable; got != 6 {
		t.Errorf("%d unreadable", got)
	}
	s.expect("the heartbeat lost", false)
	s.store.err = errors.New("the disk died")
	if g, err := New(s.store, s.rules, s.now); err == nil || g == nil {
		t.Errorf("a store that fails: %v, %v", g, err)
	}
	g, err := New(nil, s.rules, s.now)
	if err != nil {
		t.Fatal(err)
	}
	g.Signed(example, someKey(), s.now)
	g.Heartbeat(s.now)
}

func TestUnknownDomain(t *testing.T) {
	s := newSite(t)
	st := s.Status("Nobody.example", s.now)
	if st.Learned || st.Domain != "nobody.example" || len(st.Signing.Missing) != 2 {
		t.Errorf("%+v", st)
	}
	s.Unsigned(example, "no key", s.now)
	s.SetSPF(example, "", s.now)
	if len(s.All(s.now)) != 0 || len(s.domains) != 0 {
		t.Error("a domain is known by having been unsigned")
	}
}

// TestHotPath: what the way of a message leads through allocates nothing.
func TestHotPath(t *testing.T) {
	s := newSite(t)
	for range Sightings {
		s.SawAccepted(example, s.now)
		s.SawSent(example, s.now)
	}
	calls := func() {
		s.SawAccepted(example, s.now)
		s.SawSent(example, s.now)
		s.Signed(example, someKey(), s.now)
		s.Recorded(example, s.now)
		s.Unsigned(example, "no key", s.now)
		s.Prove(someKey(), s.now)
		_ = s.Ours(example) && s.Strict(example, s.now) && s.StrictByRecord(example, s.now) && s.Proven(someKey())
	}
	calls()
	if n := testing.AllocsPerRun(100, calls); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestConcurrent(t *testing.T) {
	s := newSite(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 300 {
				now := begin().Add(time.Duration(j) * time.Minute)
				name := fmt.Sprintf("d%d.example.com", (i+j)%5)
				s.SawAccepted(name, now)
				s.SawSent(name, now)
				s.Signed(name, KeyID{byte(j % 3)}, now)
				s.Unsigned(name, "no key", now)
				s.Heartbeat(now)
				s.Status(name, now)
				s.All(now)
				s.Keys()
				s.SetSPF(name, "", now)
				s.Strict(name, now)
			}
		})
	}
	wg.Wait()
	if len(s.Domains()) != 5 {
		t.Errorf("learned %q", s.Domains())
	}
}

func BenchmarkSigned(b *testing.B) {
	g, _ := New(nil, Rules{Lifetime: lifetime}, begin())
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			g.Signed(example, someKey(), begin())
			g.Strict(example, begin())
		}
	})
}
