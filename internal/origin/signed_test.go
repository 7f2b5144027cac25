package origin

import (
	"strings"
	"testing"
)

func signedOptions(known ...string) Options {
	o := options(record(known...))
	o.Keys = ourKeys()
	return o
}

// A signature of ours over the header that came back proves it ours, for its
// author's domain, for a time.
func TestSigned(t *testing.T) {
	for _, tc := range []struct {
		name string
		signing
		change    []string // of the letter, before it is signed
		after     func(header string) string
		recipient string
		want      Evidence
		why       string
	}{
		{name: "RSA, relaxed", want: DKIM},
		{name: "RSA, simple", signing: signing{simple: true}, want: DKIM},
		{name: "Ed25519", signing: signing{ed: true}, want: DKIM},
		{name: "another of the domain", recipient: "secretary@example.com", want: DKIM},
		{name: "a sub-address", recipient: "alice+x@EXAMPLE.com", want: DKIM},
		{name: "folded anew", after: func(h string) string { return strings.Replace(h, "To: Bob", "To:\r\n\tBob", 1) }, want: DKIM},
		{name: "line ends", after: func(h string) string { return strings.ReplaceAll(h, "\r\n", "\n") }, want: DKIM},
		{name: "the organisation's signature", signing: signing{domain: "org.example"}, change: []string{"From: o@dept.org.example"}, recipient: "o@dept.org.example", want: DKIM},
		{name: "one key for all domains", signing: signing{domain: "other.example"}, want: DKIM},
		{name: "secretary of another domain", recipient: "s@other.example", want: Unknown, why: "may have come back"},
		{name: "secretary of another domain, by Return-Path", recipient: "s@other.example", after: onTop("Return-Path: <s@other.example>"), want: Unknown, why: "may have come back"},
		{name: "list mail", change: []string{"From: x@example.org"}, recipient: "list-bounces@example.com", after: onTop("Return-Path: <list-bounces@example.com>"), want: DKIM},
		{name: "tagged Return-Path", change: []string{"From: x@example.org"}, after: onTop("Return-Path: <prvs=0730576ed6=alice@example.com>"), want: DKIM},
		{name: "list mail of others", change: []string{"From: x@example.org"}, want: Unknown, why: "does not claim"},
		{name: "IDN", signing: signing{domain: "xn--bcher-kva.example"}, change: []string{"From: j@xn--bcher-kva.example"}, recipient: "j@BÜCHER.example", want: DKIM},
		{name: "IDN, author in U-labels", signing: signing{domain: "xn--bcher-kva.example"}, change: []string{"From: j@Bücher.example"}, recipient: "j@xn--bcher-kva.example", want: DKIM},

		{name: "another author on top", after: onTop("From: eve@example.com"), want: Unknown, why: "may have come back"},
		{name: "altered", after: func(h string) string { return strings.Replace(h, "Lunch", "Dinner", 1) }, want: Unknown, why: "may have come back"},
		{name: "cut within", after: cutAtDate, want: Unknown, why: "no date"},
		{name: "not ours", signing: signing{domain: "stranger.net"}, want: Foreign, why: "dated"},
		{name: "too old", change: []string{"Date: Fri, 30 Oct 2026 10:00:00 +0100"}, want: Unknown, why: "not cover"},
		{name: "old, within the time", change: []string{"Date: Mon, 02 Nov 2026 10:00:00 +0100"}, want: DKIM},
		{name: "ahead", change: []string{"Date: Sun, 22 Nov 2026 15:00:00 +0000"}, want: Unknown, why: "not cover"},
		{name: "a little ahead", change: []string{"Date: Sun, 22 Nov 2026 13:00:00 +0000"}, want: DKIM},
		{name: "date not signed", signing: signing{headers: "From:To:Message-ID"}, want: Unknown, why: "may have come back"},
		{name: "expired when sent", signing: signing{more: " t=1500000000; x=1600000000;"}, want: Unknown, why: "may have come back"},
		{name: "expired since", signing: signing{more: " x=1795170000;"}, want: DKIM},
	} {
		t.Run(tc.name, func(t *testing.T) {
			header := tc.sign(t, letter(tc.change...))
			if tc.after != nil {
				header = []string{tc.after(strings.Join(header, "\r\n"))}
			}
			for _, full := range []bool{false, true} {
				q := parsed(t, returned(header, full))
				if tc.recipient != "" {
					q.Recipient = tc.recipient
				}
				if a := ask(t, signedOptions(), q); a.Evidence != tc.want || !strings.Contains(a.Why, tc.why) {
					t.Errorf("%+v, want %s, %q", a, tc.want, tc.why)
				}
			}
		})
	}
}

