package origin

import (
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/backscatter-milter/backscatter-milter/classify"
)

// drawQuestion makes questions of a small world, in which things meet.
func drawQuestion(t *rapid.T) Question {
	address := rapid.SampledFrom([]string{"", "alice@example.com", "Alice@Example.com", "carol@example.com", "list@other.example", "bob@example.net", "x@example.org", "postmaster"})
	id := rapid.SampledFrom([]string{"", "<1@x>", "<2.ABCDEF@x>", "<\x803@x>", "<1@x"})
	date := rapid.SampledFrom([]string{dated, "", "Mon, 02 Nov 2026 10:00:00 +0100", "Fri, 20 Nov 2065 10:00:00 +0100", "Fri, 20 Nov 2026 10:00:00 PST"})
	some := rapid.SliceOfN(id, 0, 2)
	r := &classify.Result{
		Original: classify.Original{
			MessageID: id.Draw(t, "id"), From: address.Draw(t, "from"), To: address.Draw(t, "to"), ReturnPath: address.Draw(t, "path"), Date: date.Draw(t, "date"),
			Received:       rapid.SliceOfN(rapid.SampledFrom([]string{"from a by mx.example.net", "from a by mail.example.com; x", "by", "for <list@example.com>"}), 0, 2).Draw(t, "received"),
			DKIMSignatures: rapid.SliceOfN(rapid.Just("d=example.com"), 0, 1).Draw(t, "signatures"),
			HeaderBlock:    []byte(rapid.SampledFrom([]string{"<1@x> <2.ABCDEF@x> <\x803@x>", "", "<1@x>\nDKIM-Signature: d=example.org\n"}).Draw(t, "block")),
		},
		InReplyTo: some.Draw(t, "reply"), References: some.Draw(t, "references"), OriginalMessageIDs: some.Draw(t, "ids"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "recipients") {
		r.Recipients = append(r.Recipients, classify.Recipient{Final: address.Draw(t, "final"), Original: address.Draw(t, "original")})
	}
	return Question{
		Recipient: address.Draw(t, "recipient"), Signable: rapid.Bool().Draw(t, "signable"), Message: r, Now: now,
		Reporters: []string{address.Draw(t, "reporter")}, All: rapid.Bool().Draw(t, "all"),
	}
}

func drawRecord(t *rapid.T) *fakeRecord {
	var facts []string
	for _, who := range []string{"alice@example.com", "carol@example.com", "list@other.example", "postmaster", ""} {
		for _, what := range []string{"sent %s 1@x", "queued %s ABCDEF", "wrote %s bob@example.net", "wrote %s alice@example.com", "domain %s example.net", "domain %s example.org", "no-id %s bob@example.net"} {
			facts = append(facts, replaceWho(what, who))
		}
	}
	return record(rapid.SliceOfN(rapid.SampledFrom(facts), 0, 4).Draw(t, "facts")...)
}

func replaceWho(what, who string) string {
	for i := range what {
		if what[i] == '%' {
			return what[:i] + who + what[i+2:]
		}
	}
	return what
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
				if known.Sent(who, o.MessageID) || known.Queued(who, queueID(o.MessageID)) {
					t.Fatalf("foreign, but %s sent it", who)
				}
			}
			for _, to := range []string{"bob@example.net"} {
				if len(q.Message.Recipients) > 0 && q.Message.Recipients[0].Final == to &&
					(known.WroteDomain(q.Recipient, domainOf(to)) || known.WithoutID(q.Recipient, to)) {
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
