package policy

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/origin"
)

// oracle gives the same answer to every question, and keeps them.
type oracle struct {
	answer origin.Answer
	asked  []origin.Question
}

func (o *oracle) Ask(_ context.Context, q origin.Question) origin.Answer {
	o.asked = append(o.asked, q)
	return o.answer
}

// judged judges a message of that class with a null sender at its end.
func judged(s *Settings, sender, rcpt string, class classify.Class) (Verdict, *Facts) {
	m := NewMessage(s, Envelope{Client: outsideClient(), Sender: sender}, now)
	f := m.Recipient(rcpt)
	v := Judge(&f, AtRcpt)
	m.Accept(&f, v)
	m.Header("From", "Mail System <robot@mx.example.net>")
	m.EndOfHeaders()
	m.Classified(classify.Result{Class: class})
	for _, stage := range []Stage{AtEOH, AtEOM} {
		if !v.Decided() {
			v = Judge(&f, stage)
		}
	}
	return v, &f
}

// What is asked, and when it is not.
func TestOriginQuestion(t *testing.T) {
	s := testSettings(t, "[batv]\nunsigned_senders = [\"news@example.com\"]\n")
	expired := s.mustSign(t, "a@example.com", now.AddDate(0, 0, -20))
	for _, tc := range []struct {
		sender, rcpt string
		class        classify.Class
		want         string // recipient asked for, "" if not asked
		signable     bool
		reporters    []string
	}{
		{"", "a@example.com", classify.DSN, "a@example.com", true, []string{"robot@mx.example.net"}},
		{"", expired, classify.Bounce, "a@example.com", true, []string{"robot@mx.example.net"}},
		{"", "news@example.com", classify.Bounce, "news@example.com", false, []string{"robot@mx.example.net"}},
		{"bob@example.net", "a@example.com", classify.Bounce, "a@example.com", true, []string{"bob@example.net", "robot@mx.example.net"}},
		{"", s.mustSign(t, "a@example.com", now), classify.Bounce, "", false, nil},
		{"", "btv1==760cdc7c545==a@example.com", classify.Bounce, "", false, nil},
		{"", "postmaster@example.com", classify.Bounce, "", false, nil},
		{"", "a@example.net", classify.Bounce, "", false, nil},
		{"bob@example.net", "a@example.com", classify.Ordinary, "", false, nil},
	} {
		o := &oracle{}
		s.origins = o
		judged(s, tc.sender, tc.rcpt, tc.class)
		if tc.want == "" {
			if len(o.asked) > 0 {
				t.Errorf("%s to %s: asked %+v", tc.class, tc.rcpt, o.asked)
			}
			continue
		}
		if len(o.asked) != 1 {
			t.Errorf("%s to %s: asked %d times", tc.class, tc.rcpt, len(o.asked))
			continue
		}
		q := o.asked[0]
		if q.Recipient != tc.want || q.Signable != tc.signable || !slices.Equal(q.Reporters, tc.reporters) || q.All || q.Message.Class != tc.class || !q.Now.Equal(now) {
			t.Errorf("%s to %s: %+v", tc.class, tc.rcpt, q)
		}
	}
	o := &oracle{}
	s.origins = o
	Explain(s, Envelope{Client: outsideClient()}, []string{"a@example.com"}, []byte(sampleBounce), ExplainOptions{Now: now})
	if len(o.asked) != 1 || !o.asked[0].All {
		t.Errorf("to explain: %+v", o.asked)
	}
}

// What is known of the original, and by which record it refuses.
func TestOriginRows(t *testing.T) {
	byRecord := &known{recorded: map[string]bool{"example.com": true}}
	bySigning := &known{strict: map[string]bool{"example.com": true}}
	for _, tc := range []struct {
		evidence origin.Evidence
		class    classify.Class
		site     *known
		sender   string
		reason   Reason
		action   config.Action
	}{
		{origin.Ledger, classify.Bounce, bySigning, "", OriginProven, config.ActionAccept},
		{origin.DKIM, classify.AutoReply, bySigning, "", OriginProven, config.ActionAccept},
		{origin.Correspondent, classify.Challenge, bySigning, "bob@example.net", OriginProven, config.ActionAccept},
		{origin.Foreign, classify.Bounce, byRecord, "", OriginForeign, config.ActionReject},
		{origin.Foreign, classify.VirusNotice, byRecord, "bob@example.net", OriginForeign, config.ActionReject},
		{origin.Foreign, classify.DSN, bySigning, "", OriginForeign, config.ActionMark},
		{origin.Foreign, classify.AutoReply, byRecord, "", AutoReply, config.ActionMark},
		{origin.Foreign, classify.Receipt, byRecord, "", Receipt, config.ActionAccept},
		{origin.Foreign, classify.Ordinary, byRecord, "", Unproven, config.ActionMark},
		{origin.Foreign, classify.Ordinary, byRecord, "bob@example.net", "", ""},
		{origin.Unknown, classify.Bounce, byRecord, "", TagMissing, config.ActionMark},
		{origin.Unknown, classify.Bounce, bySigning, "", TagMissing, config.ActionReject},
	} {
		s := testSite(t, "", tc.site)
		s.origins = &oracle{answer: origin.Answer{Evidence: tc.evidence}}
		v, _ := judged(s, tc.sender, "a@example.com", tc.class)
		if v.Reason != tc.reason || v.Action != tc.action {
			t.Errorf("%s about %s from %q: %q %q, want %q %q", tc.class, tc.evidence, tc.sender, v.Reason, v.Action, tc.reason, tc.action)
		}
		if v.Reason == OriginProven || v.Reason == OriginForeign {
			if v.Origin() != string(tc.evidence) || !strings.Contains(v.Evidence(), " origin="+string(tc.evidence)) || v.Stage != AtEOM {
				t.Errorf("origin %q at %v, evidence %q", v.Origin(), v.Stage, v.Evidence())
			}
		}
	}
}

// Nothing is waited for before the end of the message: not the lists either.
func TestNothingIsWaitedForEarly(t *testing.T) {
	lists, _ := listsOf(t)
	o := &oracle{answer: origin.Answer{Evidence: origin.Foreign}}
	s := testSettings(t, "[policy]\nlisted = \"accept\"\norigin-foreign = \"accept\"\n")
	s.lists, s.origins = lists, o
	m := NewMessage(s, Envelope{Client: Client{Addr: addr("192.0.2.66")}}, now)
	f := m.Recipient("a@example.com")
	m.Accept(&f, Judge(&f, AtRcpt))
	m.Classified(classify.Result{Class: classify.Bounce})
	for _, stage := range []Stage{AtRcpt, AtData, AtEOH} {
		if v := Judge(&f, stage); v.Decided() || len(o.asked) > 0 || m.listing.known {
			t.Errorf("%v: %q, asked %d, lists waited for %v", stage, v.Reason, len(o.asked), m.listing.known)
		}
	}
}
