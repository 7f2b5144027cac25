package origin

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/backscatter-milter/backscatter-milter/classify"
)

func TestRecorded(t *testing.T) {
	thread := func(at, of int) (ids []string) {
		for i := range of {
			ids = append(ids, fmt.Sprintf("<thread%d@x>", i))
		}
		ids[at] = "<own@x>"
		return ids
	}
	for _, tc := range []struct {
		name  string
		known string
		with  func(*classify.Result, *Question)
		want  Evidence
	}{
		{"original's id", "sent alice@example.com spam@host.example.net", nil, Ledger},
		{"recipient in another case", "sent alice@example.com spam@host.example.net", func(_ *classify.Result, q *Question) { q.Recipient = "ALICE@Example.COM" }, Ledger},
		{"reverse-path with another author", "sent alice@example.com spam@host.example.net", func(r *classify.Result, _ *Question) { r.Original.From = "boss@example.org" }, Ledger},
		{"in-reply-to", "sent alice@example.com own@x", func(r *classify.Result, _ *Question) {
			r.Original = classify.Original{}
			r.InReplyTo = []string{"<own@x>"}
		}, Ledger},
		{"original-message-id of a receipt", "sent alice@example.com own@x", func(r *classify.Result, _ *Question) {
			r.Original = classify.Original{}
			r.OriginalMessageIDs = []string{"<own@x>"}
		}, Ledger},
		{"last of references", "sent alice@example.com own@x", func(r *classify.Result, _ *Question) { r.References = thread(999, 1000) }, Ledger},
		{"first of references", "sent alice@example.com own@x", func(r *classify.Result, _ *Question) { r.References = thread(0, 1000) }, Ledger},
		{"midst of references", "sent alice@example.com own@x", func(r *classify.Result, _ *Question) { r.References = thread(20, 40) }, Ledger},
		{"a thousand ids before it", "sent alice@example.com own@x", func(r *classify.Result, _ *Question) { r.InReplyTo = thread(999, 1000) }, Foreign},
		{"queue id, Postfix", "queued alice@example.com 4TabcD77777", func(r *classify.Result, _ *Question) { rename(r, "<20261121100001.4TabcD77777@mail.example.com>") }, Ledger},
		{"queue id, Postfix, short", "queued alice@example.com 3B1C2D", func(r *classify.Result, _ *Question) { rename(r, "<20261121100001.3B1C2D@mail.example.com>") }, Ledger},
		{"queue id, Sendmail", "queued alice@example.com 5ALA01Bd012345", func(r *classify.Result, _ *Question) { rename(r, "<202611211000.5ALA01Bd012345@mail.example.com>") }, Ledger},
		{"queue id behind many words", "queued alice@example.com 5ALA01Bd012345", func(r *classify.Result, _ *Question) { rename(r, "<a.bcdefgh.2026.5ALA01Bd012345@host>") }, Ledger},
		{"queue id alone", "queued alice@example.com 5ALA01Bd012345", func(r *classify.Result, _ *Question) { rename(r, "<5ALA01Bd012345@mail.example.com>") }, Ledger},
		{"queue id elsewhere in an id", "queued alice@example.com 5ALA01Bd012345", func(r *classify.Result, _ *Question) { rename(r, "<5ALA01Bd012345.words@host>") }, Foreign},
		{"queue id behind the @", "queued alice@example.com 4TabcD77777", func(r *classify.Result, _ *Question) { rename(r, "<words@4TabcD77777>") }, Foreign},
		{"another's id", "sent bob@example.com own@x", func(r *classify.Result, _ *Question) { r.References = thread(0, 3) }, Foreign},
		{"another's queue id", "queued bob@example.com 4TabcD77777", func(r *classify.Result, _ *Question) { rename(r, "<1.4TabcD77777@mail.example.com>") }, Foreign},
		{"a sub-address is an address of its own", "sent alice@example.com spam@host.example.net", func(_ *classify.Result, q *Question) { q.Recipient = "alice+x@example.com" }, Unknown},
		{"id in another case", "sent alice@example.com Spam@host.example.net", nil, Foreign},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := forged()
			q := question(&r)
			if tc.with != nil {
				tc.with(&r, &q)
			}
			if a := ask(t, options(record(tc.known)), q); a.Evidence != tc.want {
				t.Errorf("%+v, want %s", a, tc.want)
			}
		})
	}
}

func rename(r *classify.Result, id string) {
	r.Original.MessageID, r.Original.HeaderBlock = id, []byte("Message-ID: "+id+"\n")
}

// Ids go into logs and explanations: they come quoted and cut.
func TestDetailIsTame(t *testing.T) {
	id := "<\x1b[2J\n" + strings.Repeat("x", 900) + "@x>"
	r := forged()
	r.InReplyTo = []string{id}
	a := ask(t, options(record("sent alice@example.com "+trim(id))), question(&r))
	if d := a.Spoke[0].Detail; len(d) > 300 || strings.ContainsAny(d, "\x1b\n") {
		t.Errorf("%q", d)
	}
}

