package origin

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/internal/dkim"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const (
	dated    = "Fri, 20 Nov 2026 10:00:00 +0100"
	lifetime = 21 * 24 * time.Hour
)

// fakeRecord knows what it is told: "sent alice@example.com <1@x>" and so on,
// in lower case but for ids. All times from since on are covered.
type fakeRecord struct {
	knows map[string]bool
	since map[string]time.Time // by domain
	asked int
}

func (r *fakeRecord) has(kind, address, what string) bool {
	r.asked++
	return r.knows[kind+" "+strings.ToLower(address)+" "+what]
}

func trim(id string) string { return strings.Trim(id, "<>") }

func (r *fakeRecord) Sent(address, id string) bool   { return r.has("sent", address, trim(id)) }
func (r *fakeRecord) Queued(address, id string) bool { return r.has("queued", address, id) }
func (r *fakeRecord) Wrote(address, to string) bool {
	return r.has("wrote", address, strings.ToLower(to))
}
func (r *fakeRecord) WithoutID(address, to string) bool {
	return r.has("no-id", address, strings.ToLower(to))
}
func (r *fakeRecord) WroteDomain(address, to string) bool {
	return r.has("domain", address, strings.ToLower(to))
}

func (r *fakeRecord) Covers(domain string, t time.Time) bool {
	since, ok := r.since[strings.ToLower(domain)]
	return ok && t.After(since) && !t.After(now)
}

// record knows so much, and covers the last 19 days of our domains.
func record(knows ...string) *fakeRecord {
	from := now.Add(-19 * 24 * time.Hour)
	r := &fakeRecord{map[string]bool{}, map[string]time.Time{"example.com": from, "other.example": from, "dept.org.example": from}, 0}
	for _, k := range knows {
		r.knows[k] = true
	}
	return r
}

// ours are example.com with names below sub, two other domains, and an IDN.
func ours(domain string) bool {
	switch domain = strings.ToLower(domain); domain {
	case "example.com", "other.example", "dept.org.example", "bücher.example", "xn--bcher-kva.example":
		return true
	}
	return strings.HasSuffix(domain, ".sub.example.com")
}

func options(r Record) Options {
	return Options{Record: r, Ours: ours, Host: "host.example.net", Relays: []string{"out.example.org."}, Lifetime: lifetime, Keys: noKeys{}}
}

// forged is a bounce of a message that alice did not send.
func forged() classify.Result {
	return classify.Result{
		Class: classify.DSN,
		Original: classify.Original{
			Extent: classify.Headers, MessageID: "<spam@host.example.net>",
			From: "Alice <alice@example.com>", To: "bob@example.net", Date: dated, ReturnPath: "alice@example.com",
			Received:    []string{"from example.com (unknown [203.0.113.9]) by mx.example.net (Postfix) with ESMTP id 4Tabc12345 for <bob@example.net>; " + dated},
			HeaderBlock: []byte("Message-ID: <spam@host.example.net>\r\n"),
		},
		Recipients: []classify.Recipient{{Final: "bob@example.net", Action: classify.Failed, Status: "5.1.1"}},
	}
}

// question asks about it for alice.
func question(r *classify.Result) Question {
	return Question{Recipient: "alice@example.com", Signable: true, Reporters: []string{"MAILER-DAEMON@mx.example.net"}, Message: r, Now: now}
}

func ask(t testing.TB, o Options, q Question) Answer {
	t.Helper()
	return New(o).Ask(t.Context(), q)
}

// parsed classifies a message as the milter does, and asks about it for alice.
func parsed(t testing.TB, message string) Question {
	t.Helper()
	r, err := classify.Classify(strings.NewReader(message), classify.Options{Envelope: &classify.Envelope{Recipients: []string{"alice@example.com"}}})
	if err != nil {
		t.Fatal(err)
	}
	return question(&r)
}

// down is a KeySource that cannot be reached, and counts who tries.
type down struct{ asked int }

func (d *down) Key(context.Context, string, string) (*dkim.Key, error) {
	d.asked++
	return nil, context.DeadlineExceeded
}
