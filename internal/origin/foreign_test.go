package origin

import (
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/classify"
)

// Each hindrance alone keeps a forged original from being called foreign.
func TestForeign(t *testing.T) {
	received := func(lines ...string) func(*classify.Result, *Question) {
		return func(r *classify.Result, _ *Question) { r.Original.Received = append(r.Original.Received, lines...) }
	}
	original := func(change func(*classify.Original)) func(*classify.Result, *Question) {
		return func(r *classify.Result, _ *Question) { change(&r.Original) }
	}
	for _, tc := range []struct {
		name  string
		known string
		with  func(*classify.Result, *Question)
		want  Evidence
		why   string
	}{
		{"forged", "", nil, Foreign, "the original is dated 2026-11-20 09:00 and not on record"},
		{"author alone is ours", "", original(func(o *classify.Original) { o.ReturnPath = "" }), Foreign, "dated"},
		{"reverse-path alone is ours", "", original(func(o *classify.Original) { o.From = "Bank <bank@example.org>" }), Foreign, "dated"},
		{"another author of ours", "", original(func(o *classify.Original) { o.From = "carol@other.example" }), Foreign, "dated"},
		{"to and from alice", "", original(func(o *classify.Original) { o.To = "alice@example.com, bob@example.net" }), Foreign, "dated"},
		{"another's host by its HELO", "", received("from mail.example.com ([203.0.113.9]) by relay.example.net; " + dated), Foreign, "dated"},
		{"another's domain was written to", "domain carol@example.com example.net", nil, Foreign, "dated"},

		{"no id", "", original(func(o *classify.Original) { o.MessageID = "" }), Unknown, ""},
		{"not signed here", "", func(_ *classify.Result, q *Question) { q.Signable = false }, Unknown, "not signed here"},
		{"nobody's of ours", "", original(func(o *classify.Original) { o.From, o.ReturnPath = "x@example.org", "y@example.net" }), Unknown, "does not claim"},
		{"no author", "", original(func(o *classify.Original) { o.From, o.ReturnPath = "", "" }), Unknown, "does not claim"},
		{"a local author", "", original(func(o *classify.Original) { o.From, o.ReturnPath = "alice", "example.com" }), Unknown, "does not claim"},
		{"a cut id", "", original(func(o *classify.Original) { o.HeaderBlock = []byte("Message-ID: <spam@host.exam") }), Unknown, "as it was"},
		{"a wrapped id", "", original(func(o *classify.Original) { o.HeaderBlock = []byte("Message-ID: <spam@\n host.example.net>\n") }), Unknown, "as it was"},
		{"a recoded id", "", func(r *classify.Result, _ *Question) { rename(r, "<sp\xe4m@host>") }, Unknown, "as it was"},
		{"no date", "", original(func(o *classify.Original) { o.Date = "" }), Unknown, "no date"},
		{"no date that can be read", "", original(func(o *classify.Original) { o.Date = "yesterday" }), Unknown, "no date"},
		{"a zone by name", "", original(func(o *classify.Original) { o.Date = "Fri, 20 Nov 2026 10:00:00 EST" }), Unknown, "no date"},
		{"before the record", "", original(func(o *classify.Original) { o.Date = "Fri, 23 Oct 2026 10:00:00 +0100" }), Unknown, "not cover"},
		{"in the future", "", original(func(o *classify.Original) { o.Date = "Fri, 20 Nov 2037 10:00:00 +0100" }), Unknown, "not cover"},
		{"a domain of ours without record", "", func(_ *classify.Result, q *Question) { q.Recipient = "x@a.sub.example.com" }, Unknown, "not cover"},
		{"a recipient without domain", "", func(_ *classify.Result, q *Question) { q.Recipient = "example.com" }, Unknown, "not cover"},
		{"sent by its author", "sent carol@other.example spam@host.example.net", original(func(o *classify.Original) { o.From = "Carol <carol@other.example>" }), Unknown, "somebody else"},
		{"sent by whom it returns to", "sent list-bounces@example.com spam@host.example.net", original(func(o *classify.Original) { o.ReturnPath = "list-bounces@example.com" }), Unknown, "somebody else"},
		{"queued by its author", "queued carol@example.com 4TabcD77777", func(r *classify.Result, _ *Question) {
			rename(r, "<1.4TabcD77777@mail.example.com>")
			r.Original.From = "carol@example.com"
		}, Unknown, "somebody else"},
		{"through our host", "", received("from pc by mail.Example.com. (Postfix) with ESMTPSA id 1; " + dated), Unknown, "host of ours"},
		{"through a host deep below", "", received("from pc\tby a.b.c.example.com; " + dated), Unknown, "host of ours"},
		{"through a relay", "", received("from pc (x by y) BY OUT.example.org; " + dated), Unknown, "host of ours"},
		{"from a relay", "", received("from OUT.example.org (OUT.example.org [198.51.100.80]) by mx.example.net (Postfix); " + dated), Unknown, "host of ours"},
		{"from a relay as qmail names it", "", received("from unknown (HELO out.example.org) (198.51.100.80) by mx.example.net with SMTP; " + dated), Unknown, "host of ours"},
		{"from a relay as Exim names it", "", received("from [198.51.100.80] (helo=out.example.org) by mx.example.net with esmtp (Exim); " + dated), Unknown, "host of ours"},
		{"through this host", "", received("from pc by host.example.net; " + dated), Unknown, "host of ours"},
		{"another's host by this one's HELO", "", received("from host.example.net ([203.0.113.9]) by mx.example.net; " + dated), Foreign, "dated"},
		{"below a relay", "", received("from notout.example.org (out.example.org.evil.net) by mx.example.net; " + dated), Foreign, "dated"},
		{"to an alias of ours", "", received("from a by b.example.org with ESMTP for <list@example.com>; " + dated), Unknown, "host of ours"},
		{"another's mail to a list of ours", "", original(func(o *classify.Original) { o.From, o.To = "x@example.org", "Our list <list@example.com>" }), Unknown, "passed on"},
		{"to whom is not known", "", func(r *classify.Result, _ *Question) { r.Recipients, r.Original.To = nil, "undisclosed-recipients:;" }, Unknown, "whom the original was for"},
		{"wrote to the recipient's domain", "domain alice@example.com example.net", nil, Unknown, "that domain"},
		{"wrote to the To's domain", "domain alice@example.com example.org", original(func(o *classify.Original) { o.To = "B <B@Example.ORG>, x" }), Unknown, "that domain"},
		{"wrote to the reporter's domain", "domain alice@example.com mx.example.net", nil, Unknown, "that domain"},
		{"without an id", "no-id alice@example.com bob@example.net", nil, Unknown, "without a message-id"},
		{"without an id, forwarded", "no-id alice@example.com bob@example.org", original(func(o *classify.Original) { o.To = "bob@example.org" }), Unknown, "without a message-id"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := forged()
			q := question(&r)
			if tc.with != nil {
				tc.with(&r, &q)
			}
			a := ask(t, options(record(tc.known)), q)
			if a.Evidence != tc.want || tc.why == "" && a.Why != "" || !strings.Contains(a.Why, tc.why) {
				t.Errorf("%+v, want %s, %q", a, tc.want, tc.why)
			}
		})
	}
}

