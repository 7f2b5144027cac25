package origin

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/internal/ledger"
)

// site is a site with a real ledger, which has run for nineteen days.
type site struct {
	*ledger.Ledger
	clock atomic.Int64 // Unix seconds
}

func newSite(t testing.TB) *site {
	s := &site{}
	s.clock.Store(now.Add(-19 * 24 * time.Hour).Unix())
	l, err := ledger.Open(ledger.Options{Now: s.now, Lifetime: lifetime})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	s.Ledger = l
	l.Record(ledger.Entry{Sender: "first@example.com", MessageID: "first@example.com"})
	return s
}

func (s *site) now() time.Time { return time.Unix(s.clock.Load(), 0) }

// live lets days pass as they do, a heartbeat a minute: a day without is a gap.
func (s *site) live(until time.Time) {
	for s.now().Before(until) {
		s.clock.Add(60)
		s.Heartbeat()
	}
}

// qmail is a bounce that quotes the message below a line of text.
func qmail(header []string, _ bool) string {
	return "From: MAILER-DAEMON@mx.example.net\r\nTo: alice@example.com\r\nSubject: failure notice\r\n\r\n" +
		"Hi. This is the qmail-send program at mx.example.net.\r\nI'm afraid I wasn't able to deliver your message to the following addresses.\r\n" +
		"This is a permanent error; I've given up. Sorry it didn't work out.\r\n\r\n<bob@example.net>:\r\nSorry, no mailbox here by that name. (#5.1.1)\r\n\r\n" +
		"--- Below this line is a copy of the message.\r\n\r\n" + strings.Join(header, "\r\n") + "\r\n\r\nAt noon?\r\n"
}

// quoted is a bounce that quotes it with marks.
func quoted(header []string, _ bool) string {
	return "From: MAILER-DAEMON@mx.example.net\nTo: alice@example.com\nSubject: Undeliverable mail\n\n" +
		"Your message could not be delivered to:\n<bob@example.net>: 550 5.1.1 User unknown\n\n----- Original message -----\n\n> " +
		strings.ReplaceAll(strings.Join(header, "\n> "), "\r\n", "\n> ") + "\n>\n> At noon?\n"
}

// What classify reads of bounces in many forms is what the record knows them by.
func TestBouncesOfOwnMail(t *testing.T) {
	s := newSite(t)
	s.live(now.Add(-50 * time.Hour)) // the letter's date
	for _, e := range []ledger.Entry{
		{Sender: "alice@example.com", From: "alice@example.com", MessageID: "one@example.com", QueueID: "4TabcD00001", Recipients: []string{"bob@example.net"}},
		{Sender: "secretary@example.com", From: "boss@other.example", MessageID: "<two@example.com>", Recipients: []string{"bob@example.net"}},
		{Sender: "alice@example.com", QueueID: "5ALA01Bd012345", Recipients: []string{"bob@example.net"}},
		{Sender: "carol@example.com", MessageID: "list@example.com", Recipients: []string{"list@example.org"}},
		{Sender: "alice@example.com", Recipients: []string{"dave@example.org"}},
		{Sender: "Jörg@bücher.example", MessageID: "idn@example.com", Recipients: []string{"bob@example.net"}},
	} {
		s.Record(e)
	}
	s.live(now)
	f := New(options(s.Ledger))
	forms := map[string]func([]string, bool) string{"DSN": returned, "qmail": qmail, "quoted": quoted}
	to := func(recipient string) func(*Question) { return func(q *Question) { q.Recipient = recipient } }
	for _, tc := range []struct {
		name   string
		header []string
		with   func(*Question)
		want   Evidence
		why    string
	}{
		{"own", letter(), nil, Ledger, ""},
		{"own, id on a line of its own", letter("Message-ID:\r\n\t<one@example.com>"), nil, Ledger, ""},
		{"own, comment", letter("Message-ID: <one@example.com> (added by x)"), nil, Ledger, ""},
		{"own, no brackets", letter("Message-ID: one@example.com"), nil, Ledger, ""},
		{"secretary", letter("From: Boss <boss@other.example>", "Message-ID: <two@example.com>"), to("Secretary@example.com"), Ledger, ""},
		{"boss", letter("From: Boss <boss@other.example>", "Message-ID: <two@example.com>"), to("boss@other.example"), Ledger, ""},
		{"id added later", letter("Message-ID: <202611200900.5ALA01Bd012345@mail.example.com>"), nil, Ledger, ""},
		{"IDN", letter("From: =?utf-8?q?J=C3=B6rg?= <jörg@xn--bcher-kva.example>", "Message-ID: <idn@example.com>"), to("jörg@xn--BCHER-kva.example"), Ledger, ""},
		{"forged", letter("Message-ID: <spam@host.example.net>", "To: x@example.invalid"), to("mallory@example.com"), Foreign, "not on record"},
		{"forged, to a correspondent", letter("Message-ID: <spam@host.example.net>"), nil, Unknown, "wrote to that domain"},
		{"forged with a public id", letter("Message-ID: <list@example.com>"), to("mallory@example.com"), Foreign, "not on record"},
		{"forged with a public id and its author", letter("From: carol@example.com", "Message-ID: <list@example.com>"), to("mallory@example.com"), Unknown, "somebody else"},
		{"an alias's owner", letter("Message-ID: <one@example.com>"), to("owner-list@example.com"), Unknown, "somebody else"},
		{"of a user who left, forwarded", letter("Message-ID: <changed@host.example.net>", "To: dave@example.org"), nil, Unknown, "wrote to that domain"},
		{"cut id", letter("Message-ID: <one@exam"), to("mallory@example.com"), Unknown, "as it was"},
		{"before the record", letter("Message-ID: <x@host>", "Date: Mon, 02 Nov 2026 10:00:00 +0100"), to("mallory@example.com"), Unknown, "not cover"},
		{"years ahead", letter("Message-ID: <x@host>", "Date: Fri, 20 Nov 2065 10:00:00 +0100"), to("mallory@example.com"), Unknown, "not cover"},
		{"date with a comment", letter("Message-ID: <x@host>", "Date: Fri, 20 Nov 2026 10:00:00 +0100 (CET)"), to("mallory@example.com"), Foreign, "2026-11-20 09:00"},
		{"date of another zone", letter("Message-ID: <x@host>", "Date: Fri, 20 Nov 2026 22:00:00 +1300"), to("mallory@example.com"), Foreign, "2026-11-20 09:00"},
		{"no date", letter("Message-ID: <x@host>", "Date:"), to("mallory@example.com"), Unknown, "no date"},
		{"no id", letter("Message-ID:"), to("mallory@example.com"), Unknown, ""},
		{"masqueraded: passed our host", append([]string{"Received: from pc (localhost [127.0.0.1])\r\n\tby mail.example.com (8.17.1/8.17.1) with ESMTP id 5ALA01Bd012399\r\n\tfor <bob@example.net>; " + dated}, letter("Message-ID: <x@pc>")...), to("mallory@example.com"), Unknown, "host of ours"},
		{"a list's alias, by Return-Path", append([]string{"Return-Path: <owner-list@example.com>"}, letter("From: x@example.org", "To: list@example.com", "Message-ID: <x@pc>")...), to("owner-list@example.com"), Unknown, "passed on"},
	} {
		for form, bounce := range forms {
			t.Run(tc.name+"/"+form, func(t *testing.T) {
				q := parsed(t, bounce(tc.header, form == "DSN" && tc.with == nil))
				if q.Message.Class != classify.DSN && q.Message.Class != classify.Bounce {
					t.Fatalf("class %s", q.Message.Class)
				}
				if tc.with != nil {
					tc.with(&q)
				}
				if a := f.Ask(t.Context(), q); a.Evidence != tc.want || !strings.Contains(a.Why, tc.why) || tc.why == "" && a.Why != "" {
					t.Errorf("%+v, want %s, %q\n%+v", a, tc.want, tc.why, q.Message.Original)
				}
			})
		}
	}
}

