package control

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWriteReport(t *testing.T) {
	at := time.Date(2026, 11, 21, 8, 30, 0, 0, time.UTC)
	example := Example{At: at, ID: "RUN-1", Client: "192.0.2.25", From: "<>", To: "alice@example.com", Action: "reject", Class: "dsn", Evidence: "tag=missing"}
	r := &Report{
		Host: "mx.example.com", From: at.Truncate(time.Hour).Add(-24 * time.Hour), To: at, Daemon: true, Verdicts: 1234,
		Outcomes: []Tally{{"refused", 1000}, {"accepted", 234}},
		Refused:  []Judged{{"tag-missing", 990, []Example{example}}, {"listed", 10, nil}},
		Spared:   []Judged{{"challenge", 3, nil}},
		Unproven: []Judged{{"auto-reply", 7, nil}},
		Rescued:  []Tally{{"tag", 30}, {"dkim", 4}},
		Floods:   5,
		Clients:  []Tally{{"192.0.2.0/24", 900}},
		Targets:  []Tally{{"alice@example.com", 800}},
		Outgoing: []Tally{{"signed", 77}},
		Backlash: Outscatter{Sent: 2, Callouts: 9},
		Listed:   []Listed{{"ips.example.org", 1}},
		Zones:    []Zone{{Zone: "dead.example.org", Why: "no answer", Since: at}, {Zone: "new.example.org"}},
		Known:    []KnownDomain{{Domain: "example.com", Missing: []string{"3 more days", "SPF names others"}, ByRecord: true}, {Domain: "example.org", Strict: true}},
		Store:    Store{Path: "state.db", Error: "disk full"}, Lost: 6,
	}
	want := `backscatter at mx.example.com: 1000 of 1234 notifications refused

from 2026-11-20 08:00 UTC to 2026-11-21 08:30 UTC

What became of notifications
  refused   1000
  accepted  234

Refused, by reason
  tag-missing  990
    11-21 08:30:00 reject for alice@example.com from 192.0.2.25 (dsn; RUN-1)
  listed  10

Would have been refused, were the mode not monitor
  challenge  3

Rescued: proven ours, and delivered
  tag   30
  dkim  4

Not proven, delivered and marked
  auto-reply  7

Floods
  5 notifications came while their source or recipient was blocked

Networks that brought most that is not proven
  192.0.2.0/24  900

Recipients that most of it was for
  alice@example.com  800

Our own mail, signed or why not
  signed  77

Ourselves
  ips.example.org LISTS 1 OF OUR OWN ADDRESSES
  DNS list dead.example.org is not used: no answer
  our own MTA sent 2 bounces to addresses elsewhere: have it refuse at RCPT what it cannot deliver
  other sites asked 9 times whether a sender of ours exists
  the store cannot be written: disk full
  6 decisions came too fast to be counted here

Domains
  example.com  not strict: 3 more days; SPF names others (strict by record)
  example.org  strict
`
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	b.Reset()
	if err := (&Report{Host: "mx.example.com", From: at, To: at}).Write(&b); err != nil {
		t.Fatal(err)
	}
	want = `backscatter at mx.example.com: 0 of 0 notifications refused

from 2026-11-21 08:30 UTC to 2026-11-21 08:30 UTC
no daemon runs: this is from its record

Ourselves
  DNS lists were not asked about our own addresses
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("an empty one (-want +got):\n%s", d)
	}
}
