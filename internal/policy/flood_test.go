package policy

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/flood"
)

// floodRules block a client or subject at the eleventh, a recipient at the sixth,
// and have a surge at the fourth.
var floodRules = flood.Rules{
	Threshold: 10, Window: time.Minute, RecipientThreshold: 5, RecipientWindow: time.Minute,
	Block: time.Minute, MaxBlock: time.Hour, Surge: 4, ProvenAlarm: 3,
}

// floodSite has what counts floods, and the changes that it told.
type floodSite struct {
	*Settings
	floods *flood.Flood
	told   []string
}

func flooding(t *testing.T, toml string, r flood.Rules, site Site) *floodSite {
	s := &floodSite{Settings: testSite(t, toml, site)}
	s.floods = flood.New(flood.Options{Rules: r, Now: func() time.Time { return now }, Report: func(c flood.Change) {
		s.told = append(s.told, c.Event.String()+" "+c.Name)
	}})
	s.Settings.floods = s.floods
	return s
}

// bounce plays a bounce to recipients from a client, and gives the verdicts, of
// each recipient that was refused or else of the message.
func (s *floodSite) bounce(client, subject string, class classify.Class, to ...string) (verdicts []Verdict) {
	m := NewMessage(s.Settings, Envelope{Client: Client{Addr: addr(client)}}, now)
	var facts []*Facts
	for _, rcpt := range to {
		f := m.Recipient(rcpt)
		v := Judge(&f, AtRcpt)
		m.CountRecipient(&f, v)
		if v.Refuses() {
			verdicts = append(verdicts, v)
			continue
		}
		m.Accept(&f, v)
		facts = append(facts, &f)
	}
	m.Header("Subject", subject)
	m.EndOfHeaders()
	for _, f := range facts {
		if v := Judge(f, AtEOH); v.Refuses() {
			return append(verdicts, v)
		}
	}
	m.Classified(classify.Result{Class: class})
	for _, f := range facts {
		verdicts = append(verdicts, Judge(f, AtEOM))
	}
	m.CountMessage(facts)
	return verdicts
}

// A flood from one client is put off in the surge and then blocked; what is
// proven, other clients and other recipients get through, and so does ordinary
// mail.
func TestFloodOfOneClient(t *testing.T) {
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprint("strict ", strict), func(t *testing.T) {
			s := flooding(t, "", floodRules, &known{strict: map[string]bool{"example.com": strict}})
			want := config.ActionTempfail
			before := config.ActionMark
			if strict {
				want, before = config.ActionReject, config.ActionReject
			}
			var got []string
			for i := range 20 {
				v := s.bounce("192.0.2.1", fmt.Sprint("failure notice ", i), classify.Bounce, fmt.Sprintf("user%d@example.com", i))[0]
				got = append(got, string(v.Action)+" "+string(v.Reason)+" "+v.Facts.flood.String())
			}
			expected := append(slices.Repeat([]string{string(before) + " tag-missing none-blocked"}, 4),
				slices.Repeat([]string{string(want) + " flood client-surge"}, 7)...)
			expected = append(expected, slices.Repeat([]string{string(want) + " flood client-blocked"}, 9)...)
			if !slices.Equal(got, expected) {
				t.Errorf("got %q", got)
			}
			if v := s.bounce("192.0.2.1", "x", classify.Bounce, s.mustSign(t, "user1@example.com", now))[0]; v.Reason != TagValid {
				t.Errorf("tagged: %q", v.Reason)
			}
			if v := s.bounce("192.0.2.1", "x", classify.Bounce, "postmaster@example.com")[0]; v.Reason != Exempt {
				t.Errorf("exempt: %q", v.Reason)
			}
			if v := s.bounce("198.18.0.1", "x", classify.Bounce, "user99@example.com")[0]; v.Reason != TagMissing {
				t.Errorf("another client: %q", v.Reason)
			}
			m := NewMessage(s.Settings, Envelope{Client: Client{Addr: addr("192.0.2.1")}, Sender: "bob@example.net"}, now)
			f := m.Recipient("user1@example.com")
			m.Classified(classify.Result{Class: classify.Bounce})
			if v := Judge(&f, AtEOM); v.Reason != Unproven {
				t.Errorf("an ordinary sender: %q", v.Reason)
			}
		})
	}
}