// cutAtDate leaves only the id of what follows.
func cutAtDate(h string) string {
	before, _, _ := strings.Cut(h, "\r\nDate: ")
	return before + "\r\nMessage-ID: <one@example.com>"
}

func onTop(field string) func(string) string {
	return func(h string) string { return field + "\r\n" + h }
}

// A signature of ours that is not, or cannot be, verified keeps an original from
// being called foreign.
func TestUnverified(t *testing.T) {
	q := parsed(t, returned(signing{}.sign(t, letter()), false))
	without := signedOptions()
	without.Keys = nil
	unreachable := signedOptions()
	unreachable.Keys = new(down)
	lost := *q.Message
	lost.Original.HeaderBlock = []byte("Message-ID: <one@example.com>\r\n")
	for name, a := range map[string]Answer{
		"no keys":                      ask(t, without, q),
		"keys out of reach":            ask(t, unreachable, q),
		"field beyond what is at hand": ask(t, signedOptions(), question(&lost)),
	} {
		if a.Evidence != Unknown || !strings.Contains(a.Why, "may have come back") {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// Mail proven ours that the record should have and has not leaves elsewhere.
// Nobody can make it look so by returning our mail to somebody else.
func TestElsewhere(t *testing.T) {
	for _, tc := range []struct {
		name      string
		known     string
		signing   signing
		change    []string
		recipient string
		want      bool
	}{
		{name: "not on record", want: true},
		{name: "on record for another only", known: "sent eve@example.com one@example.com", want: true},
		{name: "on record", known: "sent alice@example.com one@example.com"},
		{name: "returned to another", known: "sent alice@example.com one@example.com", recipient: "carol@example.com"},
		{name: "queue id, returned to another", known: "queued alice@example.com 4TabcD77777", change: []string{"Message-ID: <1.4TabcD77777@mail.example.com>"}, recipient: "carol@example.com"},
		{name: "went without an id", known: "no-id alice@example.com bob@example.net"},
		{name: "neither id nor recipient signed", signing: signing{headers: "From:Date"}},
		{name: "id not signed", signing: signing{headers: "From:Date:To"}, want: true},
		{name: "id not signed, wrote there", known: "domain alice@example.com example.net", signing: signing{headers: "From:Date:To"}},
		{name: "id not signed, sent to our own", signing: signing{headers: "From:Date:To"}, change: []string{"To: carol@example.com"}},
		{name: "id of several words", change: []string{"Message-ID: <one two@example.com>"}},
		{name: "before the record", change: []string{"Date: Mon, 02 Nov 2026 10:00:00 +0100"}},
		{name: "a zone by name", change: []string{"Date: Fri, 20 Nov 2026 10:00:00 EST"}},
		{name: "the id of an organisation", signing: signing{domain: "org.example"}, change: []string{"From: o@dept.org.example"}, recipient: "o@dept.org.example", want: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q := parsed(t, returned(tc.signing.sign(t, letter(tc.change...)), false))
			q.All = true
			if tc.recipient != "" {
				q.Recipient = tc.recipient
			}
			a := ask(t, signedOptions(tc.known), q)
			if a.Spoke[0].Evidence != DKIM || (a.Elsewhere != "") != tc.want {
				t.Errorf("%+v", a)
			}
		})
	}
}

// Where the record has the mail by another id, signatures are looked at for the
// explanation alone.
func TestElsewhereIsNotWhatIsOnRecord(t *testing.T) {
	q := parsed(t, returned(signing{}.sign(t, letter()), false))
	q.All, q.Message.OriginalMessageIDs = true, []string{"<first@example.com>"}
	a := ask(t, signedOptions("sent alice@example.com first@example.com"), q)
	if len(a.Spoke) != 2 || a.Elsewhere != "" {
		t.Errorf("%+v", a)
	}
}

// Where the author is another's, an unsigned Return-Path is all that names us:
// nothing follows of where our mail leaves.
func TestElsewhereRestsOnTheAuthor(t *testing.T) {
	header := signing{}.sign(t, letter("From: x@example.org"))
	a := ask(t, signedOptions(), parsed(t, returned(append([]string{"Return-Path: <alice@example.com>"}, header...), false)))
	if a.Evidence != DKIM || a.Elsewhere != "" {
		t.Errorf("%+v", a)
	}
}
