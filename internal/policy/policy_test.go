package policy

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/origin"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func testSettings(t testing.TB, toml string) *Settings {
	t.Helper()
	return testSite(t, toml, &Unknown{})
}

func testSite(t testing.TB, toml string, known Site) *Settings {
	t.Helper()
	cfg, err := config.Parse("test.toml", []byte("domains = [\"example.com\", \"*.example.com\"]\ntrusted_networks = [\"198.51.100.0/24\"]\n"+toml))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := batv.NewKeyring(batv.Key{Number: 3, Secret: []byte("secret"), Signing: true})
	if err != nil {
		t.Fatal(err)
	}
	return NewSettings(cfg, keys, Sources{Site: known})
}

func outsideClient() Client { return Client{Addr: addr("192.0.2.1")} }

func bounceMessage(s *Settings) *Message {
	m := NewMessage(s, Envelope{Client: outsideClient()}, now)
	return &m
}

func (s *Settings) mustSign(t testing.TB, address string, at time.Time) string {
	t.Helper()
	tagged, err := s.Tags.Sign(address, at)
	if err != nil {
		t.Fatal(err)
	}
	return tagged
}

// The table is the policy that users are told of: its reasons stand in the
// order of config.Reasons and have the defaults given there.
func TestTableFollowsReasons(t *testing.T) {
	var reasons []string
	for _, r := range Rows() {
		reasons = append(reasons, string(r.Reason))
		if want := config.DefaultAction(string(r.Reason)); r.Default != want {
			t.Errorf("%s: default %q, told %q", r.Reason, r.Default, want)
		}
	}
	if d := cmp.Diff(config.Reasons(), reasons); d != "" {
		t.Errorf("reasons (-config +table):\n%s", d)
	}
}

func TestFirstReasonDecides(t *testing.T) {
	const reject = "[policy]\ntag-missing = \"reject\"\n"
	for _, tc := range []struct {
		name   string
		toml   string
		rcpt   func(s *Settings) string
		stage  Stage
		reason Reason
		action config.Action
	}{
		{"valid tag", reject, func(s *Settings) string { return s.mustSign(t, "a@example.com", now) }, AtRcpt, TagValid, config.ActionAccept},
		{"valid tag of a sub-domain", reject, func(s *Settings) string { return s.mustSign(t, "a@mail.example.com", now) }, AtRcpt, TagValid, config.ActionAccept},
		{"exempt before forged", reject, func(s *Settings) string {
			s.mustProve(t)
			return forge(s.mustSign(t, "postmaster@example.com", now))
		}, AtRcpt, Exempt, config.ActionAccept},
		{"forged", reject, func(s *Settings) string { s.mustProve(t); return forge(s.mustSign(t, "a@example.com", now)) }, AtRcpt, TagForged, config.ActionReject},
		{"wrong signature of a key not proven", reject, func(s *Settings) string { return forge(s.mustSign(t, "a@example.com", now)) }, AtEOM, TagMissing, config.ActionReject},
		{"expired", reject, func(s *Settings) string { return s.mustSign(t, "a@example.com", now.AddDate(0, 0, -30)) }, AtEOM, TagMissing, config.ActionReject},
		{"untagged too early", reject, func(*Settings) string { return "a@example.com" }, AtEOH, "", ""},
		{"untagged", reject, func(*Settings) string { return "a@example.com" }, AtEOM, TagMissing, config.ActionReject},
		{"untagged, auto", "", func(*Settings) string { return "a@example.com" }, AtEOM, TagMissing, config.ActionMark},
		{"untagged, stage rcpt", "stage = \"rcpt\"\n" + reject, func(*Settings) string { return "a@example.com" }, AtRcpt, TagMissing, config.ActionReject},
		{"never signed because too long", reject, func(*Settings) string { return strings.Repeat("a", 50) + "@example.com" }, AtEOM, Unproven, config.ActionMark},
		{"never signed because listed", "[batv]\nunsigned_senders = [\"robot@example.com\"]\n" + reject, func(*Settings) string { return "robot@example.com" }, AtEOM, Unproven, config.ActionMark},
		{"never signed because rewritten", reject, func(*Settings) string { return "SRS0=abcd=ef=example.org=b@example.com" }, AtEOM, Unproven, config.ActionMark},
		{"never sends", "never_sends = [\"info@example.com\"]\n", func(*Settings) string { return "info@example.com" }, AtRcpt, NeverSends, config.ActionReject},
		{"never sends, tagged", "never_sends = [\"info@example.com\"]\n", func(s *Settings) string { return s.mustSign(t, "info@example.com", now) }, AtRcpt, TagValid, config.ActionAccept},
		{"foreign tag", reject, func(*Settings) string { return "btv1==760cdc7c545==a@example.com" }, AtEOM, "", ""},
		{"other domain", reject, func(*Settings) string { return "a@example.net" }, AtEOM, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := testSettings(t, tc.toml)
			m := bounceMessage(s)
			f := m.Recipient(tc.rcpt(s))
			if tc.stage == AtEOM {
				m.Classified(classify.Result{Class: classify.Bounce})
			}
			v := Judge(&f, tc.stage)
			if v.Reason != tc.reason || v.Action != tc.action {
				t.Errorf("%q %q, want %q %q", v.Reason, v.Action, tc.reason, tc.action)
			}
		})
	}
}