// What is above a domain of ours is not ours, nor asked for where it has no dot.
func TestHostOurs(t *testing.T) {
	o := options(record())
	o.Ours = func(domain string) bool { return domain == "net" || domain == "example.com" }
	f := New(o)
	for host, want := range map[string]bool{
		"example.com": true, "a.b.example.com": true, "host.EXAMPLE.net": true, "out.example.org": false,
		"mail.example.net": false, "com": false, "net": false, "": false, "...": false, "notexample.com": false, "example.com.evil.org": false,
		strings.Repeat("a.", 1000) + "example.com": false,
	} {
		if f.hostOurs(host) != want {
			t.Errorf("%.40q: %v", host, !want)
		}
	}
}

// Names that every host may go by are no relays.
func TestLocalhostIsNoRelay(t *testing.T) {
	r := forged()
	r.Original.Received = append(r.Original.Received, "from filter by localhost (Postfix); "+dated, "from a by localhost.localdomain; "+dated, "from b by ; "+dated)
	o := options(record())
	o.Host, o.Relays = "localhost", []string{"localhost", "LOCALHOST.localdomain", ""}
	if a := ask(t, o, question(&r)); a.Evidence != Foreign {
		t.Errorf("%+v", a)
	}
	if len(o.Relays) != 3 || o.Relays[0] != "localhost" {
		t.Errorf("New changed its argument: %q", o.Relays)
	}
}

func TestDateOf(t *testing.T) {
	want := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	for value, ok := range map[string]bool{
		"Fri, 20 Nov 2026 10:00:00 +0100": true, "20 Nov 2026 10:00 +0100 (CET)": true, "Fri, 20 Nov 2026 09:00:00 GMT": true,
		"20 Nov 26 09:00 UT": true, "Fri, 20 Nov 2026 09:00:00 -0000": true, "Thu, 19 Nov 2026 21:00:00 -1200": true,
		"Fri, 20 Nov 2026 10:00:00 CET": false, "Fri, 20 Nov 2026 04:00:00 EST": false, "Fri, 20 Nov 2026 09:00:00": false, "": false, "(": false, "+": false,
		"Fri, 20 Nov 2026 10:00:00 +0100 (" + strings.Repeat("x", 200) + ")": false,
	} {
		if got := dateOf(value); ok != got.Equal(want) || !ok && !got.IsZero() {
			t.Errorf("%q: %v", value, got)
		}
	}
}

func TestAddressesIn(t *testing.T) {
	for value, want := range map[string]string{
		"alice@example.com": "alice@example.com", `"x <y@z>" <alice@example.com>`: "alice@example.com",
		"a@example.com, B <b@example.net>": "a@example.com b@example.net", "Team: a@example.com;": "a@example.com",
		"Alice @ home <alice@example.com>": "alice@example.com", "=?utf-9?q?x?= <alice@example.com>": "alice@example.com",
		"jörg@bücher.example": "jörg@bücher.example", "": "", "alice": "", "<alice>": "", "<>": "", "broken <alice@example.com": "",
		strings.Repeat("x", maxField) + "<alice@example.com>": "",
	} {
		if got := strings.Join(addressesIn(value), " "); got != want {
			t.Errorf("%.60q: %q", value, got)
		}
	}
}
