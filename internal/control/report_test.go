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
		Outcomes: []Tally{{"refused", 980}, {"accepted", 234}, {"deferred", 12}, {"held", 8}},
		Refused:  []Judged{{"tag-missing", 990, []Example{example}}, {"listed", 10, nil}},
		Spared:   []Judged{{"challenge", 3, nil}},
		Unproven: []Judged{{"auto-reply", 7, nil}},
		Rescued:  []Tally{{"tag", 30}, {"dkim", 4}},
		Floods: Floods{
			Verdicts: 5, Blocks: []Tally{{"client", 2}, {"subject", 1}}, Surges: []Tally{{"domain", 3}}, Alarms: 4,
			Hottest: []HotKey{{Kind: "client", Key: "client 192.0.2.0/24", Blocked: true, Until: at, Refused: 12}, {Kind: "sender", Key: "sender …@example.com", Surge: true}},
		},
		Clients:  []Tally{{"192.0.2.0/24", 900}},
		Targets:  []Tally{{"alice@example.com", 800}},
		Outgoing: []Tally{{"signed", 77}},
		Backlash: Outscatter{Sent: 2, Callouts: 9},
		Listed:   []Listed{{"ips.example.org", 1}},
		Zones:    []Zone{{Zone: "dead.example.org", Why: "no answer", Since: at}, {Zone: "new.example.org"}},
		Known: []KnownDomain{
			{Domain: "example.com", Missing: []string{"3 more days", "SPF names others"}, ByRecord: true}, {Domain: "example.org", Strict: true, ByRecord: true},
			{Domain: "sub.example.org", Strict: true, MissingRecord: []string{"a gap"}}, {Domain: "new.example.org", Missing: []string{"no mail yet"}, MissingRecord: []string{"no entry", "no day"}},
		},
		Store: Store{Path: "state.db", Error: "disk full"}, Lost: 6, Broken: 2, Genuine: 3,
		Shared: &Shared{URL: "redis://192.0.2.6:6379", State: "away", Since: at, Error: "connection refused"},
	}
	want := `backscatter at mx.example.com: 980 of 1234 notifications refused, 12 deferred, 8 held

from 2026-11-20 08:00 UTC to 2026-11-21 08:30 UTC

What became of notifications
  refused   980
  accepted  234
  deferred  12
  held      8

Refused, deferred or held, by reason
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
  5 notifications came while their source, recipient or subject was blocked, or in a surge
  blocks of a client that began               2
  blocks of a subject that began              1
  surges of a domain that began               3
  alarms: many proven bounces for one sender  4
  now: client 192.0.2.0/24                    BLOCKED until 2026-11-21T08:30:00Z, 12 refused
  now: sender …@example.com                   ALARM: many proven bounces

Networks that brought most that is not proven
  192.0.2.0/24  900

Recipients that most of it was for
  alice@example.com  800

Our own mail, signed or why not
  signed  77

Ourselves
  ips.example.org LISTS 1 OF OUR OWN ADDRESSES
  DNS list dead.example.org is not used: no answer
  OUR MTA REFUSED 3 GENUINE BOUNCES: it does not know its users by their tagged addresses
  our own MTA sent 2 bounces to addresses elsewhere: have it refuse at RCPT what it cannot deliver
  other sites asked 9 times whether a sender of ours exists
  the store fails: disk full
  THE SHARED STORE redis://192.0.2.6:6379 IS AWAY, this host acts alone: connection refused
  6 decisions came too fast to be counted here
  2 records of decisions cannot be read any more: what they held is in no figure here

Domains
  example.com      not strict: 3 more days; SPF names others (strict by record)
  example.org      strict
  sub.example.org  strict
    not by record: a gap
  new.example.org  not strict: no mail yet
    not by record: no entry; no day
`
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	b.Reset()
	shared := &Shared{URL: "redis://192.0.2.6:6379", State: "shared", Hosts: make([]SharedHost, 1)}
	if err := (&Report{Host: "mx.example.com", From: at, To: at, Shared: shared}).Write(&b); err != nil {
		t.Fatal(err)
	}
	want = `backscatter at mx.example.com: 0 of 0 notifications refused, 0 deferred, 0 held

from 2026-11-21 08:30 UTC to 2026-11-21 08:30 UTC
no daemon runs: this is from its record

Ourselves
  DNS lists were not asked about our own addresses
  the shared store redis://192.0.2.6:6379 is shared; 1 other hosts
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("an empty one (-want +got):\n%s", d)
	}
}