// mustProve has the signing key verify a tag.
func (s *Settings) mustProve(t testing.TB) {
	t.Helper()
	m := bounceMessage(s)
	f := m.Recipient(s.mustSign(t, "someone@example.com", now))
	m.Accept(&f, Verdict{})
}

func forge(tagged string) string {
	digit := "0"
	if tagged[9] == '0' {
		digit = "1"
	}
	return tagged[:9] + digit + tagged[10:]
}

// Recipients share a transaction only if one answer at its end does both
// justice: one that can never miss a tag must not carry others through.
func TestFates(t *testing.T) {
	s := testSettings(t, "[batv]\nunsigned_senders = [\"robot@example.com\"]\n[policy]\ntag-missing = \"reject\"\n")
	tagged := s.mustSign(t, "a@example.com", now)
	for _, tc := range []struct {
		name, first, second string
		reason              Reason
	}{
		{"both untagged", "a@example.com", "b@example.com", ""},
		{"both tagged", tagged, s.mustSign(t, "b@example.com", now), TagValid},
		{"tagged, exempt", tagged, "postmaster@example.com", Exempt},
		{"tagged, untagged", tagged, "b@example.com", ManyRecipients},
		{"untagged, tagged", "b@example.com", tagged, ManyRecipients},
		{"never signed, untagged", "robot@example.com", "b@example.com", ManyRecipients},
		{"untagged, never signed", "b@example.com", "robot@example.com", ManyRecipients},
		{"not ours, untagged", "x@example.net", "b@example.com", ManyRecipients},
		{"untagged, not ours", "b@example.com", "x@example.net", ManyRecipients},
		{"never signed, not ours", "robot@example.com", "x@example.net", ""},
	} {
		m := bounceMessage(s)
		first := m.Recipient(tc.first)
		if v := Judge(&first, AtRcpt); v.Refuses() {
			t.Fatalf("%s: first: %q", tc.name, v.Reason)
		}
		m.Accept(&first, Verdict{})
		second := m.Recipient(tc.second)
		if v := Judge(&second, AtRcpt); v.Reason != tc.reason {
			t.Errorf("%s: %q, want %q", tc.name, v.Reason, tc.reason)
		}
	}
}

// Judging finds out and changes nothing: only a recipient that is accepted
// proves its key.
func TestJudgeIsPure(t *testing.T) {
	s := testSettings(t, "")
	m := bounceMessage(s)
	tagged := s.mustSign(t, "a@example.com", now)
	f := m.Recipient(tagged)
	if v := Judge(&f, AtRcpt); v.Reason != TagValid {
		t.Fatal(v.Reason)
	}
	forged := m.Recipient(forge(tagged))
	if v := Judge(&forged, AtRcpt); v.Reason == TagForged {
		t.Error("judging a tag has proved its key")
	}
	m.Accept(&f, Verdict{})
	forged = bounceMessage(s).Recipient(forge(tagged))
	if v := Judge(&forged, AtRcpt); v.Reason != TagForged {
		t.Errorf("after it was accepted: %q", v.Reason)
	}
}

// What shows of one recipient that mail leaves elsewhere is not lost behind
// another's verdict.
func TestCombineKeepsElsewhere(t *testing.T) {
	shows := &Facts{Address: "b@other.example.com", originKnown: true, origin: origin.Answer{Evidence: origin.DKIM, Elsewhere: "a bounce"}}
	for _, in := range [][]Verdict{
		{{Reason: TagMissing, Action: config.ActionReject, Facts: &Facts{Address: "a@example.com"}}, {Reason: OriginProven, Action: config.ActionAccept, Facts: shows}},
		{{}, {Reason: OriginProven, Action: config.ActionAccept, Facts: shows}},
	} {
		if domain, what := Combine(in).Elsewhere(); domain != "other.example.com" || what != "a bounce" {
			t.Errorf("%q, %q", domain, what)
		}
	}
	if domain, what := Combine([]Verdict{{Reason: TagMissing, Facts: &Facts{originKnown: true}}}).Elsewhere(); domain != "" || what != "" {
		t.Errorf("of nothing: %q, %q", domain, what)
	}
}

