package grace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

const other = "0123456789abcdef"

// together is a site that has been strict for a while, with another host that
// has been there as long.
func together(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	s.Share()
	s.live(time.Hour)
	s.SetSPF(example, "", s.now)
	s.merge(beatKey, beatRecord{Begun: begin(), Last: s.now})
	s.live(lifetime)
	s.hear(s.now)
	s.expect("with another host that is heard", true)
	return s
}

func (s *site) merge(name string, record any) {
	s.t.Helper()
	value, err := json.Marshal(record)
	if err != nil || !s.MergeRecord(other, name, value, s.now) {
		s.t.Errorf("%s not taken, %v", name, err)
	}
}

func (s *site) hear(heard time.Time) {
	s.SetPeers([]PeerState{{ID: other, Name: "b", Heard: heard}}, s.now)
}

// TestSilentHosts: strictness waits for hosts that are silent or cannot be
// believed, and one that is gone has been a gap.
func TestSilentHosts(t *testing.T) {
	s := together(t)
	for _, tt := range []struct {
		name  string
		heard time.Time
		want  bool
	}{
		{"just now", s.now, true},
		{"a while ago", s.now.Add(-Hole), true},
		{"too long ago", s.now.Add(-Hole - time.Second), false},
		{"heard again", s.now, true},
		{"not to be believed", time.Time{}, false},
		{"gone", s.now.Add(-Gone - time.Hour), false},
		{"long gone", s.now.Add(-Gone - 2*lifetime), true},
	} {
		s.hear(tt.heard)
		s.Heartbeat(s.now)
		s.expect(tt.name, tt.want)
	}
}

// TestUnreadableOfOthers of another host are as if it had begun just now, and
// take no room.
func TestUnreadableOfOthers(t *testing.T) {
	gaps := make([]Gap, maxGaps+1)
	many, err := json.Marshal(beatRecord{Begun: begin(), Gaps: gaps})
	if err != nil {
		t.Fatal(err)
	}
	long := fmt.Sprintf(`{"Elsewhere":{"What":%q}}`, strings.Repeat("x", maxRecord))
	for _, tt := range []struct{ name, value string }{
		{beatKey, "{"},
		{beatKey, string(many)},
		{domainKey + "example.org", `{"Signing":{"Days":[5,4]}}`},
		{domainKey + "example.org", long},
		{domainKey + strings.Repeat("x", maxName+1), `{}`},
		{keyKey + "zz", `{}`},
		{"something new", `{}`},
	} {
		s := together(t)
		if s.MergeRecord(other, tt.name, []byte(tt.value), s.now) {
			t.Errorf("%.40s %.40s is taken", tt.name, tt.value)
		}
		s.expect(fmt.Sprintf("%.40s %.40s", tt.name, tt.value), false)
		if n := s.Counts().Unreadable; n != 1 || len(s.Grace.sharing.others) > 0 {
			t.Errorf("%d unreadable, others %v", n, s.Grace.sharing.others)
		}
	}
}

// TestClocksOfOthers: times that are still to come are not believed.
func TestClocksOfOthers(t *testing.T) {
	s := together(t)
	later := s.now.Add(1000 * day)
	s.merge(keyKey+KeyID{7}.String(), key{First: later, Last: later, Proven: later})
	for _, k := range s.Keys() {
		if k.Last.After(s.now) || k.Proven.After(s.now) {
			t.Errorf("%+v", k)
		}
	}
	s.merge(domainKey+"example.org", domain{LastIn: later, Signing: Track{First: later, Last: later, Days: []int32{dayOf(later)}}})
	if a := s.Status("example.org", s.now).Signing; a.First.After(s.now) || a.Days > 0 {
		t.Errorf("%+v", a)
	}
}

