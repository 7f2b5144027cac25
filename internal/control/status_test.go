package control

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func sample() *Status {
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	return &Status{
		Version: "v1", Started: at, Now: at.Add(26*time.Hour + 5*time.Minute), Config: "/etc/c.toml", Mode: "enforce", Stage: "auto",
		Listeners: []string{"inet:127.0.0.1:8895"}, Connections: 3, MaxConnections: 4096,
		Domains: Domains{2, []string{"example.com", "example.net"}},
		Signing: Signing{"true", map[string]uint64{"signed": 12, "null-sender": 3}},
		Verdicts: []Verdict{
			{"rcpt", "reject", "tag-forged", true, 9},
			{"eom", "reject", "tag-missing", false, 1},
		},
		KeyFile: "/var/lib/keys.toml",
		Keys:    []Key{{0, "signs until 2026-11-23T00:00:00Z", "2026-01-01", nil}, {1, "signs", "", []string{"example.net"}}},
		Reload:  &Reload{At: at.Add(time.Hour), Errors: []string{"c.toml:1: wrong", "c.toml:2: wrong"}, Reloaded: Reloaded{Config: "c.toml"}},
		Known: []KnownDomain{
			{Domain: "example.com", Ours: true, Layout: "prvs", Reply: "250 2.1.5 Ok", Since: at, Days: 2,
				Missing: []string{"it has signed on 2 of 3 days"}, Gaps: []Gap{{at.Add(-time.Hour), at, "the daemon was not running"}}},
			{Domain: "example.net", Ours: true, Strict: true, Layout: "subaddress", CatchAll: true, ByRecord: true},
		},
		Store:   Store{Path: "/var/lib/state.db"},
		Ledger:  Ledger{Entries: 1000, Days: 3, Octets: 20 << 20, Lost: 7, Gaps: []Gap{{at.Add(-time.Hour), at, "the daemon was not running"}}},
		Journal: Journal{Entries: 50_000, Octets: 21 << 20, Skipped: 400, Lost: 3, Unsaved: 2, Corrupt: 1},
		Floods: []HotKey{
			{Kind: "client", Key: "client 192.0.2.0/24", Count: 401, Limit: 400, Blocked: true, Until: at, Refused: 12},
			{Kind: "subject", Key: "subject 192.0.2.0/24 00ff", Subject: "failure notice", Count: 90, Limit: 400},
			{Kind: "domain", Key: "domain example.com", Count: 250, Limit: 200, Surge: true},
			{Kind: "sender", Key: "sender alice@example.com", Count: 120, Limit: 100, Surge: true},
		},
		Zones: []Zone{
			{Zone: "list.example.org", Healthy: true, Asked: map[string]int64{"listed": 2, "not-listed": 5}, Own: 1},
			{Zone: "other.example.org", Why: "asking 192.0.2.53:53: REFUSED"},
		},
	}
}

func TestWrite(t *testing.T) {
	var b strings.Builder
	if err := sample().Write(&b); err != nil {
		t.Fatal(err)
	}
	want := `version      v1
up           1d 2h, since 2026-11-21T10:00:00Z
config       /etc/c.toml
mode         enforce, stage auto
listens at   inet:127.0.0.1:8895
connections  3 of 4096
domains      example.com, example.net
sign         true
store        /var/lib/state.db
sent mail    1000 entries of 3 days, 20 MiB; 7 LOST; the last gap ended 2026-11-21 10:00:00 UTC
decisions    50000 kept, 21 MiB; 400 only counted; 3 LOST; 2 records not in the store; 1 records UNREADABLE
DNS list     list.example.org used; asked: 2 listed, 5 not-listed; LISTS 1 OF OUR OWN ADDRESSES
DNS list     other.example.org NOT USED: asking 192.0.2.53:53: REFUSED
key 0        signs until 2026-11-23T00:00:00Z
key 1        signs, for example.net

example.com       not strict
  tags come home  prvs 250 2.1.5 Ok
  signing since   2026-11-21T10:00:00Z, on 2 days
  missing         it has signed on 2 of 3 days
  gap             2026-11-21T09:00:00Z to 2026-11-21T10:00:00Z: the daemon was not running

example.net       strict
  tags come home  subaddress; the MTA accepts any tagged recipient, known or not
  by record       strict

FLOOD                                         COUNT       STATE
client 192.0.2.0/24                           401 of 400  BLOCKED until 2026-11-21T10:00:00Z, 12 refused
subject 192.0.2.0/24 00ff ("failure notice")  90 of 400   
domain example.com                            250 of 200  surge
sender alice@example.com                      120 of 100  ALARM: many proven bounces

OUTGOING     MESSAGES
null-sender  3
signed       12

VERDICT      ACTION  STAGE  DONE  COUNT
tag-forged   reject  rcpt   yes   9
tag-missing  reject  eom    no    1

last reload 2026-11-21T11:00:00Z FAILED, the settings from before are in force:
  c.toml:1: wrong
  c.toml:2: wrong
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	s := sample()
	s.Reload = &Reload{At: s.Now, Reloaded: Reloaded{Restart: []string{"listen", "store"}}}
	s.Domains = Domains{10000, make([]string, MaxNames)}
	b.Reset()
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"last reload 2026-11-22T12:05:00Z went well\nchanged, and in force after a restart: listen, store\n", "10000: "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// What is sent is what arrives, and errors and restart stand beside the time.
func TestStatusJSON(t *testing.T) {
	data, err := json.Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	var got Status
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(*sample(), got); d != "" {
		t.Errorf("(-sent +got):\n%s", d)
	}
	if !strings.Contains(string(data), `"reload":{"at":"2026-11-21T11:00:00Z","errors":["c.toml:1: wrong","c.toml:2: wrong"],"config":"c.toml","restart":null}`) {
		t.Errorf("%s", data)
	}
}

func TestShortly(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", 61 * time.Second: "1m 1s", 3 * time.Hour: "3h 0m", 50 * time.Hour: "2d 2h"} {
		if got := shortly(d); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
}