// A gap in the record is none of the sender's business.
func TestGap(t *testing.T) {
	s := newSite(t)
	s.live(now.Add(-52 * time.Hour))
	s.clock.Add(4 * 3600) // over the letter's date
	s.Heartbeat()
	s.live(now)
	f := New(options(s.Ledger))
	q := parsed(t, returned(letter("Message-ID: <x@host>"), true))
	if a := f.Ask(t.Context(), q); a.Evidence != Unknown || !strings.Contains(a.Why, "cover") {
		t.Errorf("in the gap: %+v", a)
	}
	q = parsed(t, returned(letter("Message-ID: <x@host>", "Date: Sat, 21 Nov 2026 10:00:00 +0100"), true))
	if a := f.Ask(t.Context(), q); a.Evidence != Foreign {
		t.Errorf("after the gap: %+v", a)
	}
}

// Other kinds of notifications.
func TestReplies(t *testing.T) {
	known := record("sent alice@example.com one@example.com", "wrote alice@example.com bob@example.net")
	vacation := "From: Bob <bob@example.net>\nTo: alice@example.com\nSubject: Out of office: Lunch\nAuto-Submitted: auto-replied\n%sDate: " + dated + "\n\nI am away until Monday.\n"
	for header, want := range map[string]Evidence{
		"In-Reply-To: <one@example.com>\n":                                  Ledger,
		"References: <zero@example.net>\n\t<one@example.com>\n":             Ledger,
		"In-Reply-To: <spam@example.net>\nReferences: <spam@example.net>\n": Unknown,
		"": Correspondent,
	} {
		q := parsed(t, strings.Replace(vacation, "%s", header, 1))
		q.Reporters = []string{"bob@example.net"}
		if a := ask(t, options(known), q); q.Message.Class != classify.AutoReply || a.Evidence != want {
			t.Errorf("%q: %s, %+v", header, q.Message.Class, a)
		}
	}
	receipt := "From: bob@example.net\nTo: alice@example.com\nSubject: Read: Lunch\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n" +
		"--b\n\nread\n--b\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; bob@example.net\nOriginal-Message-ID: <one@example.com>\nDisposition: manual-action/MDN-sent-manually; displayed\n\n--b--\n"
	q := parsed(t, receipt)
	if a := ask(t, options(known), q); q.Message.Class != classify.Receipt || a.Evidence != Ledger {
		t.Errorf("%s, %+v", q.Message.Class, a)
	}
	for _, action := range []string{"delayed", "relayed", "delivered"} {
		q := parsed(t, strings.Replace(returned(letter(), false), "Action: failed", "Action: "+action, 1))
		if a := ask(t, options(known), q); string(q.Message.Action) != action || a.Evidence != Ledger {
			t.Errorf("%s: %s, %+v", action, q.Message.Action, a)
		}
	}
}