func TestCombine(t *testing.T) {
	v := func(reason Reason, action config.Action) Verdict {
		return Verdict{Reason: reason, Action: action, Enforced: true}
	}
	for _, tc := range []struct {
		name   string
		in     []Verdict
		reason Reason
		action config.Action
	}{
		{"none", nil, "", ""},
		{"one", []Verdict{v(TagMissing, config.ActionReject)}, TagMissing, config.ActionReject},
		{"all alike", []Verdict{v(TagMissing, config.ActionDiscard), v(TagMissing, config.ActionDiscard)}, TagMissing, config.ActionDiscard},
		{"one good, one bad", []Verdict{v(TagValid, config.ActionAccept), v(TagMissing, config.ActionReject)}, TagMissing, config.ActionMark},
		{"one not judged, one bad", []Verdict{{}, v(TagMissing, config.ActionReject)}, TagMissing, config.ActionMark},
		{"one not judged, one good", []Verdict{{}, v(TagValid, config.ActionAccept)}, TagValid, config.ActionAccept},
		{"two refusals", []Verdict{v(TagMissing, config.ActionReject), v(TagForged, config.ActionTempfail)}, TagForged, config.ActionTempfail},
		{"quarantine is not shared", []Verdict{v(TagMissing, config.ActionReject), v(TagForged, config.ActionQuarantine)}, TagMissing, config.ActionMark},
		{"discard is not shared", []Verdict{v(TagMissing, config.ActionDiscard), v(TagForged, config.ActionMark)}, TagMissing, config.ActionMark},
	} {
		for range 2 {
			got := Combine(tc.in)
			if got.Reason != tc.reason || got.Action != tc.action {
				t.Errorf("%s: %q %q, want %q %q", tc.name, got.Reason, got.Action, tc.reason, tc.action)
			}
			slices.Reverse(tc.in)
		}
	}
}

func TestMonitorMarksWhatItWouldRefuse(t *testing.T) {
	v := Verdict{Reason: TagForged, Action: config.ActionReject}
	if v.Effective() != config.ActionMark || v.Refuses() {
		t.Errorf("%q", v.Effective())
	}
	v.Action = config.ActionAccept
	if v.Effective() != config.ActionAccept {
		t.Errorf("accept became %q", v.Effective())
	}
}

// What the message is decides of recipients that no tag proves; what is
// legitimately untagged is accepted even where a domain is strict.
func TestClasses(t *testing.T) {
	strict := &known{strict: map[string]bool{"example.com": true}}
	for _, tc := range []struct {
		class  classify.Class
		reason Reason
		lax    config.Action
		strict config.Action
	}{
		{classify.DSN, TagMissing, config.ActionMark, config.ActionReject},
		{classify.Bounce, TagMissing, config.ActionMark, config.ActionReject},
		{classify.Receipt, Receipt, config.ActionAccept, config.ActionAccept},
		{classify.Report, Report, config.ActionAccept, config.ActionAccept},
		{classify.Calendar, Calendar, config.ActionAccept, config.ActionAccept},
		{classify.Challenge, Challenge, config.ActionMark, config.ActionReject},
		{classify.VirusNotice, VirusNotice, config.ActionMark, config.ActionReject},
		{classify.AutoReply, AutoReply, config.ActionMark, config.ActionMark},
		{classify.List, Unproven, config.ActionMark, config.ActionMark},
		{classify.Ordinary, Unproven, config.ActionMark, config.ActionMark},
	} {
		for site, want := range map[Site]config.Action{&Unknown{}: tc.lax, strict: tc.strict} {
			m := bounceMessage(testSite(t, "", site))
			f := m.Recipient("a@example.com")
			for _, stage := range []Stage{AtRcpt, AtEOH} {
				if v := Judge(&f, stage); v.Decided() {
					t.Errorf("%s: %q before the class is known", tc.class, v.Reason)
				}
			}
			m.Classified(classify.Result{Class: tc.class, Evidence: []classify.Evidence{{Signal: "subject"}, {Signal: "text"}, {Signal: "text"}}})
			v := Judge(&f, AtEOM)
			if v.Reason != tc.reason || v.Action != want {
				t.Errorf("%s: %q %q, want %q %q", tc.class, v.Reason, v.Action, tc.reason, want)
			}
			if v.Class() != string(tc.class) || v.Evidence() != "tag=missing class=subject,text" {
				t.Errorf("%s: class %q, evidence %q", tc.class, v.Class(), v.Evidence())
			}
		}
	}
}

// What the other side sees is plain ASCII of one line, with an enhanced status
// code of the same class, and fits an SMTP reply (RFC 5321, section 4.5.3.1.5).
func TestReplies(t *testing.T) {
	for _, row := range Rows() {
		for _, a := range []config.Action{config.ActionReject, config.ActionTempfail} {
			r := ReplyTo(row.Reason, a, "")
			class := "5."
			if a == config.ActionTempfail {
				class = "4."
			}
			if !strings.HasPrefix(r.Text, class) || r.Code/100 != int(class[0]-'0') || len(r.Text) > 500 {
				t.Errorf("%s %s: %d %s", row.Reason, a, r.Code, r.Text)
			}
			if strings.ContainsFunc(r.Text, func(c rune) bool { return c < ' ' || c > '~' }) {
				t.Errorf("%s: not plain ASCII: %q", row.Reason, r.Text)
			}
		}
	}
	got := ReplyTo(TagMissing, config.ActionReject, "https://example.com/why/{reason}")
	want := Reply{550, "5.7.1 This bounce is for a message we did not send, see https://example.com/why/tag-missing"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
