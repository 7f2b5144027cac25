package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/backscatter-milter/backscatter-milter/config"
)

const sampleBounce = "From: MAILER-DAEMON@mx.example.net\r\nSubject: failure notice\r\nX-Trusted: yes\r\n\r\n" +
	"Hi. This is the qmail-send program at mx.example.net.\r\n\r\n<nobody@example.net>:\r\nSorry, no mailbox here by that name. (#5.1.1)\r\n\r\n" +
	"--- Below this line is a copy of the message.\r\n\r\nReturn-Path: <a@example.com>\r\nMessage-ID: <1@example.com>\r\nFrom: a@example.com\r\n\r\nHello\r\n"

// An explanation gives the verdict that judging gives, with one deciding row a
// recipient, and leaves no trace.
func TestExplain(t *testing.T) {
	for _, tc := range []struct {
		name, toml string
		to         func(s *Settings) []string
		rcpt       []Reason // each recipient's
		want       Reason
		stage      string
		action     config.Action
	}{
		{"untagged", "", plainTo("a@example.com"), []Reason{TagMissing}, TagMissing, "eom", config.ActionMark},
		{"stage data", "stage = \"data\"\n", plainTo("a@example.com"), []Reason{TagMissing}, TagMissing, "data", config.ActionMark},
		{"stage rcpt", "stage = \"rcpt\"\n", plainTo("a@example.com"), []Reason{TagMissing}, TagMissing, "rcpt", config.ActionMark},
		{"tagged", "", func(s *Settings) []string { return []string{s.mustSign(t, "a@example.com", now)} }, []Reason{TagValid}, TagValid, "rcpt", config.ActionAccept},
		{"never sends", "never_sends = [\"a@example.com\"]\n", plainTo("a@example.com"), []Reason{NeverSends}, NeverSends, "rcpt", config.ActionReject},
		{"two fates", "", func(s *Settings) []string { return []string{s.mustSign(t, "a@example.com", now), "b@example.com"} }, []Reason{TagValid, ManyRecipients}, TagValid, "rcpt", config.ActionAccept},
		{"exempt by header", "[exempt]\nheaders = { X-Trusted = \"^yes\" }\n", plainTo("a@example.com"), []Reason{Exempt}, Exempt, "eoh", config.ActionAccept},
		{"others'", "", plainTo("a@example.net"), []Reason{""}, "", "", ""},
		{"nobody", "", plainTo(), nil, "", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := testSettings(t, tc.toml)
			x := Explain(s, Envelope{Client: outsideClient()}, tc.to(s), []byte(sampleBounce), ExplainOptions{Now: now})
			if x.Verdict.Reason != tc.want || x.Verdict.Action != tc.action || tc.want != "" && x.Verdict.Stage != tc.stage {
				t.Errorf("%+v, want %s %s at %s", x.Verdict, tc.action, tc.want, tc.stage)
			}
			if x.Class != "bounce" || len(x.Evidence) == 0 || x.Original.MessageID != "<1@example.com>" {
				t.Errorf("class %q, evidence %v, original %+v", x.Class, x.Evidence, x.Original)
			}
			for i, r := range x.Recipients {
				if r.Verdict.Reason != tc.rcpt[i] || deciding(r) != tc.rcpt[i] {
					t.Errorf("%s: %+v by row %q, want %q", r.Address, r.Verdict, deciding(r), tc.rcpt[i])
				}
				if r.Judged && (len(r.Rows) != len(Rows()) || r.Verdict.Reply == "" && !strings.Contains(r.Verdict.Header, string(tc.rcpt[i]))) {
					t.Errorf("%s: %d rows, %+v", r.Address, len(r.Rows), r.Verdict)
				}
			}
			if key := s.Tags.Verify(s.mustSign(t, "a@example.com", now), now).KeyID; s.site.Proven(key) {
				t.Error("to explain has proven a key")
			}
		})
	}
}

// An explanation sees at each stage what is seen there: at DATA no class, and
// with nothing enforced nobody is kept from the others.
func TestExplainAsJudged(t *testing.T) {
	const reply = "From: bob@example.net\r\nSubject: Out of office\r\nAuto-Submitted: auto-replied\r\n\r\nI am away.\r\n"
	s := testSettings(t, "stage = \"data\"\n[exempt]\nheaders = { Subject = \"office\" }\n[policy]\ntag-missing = \"reject\"\n")
	x := Explain(s, Envelope{Client: outsideClient()}, []string{"a@example.com"}, []byte(reply), ExplainOptions{Now: now})
	if x.Class != "auto-reply" || x.Verdict.Reason != TagMissing || x.Verdict.Stage != "data" || x.Verdict.Reply == "" {
		t.Errorf("stage data: %s, %+v", x.Class, x.Verdict)
	}
	s = testSettings(t, "mode = \"monitor\"\nnever_sends = [\"info@example.com\"]\n")
	to := []string{"info@example.com", s.mustSign(t, "a@example.com", now), "b@example.com"}
	x = Explain(s, Envelope{Client: outsideClient()}, to, []byte(sampleBounce), ExplainOptions{Now: now})
	var got []Reason
	for _, r := range x.Recipients {
		got = append(got, r.Verdict.Reason)
	}
	if !slices.Equal(got, []Reason{NeverSends, TagValid, ManyRecipients}) || x.Verdict.Reason != TagMissing || x.Verdict.Action != config.ActionMark {
		t.Errorf("monitor: %q, %+v", got, x.Verdict)
	}
}