// A block or a surge does not wait for header fields that could exempt a message,
// be they looked for in this domain or in another.
func TestFloodDoesNotWaitForHeaders(t *testing.T) {
	const headers = `headers = { "X-Monitor" = "^yes" }`
	for _, toml := range []string{"[exempt]\n" + headers, "[[domain]]\nname = \"watched.example.com\"\n[domain.exempt]\n" + headers} {
		s := flooding(t, toml, floodRules, &known{})
		for i := range 20 {
			v := s.bounce("192.0.2.1", fmt.Sprint("failure notice ", i), classify.Bounce, fmt.Sprintf("user%d@example.com", i))[0]
			if flooded := i >= floodRules.Surge; flooded != (v.Reason == Flood && v.Stage == AtRcpt) {
				t.Errorf("%s: no. %d is %q at %v", toml, i, v.Reason, v.Stage)
			}
		}
	}
}

// Where all is to be decided at the end of the message a surge changes nothing,
// and a block still does.
func TestSurgeAtTheEnd(t *testing.T) {
	s := flooding(t, `stage = "eom"`, floodRules, &known{})
	for i := range 20 {
		v := s.bounce("192.0.2.1", fmt.Sprint("failure notice ", i), classify.Bounce, fmt.Sprintf("user%d@example.com", i))[0]
		if blocked := i > floodRules.Threshold; blocked != (v.Reason == Flood) {
			t.Errorf("no. %d is %q", i, v.Reason)
		}
	}
}

// What is refused when everybody in a domain gets too much, from everywhere, is
// only put off; what one recipient gets is refused where that means something.
func TestSurgesOfDomainAndRecipient(t *testing.T) {
	site := &known{strict: map[string]bool{"example.com": true}}
	s := flooding(t, "", floodRules, site)
	for i := range 4 {
		s.bounce(fmt.Sprintf("192.0.%d.1", i), "x", classify.Bounce, fmt.Sprintf("user%d@example.com", i))
	}
	v := s.bounce("192.0.9.1", "x", classify.Bounce, "user9@example.com")[0]
	if v.Reason != Flood || v.Action != config.ActionTempfail || v.Facts.flood.String() != "domain-surge" {
		t.Errorf("domain: %q %q %s", v.Reason, v.Action, v.Facts.flood)
	}
	if r := ReplyTo(v.Reason, v.Action, ""); r.Code != 451 {
		t.Errorf("reply %v", r)
	}
	s = flooding(t, "", floodRules, site)
	for i := range 5 {
		v = s.bounce(fmt.Sprintf("192.0.%d.1", i), "x", classify.Bounce, "user@example.com")[0]
	}
	if v.Reason != Flood || v.Action != config.ActionReject || v.Facts.flood.String() != "recipient-surge" {
		t.Errorf("recipient: %q %q %s", v.Reason, v.Action, v.Facts.flood)
	}
	s = flooding(t, "[policy]\nflood = \"tempfail\"\n", floodRules, site)
	for i := range 5 {
		v = s.bounce(fmt.Sprintf("192.0.%d.1", i), "x", classify.Bounce, "user@example.com")[0]
	}
	if v.Action != config.ActionTempfail {
		t.Errorf("as it is set: %q", v.Action)
	}
}

