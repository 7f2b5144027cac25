package admin

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/journal"
)

// broken is a Store with records that make no sense.
type broken struct{}

func (broken) Buckets() ([]string, error) { return []string{"journal-0-0000000000000000"}, nil }

func (broken) Each(_ string, fn func(string, []byte) error) error { return fn("12345678", []byte("x")) }

func (broken) Put(string, string, []byte) {}
func (broken) Delete(string, string)      {}
func (broken) Drop(string)                {}
func (broken) Lost() int64                { return 0 }

// Every alarm shows by itself, and none without its cause.
func TestEachAlarm(t *testing.T) {
	for name, tc := range map[string]struct {
		status func(*control.Status)
		happen func(*journal.Journal)
		want   string
	}{
		"nothing":     {want: ""},
		"no store":    {status: func(s *control.Status) { s.Store.Path = "" }, want: "There is no store: what is learned is lost at a restart."},
		"store":       {status: func(s *control.Status) { s.Store.Error = "cannot be written" }, want: "The store fails: cannot be written"},
		"zone":        {status: func(s *control.Status) { s.Zones[0].Healthy, s.Zones[0].Why = false, "silent" }, want: "DNS list ips.example.org is not used: silent"},
		"own listing": {status: func(s *control.Status) { s.Zones[0].Own = 1 }, want: "DNS list ips.example.org lists 1 of our own addresses."},
		"reload": {
			status: func(s *control.Status) { s.Reload = &control.Reload{Errors: []string{"one", "two"}} },
			want:   "The last reload failed, the settings from before are in force: one; two",
		},
		"shared away": {
			status: func(s *control.Status) {
				s.Shared = &control.Shared{URL: "redis://192.0.2.6", State: "away", Since: moment().Add(-time.Hour), Error: "refused"}
			},
			want: "The shared store redis://192.0.2.6 is away since 2026-11-21 07:30 UTC, this host acts alone: refused",
		},
		"shared": {status: func(s *control.Status) { s.Shared = &control.Shared{State: "shared"} }, want: ""},
		"not signing": {
			status: func(s *control.Status) {
				s.Signing.Sign, s.Known[0].Layout, s.Known[0].Reply = "auto", "none", "550 5.1.1"
			},
			want: "Mail of example.com is not signed: the MTA refuses tagged recipients (550 5.1.1).",
		},
		"told to sign": {status: func(s *control.Status) { s.Signing.Sign, s.Known[0].Layout = "true", "none" }, want: ""},
		"genuine bounces": {
			happen: func(j *journal.Journal) { j.Count(journal.EventTagRefused, "") },
			want:   "The MTA has refused 1 genuine bounces in the last 24 hours: it does not know its users by their tagged addresses.",
		},
		"proven bounces": {
			happen: func(j *journal.Journal) { j.Count(journal.EventAlarm, "") },
			want:   "1 times in the last 24 hours a sender of ours got many proven bounces: a hacked account, or a bad list. The log says who.",
		},
		"blocks": {happen: func(j *journal.Journal) { j.Count(journal.EventBlock, "client"); j.Count(journal.EventSurge, "client") }, want: ""},
	} {
		s := source(t)
		if tc.happen != nil {
			tc.happen(s.Decisions)
			s.Decisions.Flush()
		}
		st := status()
		if tc.status != nil {
			tc.status(st)
		}
		s.Status = func() *control.Status { return st }
		if got := strings.Join((&page{Source: s}).view(nil).Alarms, "|"); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
		s.Now = func() time.Time { return moment().Add(26 * time.Hour) }
		if got := (&page{Source: s}).view(nil).Alarms; tc.happen != nil && len(got) != 0 {
			t.Errorf("%s, a day later: %q", name, got)
		}
	}
}

func TestAlarmOfDamage(t *testing.T) {
	s := source(t)
	var err error
	if s.Decisions, err = journal.Open(journal.Options{Store: broken{}, Now: moment}); !errors.Is(err, journal.ErrCorrupt) {
		t.Fatal(err)
	}
	defer s.Decisions.Close()
	want := "2 records of decisions could not be read at the start: the store is damaged, and what they held is missing here."
	if got := (&page{Source: s}).view(nil).Alarms; len(got) != 1 || got[0] != want {
		t.Errorf("%q", got)
	}
}

// Decisions that came too fast are an alarm for a day.
func TestAlarmOfOverflow(t *testing.T) {
	s := source(t)
	s.Decisions.Close() // what comes after that finds no room
	s.Decisions.Add(refusal(1))
	want := "1 decisions came too fast to be kept here, the last at 2026-11-21 08:30 UTC; the log has them."
	if got := (&page{Source: s}).view(nil).Alarms; fmt.Sprint(got) != "["+want+"]" {
		t.Errorf("%q", got)
	}
	s.Now = func() time.Time { return moment().Add(25 * time.Hour) }
	if got := (&page{Source: s}).view(nil).Alarms; len(got) != 0 {
		t.Errorf("a day later: %q", got)
	}
}