// What is decided at the end of the header is said to be: a block of the subject,
// and in monitor mode what the stage setting has decided before the class is known.
func TestExplainAtEndOfHeaders(t *testing.T) {
	s := flooding(t, "", floodRules, &known{})
	for range floodRules.Threshold + 1 {
		s.floods.UnprovenSubject(outsideClient().Addr, s.floods.Subject("failure notice"))
	}
	to := []string{"postmaster@example.com", "a@example.com"}
	x := Explain(s.Settings, Envelope{Client: outsideClient()}, to[1:], []byte(sampleBounce), ExplainOptions{Now: now})
	if x.Verdict.Reason != Flood || x.Verdict.Stage != "eoh" || x.Recipients[0].Flood != "subject-blocked" {
		t.Errorf("blocked: %+v, flood %q", x.Verdict, x.Recipients[0].Flood)
	}
	monitor := testSettings(t, "mode = \"monitor\"\nstage = \"rcpt\"\n")
	x = Explain(monitor, Envelope{Client: outsideClient()}, to, []byte(sampleBounce), ExplainOptions{Now: now})
	if x.Verdict.Reason != TagMissing || x.Verdict.Stage != "eoh" || !strings.Contains(x.Verdict.Header, "class=unknown") {
		t.Errorf("monitor: %+v", x.Verdict)
	}
}

// As if all were strict, and without lists, whatever the site says.
func TestExplainStrict(t *testing.T) {
	lists, _ := listsOf(t)
	s := testSettings(t, "")
	s.lists = lists
	e := Envelope{Client: Client{Addr: addr("192.0.2.66")}}
	for _, tc := range []struct {
		o      ExplainOptions
		want   Reason
		action config.Action
	}{
		{ExplainOptions{Now: now}, TagMissing, config.ActionMark},
		{ExplainOptions{Now: now, Strict: true}, TagMissing, config.ActionReject},
		{ExplainOptions{Now: now, Strict: true, WithLists: true}, Listed, config.ActionReject},
	} {
		x := Explain(s, e, []string{"a@example.com"}, []byte(sampleBounce), tc.o)
		if x.Verdict.Reason != tc.want || x.Verdict.Action != tc.action || (x.Listing == "") == tc.o.WithLists {
			t.Errorf("%+v: %+v, listing %q", tc.o, x.Verdict, x.Listing)
		}
	}
	if len(lists.asked) != 1 {
		t.Errorf("asked about %v", lists.asked)
	}
}

// The header that is foretold is the one that the message would get: what was
// decided before the message came says nothing of its class.
func TestExplainHeader(t *testing.T) {
	for _, tc := range []struct{ toml, tagged, want string }{
		{"", "yes", "accept; reason=tag-valid; class=unknown; origin=tag"},
		{"", "", "mark; reason=tag-missing; class=bounce; origin=unknown"},
		{"stage = \"data\"\n", "", "mark; reason=tag-missing; class=unknown; origin=unknown"},
		{"[exempt]\nrecipients = [\"a@example.com\"]\n", "", "accept; reason=exempt; class=unknown; origin=unknown"},
	} {
		s := testSettings(t, tc.toml)
		to := "a@example.com"
		if tc.tagged != "" {
			to = s.mustSign(t, to, now)
		}
		x := Explain(s, Envelope{Client: outsideClient()}, []string{to}, []byte(sampleBounce), ExplainOptions{Now: now})
		if x.Verdict.Header != tc.want || x.Recipients[0].Verdict.Header != tc.want || x.Class != "bounce" {
			t.Errorf("%q: %q and %q, want %q", tc.toml, x.Verdict.Header, x.Recipients[0].Verdict.Header, tc.want)
		}
	}
}

func plainTo(to ...string) func(*Settings) []string {
	return func(*Settings) []string { return to }
}

// deciding is the row that is said to have decided.
func deciding(r Explained) Reason {
	for _, row := range r.Rows {
		if row.Decides {
			return row.Reason
		}
	}
	return ""
}