// A subject is blocked for its client's network at the end of headers, whatever
// numbers and addresses are in it.
func TestFloodOfOneSubject(t *testing.T) {
	r := floodRules
	r.Surge, r.RecipientThreshold = 0, 0
	s := flooding(t, "", r, &Unknown{})
	subject := s.floods.Subject("failure notice")
	for range 11 {
		s.floods.UnprovenSubject(addr("192.0.2.7"), subject)
	}
	v := s.bounce("192.0.2.1", "=?utf-8?q?failure_notice_4711?=", classify.Bounce, "a@example.com")[0]
	if v.Reason != Flood || v.Stage != AtEOH || v.Evidence() != "tag=missing flood=subject-blocked" {
		t.Errorf("%q at %s: %s", v.Reason, v.Stage, v.Evidence())
	}
	if v := s.bounce("192.0.2.1", "Undelivered Mail", classify.Bounce, "a@example.com")[0]; v.Reason != TagMissing {
		t.Errorf("another subject: %q", v.Reason)
	}
}

// What counts: not what is proven, nor receipts, nor what comes again, nor the
// clients behind a relay of ours; unknown users and memos do.
func TestWhatCountsForFloods(t *testing.T) {
	count := func(s *floodSite, key string) int {
		for _, h := range s.floods.Hottest(0) {
			if h.Name == key {
				return h.Count
			}
		}
		return 0
	}
	r := flood.Rules{Threshold: 20, Window: time.Minute, RecipientThreshold: 20, RecipientWindow: time.Minute, Block: time.Minute, MaxBlock: time.Minute, ProvenAlarm: 2}
	s := flooding(t, "inbound_relays = [\"198.18.0.1\"]\n", r, &Unknown{})
	tagged := s.mustSign(t, "a@example.com", now)
	const client, recipient = "client 192.0.2.0/24", "recipient a@example.com"
	for range 4 { // keys are listed once they are warm
		s.bounce("192.0.2.1", "x", classify.Bounce, "a@example.com")
	}
	for _, tc := range []struct {
		name       string
		play       func()
		client, to int // events added
	}{
		{"a bounce", func() { s.bounce("192.0.2.1", "x", classify.Bounce, "a@example.com") }, 1, 1},
		{"tagged", func() { s.bounce("192.0.2.1", "x", classify.Bounce, tagged) }, 0, 0},
		{"a receipt", func() { s.bounce("192.0.2.1", "x", classify.Receipt, "a@example.com") }, 0, 0},
		{"a report", func() { s.bounce("192.0.2.1", "x", classify.Report, "a@example.com") }, 0, 0},
		{"by a relay of ours", func() { s.bounce("198.18.0.1", "x", classify.Bounce, "a@example.com") }, 0, 1},
		{"an exempt recipient", func() { s.bounce("192.0.2.1", "x", classify.Bounce, "abuse@example.com") }, 0, 0},
		{"others' domain", func() { s.bounce("192.0.2.1", "x", classify.Bounce, "a@example.net") }, 0, 0},
		{"brought separately", func() { s.bounce("192.0.2.1", "x", classify.Bounce, tagged, "a@example.com") }, 0, 0},
		{"an unknown user", func() {
			m := NewMessage(s.Settings, Envelope{Client: Client{Addr: addr("192.0.2.1")}}, now)
			f := m.Recipient("a@example.com")
			m.CountRecipient(&f, Verdict{})
		}, 1, 1},
		{"a memo", func() {
			m := NewMessage(s.Settings, Envelope{Client: Client{Addr: addr("192.0.2.1")}, Sender: "bob@example.net"}, now)
			f := m.Recipient("a@example.com")
			m.CountRecipient(&f, Judge(&f, AtRcpt))
			m.Classified(classify.Result{Class: classify.Bounce})
			Judge(&f, AtEOM)
			m.CountMessage([]*Facts{&f})
		}, 1, 1},
	} {
		c, to := count(s, client), count(s, recipient)
		tc.play()
		if dc, dto := count(s, client)-c, count(s, recipient)-to; dc != tc.client || dto != tc.to {
			t.Errorf("%s: counted %d for the client, %d for the recipient", tc.name, dc, dto)
		}
	}
	s.bounce("192.0.2.1", "x", classify.Bounce, tagged)
	if !slices.Contains(s.told, "surge began sender a@example.com") {
		t.Errorf("no alarm of proven bounces: %q", s.told)
	}
}