// TestForgottenElsewhere: domains that other hosts do not know any more take no
// room here.
func TestForgottenElsewhere(t *testing.T) {
	s := together(t)
	for n := range MaxDomains + 10 {
		name := fmt.Sprintf("%sd%d.example.net", domainKey, n)
		s.merge(name, domain{Accepted: 1})
		if !s.MergeRecord(other, name, nil, s.now) {
			t.Fatal("a removal is not taken")
		}
	}
	for range Sightings {
		s.SawSent("example.org", s.now)
	}
	s.merge(domainKey+"example.org", domain{Accepted: Sightings})
	s.merge(domainKey+"new.example.org", domain{Accepted: Sightings, Sent: Sightings})
	if !s.Ours("new.example.org") || !s.Ours("example.org") {
		t.Error("there is no room for domains that others know")
	}
	s.SetPeers(nil, s.now)
	if s.Ours("new.example.org") || len(s.Grace.sharing.others) > 0 {
		t.Error("what a host knew that is no more is still known")
	}
}

// TestOutbox: what nobody collects is bounded, and said to be incomplete.
func TestOutbox(t *testing.T) {
	s := newSite(t)
	s.Share()
	for n := range 8 * MaxDomains {
		s.SawAccepted(fmt.Sprintf("d%d.example.net", n), s.now)
	}
	changed, all := s.Changed()
	if len(changed) > maxOutbox || all {
		t.Errorf("%d wait, all: %v", len(changed), all)
	}
	s.SawAccepted("example.org", s.now)
	if changed, all = s.Changed(); len(changed) == 0 || !all {
		t.Errorf("then %d, all: %v", len(changed), all)
	}
	if records := s.Records(); len(records) != len(s.Grace.domains)+1 {
		t.Errorf("%d records of %d domains", len(records), len(s.Grace.domains))
	}
	if changed, _ = s.Changed(); len(changed) != 0 {
		t.Errorf("asking for all is a change: %v", changed)
	}
}

// TestOutboxIsNotShared: what was given is not written to any more.
func TestOutboxIsNotShared(t *testing.T) {
	s := newSite(t)
	s.Share()
	s.Changed()
	given, _ := s.Changed()
	s.SawAccepted("example.org", s.now)
	if len(given) > 0 {
		t.Error("what was given has changed")
	}
}

// FuzzMergeRecord: whatever another host says, it is taken or not, what is asked
// is answered, and nothing grows.
func FuzzMergeRecord(f *testing.F) {
	f.Add(beatKey, []byte(`{"Begun":"2026-11-01T12:00:00Z","Last":"2026-11-01T12:00:00Z","Gaps":[{"From":"2026-11-01T12:00:00Z","To":"2026-11-01T11:00:00Z","Why":"x"}]}`))
	f.Add(domainKey+example, []byte(`{"Accepted":-5,"Sent":3,"Signing":{"Days":[-1,2,2147483647]},"SPF":{"At":"9999-01-01T00:00:00Z"}}`))
	f.Add(domainKey, []byte(`null`))
	f.Add(keyKey+"0123456789abcdef", []byte(`{"Last":"0001-01-01T00:00:00Z"}`))
	f.Add("x", []byte("{"))
	f.Fuzz(func(t *testing.T, name string, value []byte) {
		g, err := New(nil, Rules{Lifetime: lifetime}, begin())
		if err != nil {
			t.Fatal(err)
		}
		g.Share()
		g.Signed(example, someKey(), begin())
		ok := g.MergeRecord(other, name, bytes.Clone(value), begin())
		g.SetPeers([]PeerState{{ID: other, Heard: begin()}}, begin())
		if ok != (g.Counts().Unreadable == 0) {
			t.Errorf("taken: %v, unreadable: %d", ok, g.Counts().Unreadable)
		}
		if g.Strict(example, begin()) || g.StrictByRecord(example, begin()) {
			t.Error("strict from the first moment")
		}
		for _, s := range g.All(begin().Add(time.Minute)) {
			if n := len(s.Signing.Gaps); n > 4*maxGaps+8 {
				t.Errorf("%d gaps", n)
			}
		}
		g.Keys()
		g.Domains()
	})
}