func TestCorrespondent(t *testing.T) {
	nameless := func(final string) *classify.Result {
		return &classify.Result{Class: classify.Bounce, Original: classify.Original{Extent: classify.None}, Recipients: []classify.Recipient{{Final: final}}}
	}
	for _, tc := range []struct {
		name  string
		known string
		about string
		with  func(*Question)
		want  Evidence
	}{
		{"final recipient", "wrote alice@example.com bob@example.net", "Bob@example.net", nil, Correspondent},
		{"reporter", "wrote alice@example.com mailer-daemon@mx.example.net", "", nil, Correspondent},
		{"original recipient", "wrote alice@example.com bob@example.net", "", func(q *Question) { q.Message.Recipients[0].Original = "bob@example.net" }, Correspondent},
		{"another's", "wrote carol@example.com bob@example.net", "bob@example.net", nil, Unknown},
		{"the domain alone", "domain alice@example.com example.net", "bob@example.net", nil, Unknown},
		{"an original is named", "wrote alice@example.com bob@example.net", "bob@example.net", func(q *Question) { q.Message.InReplyTo = []string{"<1@x>"} }, Unknown},
		{"who writes to himself", "wrote alice@example.com alice@example.com", "x@example.net", func(q *Question) { q.Reporters = []string{"alice@example.com"} }, Unknown},
		{"who writes to his people", "wrote alice@example.com boss@other.example", "boss@other.example", nil, Unknown},
		{"a local name", "wrote alice@example.com postmaster", "postmaster", nil, Unknown},
		{"behind a thousand recipients, reporter", "wrote alice@example.com mailer-daemon@mx.example.net", "", func(q *Question) {
			q.Message.Recipients = slices.Repeat(q.Message.Recipients, 1000)
		}, Correspondent},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q := question(nameless(tc.about))
			if tc.with != nil {
				tc.with(&q)
			}
			a := ask(t, options(record(tc.known)), q)
			if a.Evidence != tc.want || a.Why != "" {
				t.Errorf("%+v, want %s", a, tc.want)
			}
		})
	}
}

// Memory and time are bounded whatever a report names.
func TestLookUpsAreBounded(t *testing.T) {
	r := forged()
	for i := range 5000 {
		r.Recipients = append(r.Recipients, classify.Recipient{Final: fmt.Sprintf("r%d@d%d.example.net", i, i)})
		r.References = append(r.References, fmt.Sprintf("<%d.ABCDEF1234@x>", i))
		r.InReplyTo = append(r.InReplyTo, fmt.Sprintf("<%d.ABCDEF1234@y>", i))
	}
	known := record()
	if a := ask(t, options(known), question(&r)); a.Evidence != Foreign || known.asked > 600 {
		t.Errorf("%+v after %d look-ups", a, known.asked)
	}
}

func TestNothingIsKnown(t *testing.T) {
	r := forged()
	r.Original.DKIMSignatures, r.Original.HeaderBlock = []string{"d=example.com"}, []byte("DKIM-Signature: d=example.com\r\n")
	f := New(Options{})
	for name, q := range map[string]Question{"no message": {}, "empty message": {Message: &classify.Result{}}, "message": question(&r)} {
		if a := f.Ask(t.Context(), q); a.Evidence != Unknown {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// All that spoke is told, and the strongest decides.
func TestAll(t *testing.T) {
	header := signing{}.sign(t, letter())
	q := parsed(t, returned(header, true))
	known := record("sent alice@example.com one@example.com")
	o := options(known)
	o.Keys = ourKeys()
	kinds := func(a Answer) (list []Evidence) {
		for _, s := range a.Spoke {
			list = append(list, s.Evidence)
		}
		return list
	}
	if d := cmp.Diff([]Evidence{Ledger}, kinds(ask(t, o, q))); d != "" {
		t.Error(d)
	}
	q.All = true
	a := ask(t, o, q)
	if d := cmp.Diff([]Evidence{DKIM, Ledger}, kinds(a)); d != "" || a.Evidence != Ledger || a.Elsewhere != "" { // as without All
		t.Errorf("%+v\n%s", a, d)
	}
}

// The network is asked only where the record is silent.
func TestNetworkComesLast(t *testing.T) {
	header := signing{}.sign(t, letter())
	for knows, want := range map[string]int{"sent alice@example.com one@example.com": 0, "queued alice@example.com one@example.com": 1} {
		keys := new(down)
		o := options(record(knows))
		o.Keys = keys
		ask(t, o, parsed(t, returned(header, false)))
		if keys.asked != want {
			t.Errorf("%s: keys asked for %d times", knows, keys.asked)
		}
	}
}

// Signatures are verified once for all recipients of a domain.
func TestVerifiedOnce(t *testing.T) {
	keys := new(down)
	o := options(record())
	o.Keys = keys
	q := parsed(t, returned(signing{}.sign(t, letter()), false))
	q.Signatures = new(Signatures)
	for _, asked := range []struct {
		recipient string
		times     int
	}{{"alice@example.com", 1}, {"carol@EXAMPLE.com", 1}, {"x@other.example", 2}, {"alice@example.com", 2}} {
		q.Recipient = asked.recipient
		if a := ask(t, o, q); a.Why == "" || keys.asked != asked.times {
			t.Errorf("%s: %+v, keys asked for %d times, want %d", asked.recipient, a, keys.asked, asked.times)
		}
	}
}

func TestProven(t *testing.T) {
	for e, want := range map[Evidence]bool{DKIM: true, Ledger: true, Correspondent: true, Foreign: false, Unknown: false, "": false} {
		if e.Proven() != want {
			t.Errorf("%q: %v", e, !want)
		}
	}
}
