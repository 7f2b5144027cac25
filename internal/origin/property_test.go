package origin

import (
	"maps"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/backscatter-milter/backscatter-milter/classify"
)

// drawQuestion makes questions of a small world, in which things meet: a forged
// original that was changed in a few places.
func drawQuestion(t *rapid.T) Question {
	pick := func(from ...string) string { return rapid.SampledFrom(from).Draw(t, "value") }
	address := func() string {
		return pick("", "alice@example.com", "Alice@Example.com", "carol@example.com", "list@other.example", "bob@example.net", "x@example.org", "postmaster")
	}
	id := func() string { return pick("", "<1@x>", "<2.ABCDEF@x>", "<\x803@x>", "<1@x") }
	r := forged()
	rename(&r, "<2.ABCDEF@x>")
	o := &r.Original
	q := question(&r)
	changes := []func(){
		func() { rename(&r, id()) },
		func() { o.HeaderBlock = []byte(pick("", "<1@x>", "<2.ABCDEF@\n x>")) },
		func() { o.From = address() }, func() { o.To = address() }, func() { o.ReturnPath = address() },
		func() {
			o.Date = pick("", "Mon, 02 Nov 2026 10:00:00 +0100", "Fri, 20 Nov 2065 10:00:00 +0100", "Fri, 20 Nov 2026 10:00:00 PST")
		},
		func() {
			o.Received = append(o.Received, pick("from a by mail.example.com; x", "by", "for <list@example.com>", "from b by c"))
		},
		func() { o.DKIMSignatures = []string{"d=example.com"} },
		func() { o.MessageID = "" },
		func() { *o = classify.Original{} },
		func() { r.InReplyTo = append(r.InReplyTo, id()) }, func() { r.References = append(r.References, id()) },
		func() { r.OriginalMessageIDs = append(r.OriginalMessageIDs, id()) },
		func() { r.Recipients = nil },
		func() {
			r.Recipients = append(r.Recipients, classify.Recipient{Final: address(), Original: address()})
		},
		func() { q.Recipient = address() }, func() { q.Signable = false }, func() { q.All = true },
		func() { q.Reporters = append(q.Reporters, address()) },
	}
	for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(changes)-1), 0, 4).Draw(t, "changes") {
		changes[i]()
	}
	return q
}

func drawRecord(t *rapid.T) *fakeRecord {
	var facts []string
	for _, who := range []string{"alice@example.com", "carol@example.com", "list@other.example", "postmaster", ""} {
		for _, what := range []string{"sent %s 1@x", "queued %s ABCDEF", "wrote %s bob@example.net", "wrote %s alice@example.com", "domain %s example.net", "domain %s example.org", "no-id %s bob@example.net"} {
			facts = append(facts, strings.Replace(what, "%s", who, 1))
		}
	}
	return record(rapid.SliceOfN(rapid.SampledFrom(facts), 0, 4).Draw(t, "facts")...)
}

// No answer is Foreign unless the record covers the original's date and all that
// could speak for us is silent; nothing is proven that the record does not say
// of the recipient; and who knows more never finds foreign what was not.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q, known := drawQuestion(t), drawRecord(t)
		a := New(options(known)).Ask(t.Context(), q)
		o := &q.Message.Original
		switch a.Evidence {
		case Foreign:
			date, err := time.Parse(time.RFC1123Z, o.Date)
			if err != nil || !known.Covers(domainOf(q.Recipient), date) {
				t.Fatalf("foreign, but not covered: %q", o.Date)
			}
			if !q.Signable || o.MessageID == "" || len(o.DKIMSignatures) > 0 || len(a.Spoke) > 0 {
				t.Fatal("foreign against a hindrance")
			}
			for _, who := range []string{q.Recipient, o.From, o.ReturnPath} {
				if domainOf(who) != "" && (known.Sent(who, o.MessageID) || known.Queued(who, queueID(o.MessageID))) {
					t.Fatalf("foreign, but %s sent it", who)
				}
			}
			for _, r := range q.Message.Recipients {
				if !ours(domainOf(r.Final)) && (known.WroteDomain(q.Recipient, domainOf(r.Final)) || known.WithoutID(q.Recipient, r.Final)) {
					t.Fatal("foreign, but the recipient wrote there")
				}
			}
		case Ledger:
			if !known.Sent(q.Recipient, "1@x") && !known.Queued(q.Recipient, "ABCDEF") {
				t.Fatal("proven by another's mail")
			}
		case Correspondent:
			if !known.Wrote(q.Recipient, "bob@example.net") {
				t.Fatal("proven by another's correspondent, or by one of ours")
			}
		case Unknown:
		default:
			t.Fatalf("%+v", a)
		}
		if a.Evidence.Proven() != (len(a.Spoke) > 0) {
			t.Fatalf("%+v", a)
		}
		more := drawRecord(t)
		maps.Copy(more.knows, known.knows)
		if b := New(options(more)).Ask(t.Context(), q); b.Evidence == Foreign && a.Evidence != Foreign || a.Evidence.Proven() && !b.Evidence.Proven() {
			t.Fatalf("%+v turned into %+v", a, b)
		}
	})
}
