package policy

import (
	"testing"

	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/config"
)

// What has an ordinary sender is judged only when it has turned out to be a
// notification, and then marked at the worst: an address that its mail was never
// sent from cannot miss a tag.
func TestMemos(t *testing.T) {
	const harsh = "[policy]\ntag-missing = \"reject\"\nchallenge = \"reject\"\nvirus-notice = \"tempfail\"\nauto-reply = \"quarantine\"\nunproven = \"discard\"\n"
	for _, tc := range []struct {
		toml   string
		rcpt   string // "" for a tagged one
		class  classify.Class
		reason Reason
		action config.Action
	}{
		{harsh, "a@example.com", "", "", ""},
		{harsh, "a@example.com", classify.Ordinary, "", ""},
		{harsh, "a@example.com", classify.List, "", ""},
		{harsh, "a@example.com", classify.DSN, Unproven, config.ActionMark},
		{harsh, "a@example.com", classify.Bounce, Unproven, config.ActionMark},
		{harsh, "a@example.com", classify.Challenge, Challenge, config.ActionMark},
		{harsh, "a@example.com", classify.VirusNotice, VirusNotice, config.ActionMark},
		{harsh, "a@example.com", classify.AutoReply, AutoReply, config.ActionMark},
		{harsh, "a@example.com", classify.Receipt, Receipt, config.ActionAccept},
		{harsh, "a@example.com", classify.Report, Report, config.ActionAccept},
		{harsh, "a@example.com", classify.Calendar, Calendar, config.ActionAccept},
		{harsh, "", classify.Bounce, TagValid, config.ActionAccept},
		{harsh, "postmaster@example.com", classify.Bounce, Exempt, config.ActionAccept},
		{harsh, "a@example.net", classify.Bounce, "", ""},
		{"never_sends = [\"a@example.com\"]\n", "a@example.com", classify.Bounce, Unproven, config.ActionMark},
		{"[policy]\nchallenge = \"accept\"\n", "a@example.com", classify.Challenge, Challenge, config.ActionAccept},
		{"mode = \"off\"\n", "a@example.com", classify.Bounce, "", ""},
		{"[classify]\nmemos = false\n", "a@example.com", classify.Bounce, "", ""},
	} {
		s := testSite(t, tc.toml, &known{strict: map[string]bool{"example.com": true}})
		m := NewMessage(s, Envelope{Client: outsideClient(), Sender: "bob@example.net"}, now)
		rcpt := tc.rcpt
		if rcpt == "" {
			rcpt = s.mustSign(t, "a@example.com", now)
		}
		f := m.Recipient(rcpt)
		if v := Judge(&f, AtRcpt); v.Decided() {
			t.Errorf("%s %q: judged at RCPT: %q", tc.class, rcpt, v.Reason)
		}
		if tc.class != "" {
			m.Classified(classify.Result{Class: tc.class})
		}
		if v := Judge(&f, AtEOM); v.Reason != tc.reason || v.Action != tc.action {
			t.Errorf("%s to %q under %q: %q %q, want %q %q", tc.class, rcpt, tc.toml, v.Reason, v.Action, tc.reason, tc.action)
		}
	}
}

// Which messages have to be read: those of trusted clients and to others' domains
// never.
func TestNeedsClass(t *testing.T) {
	for _, tc := range []struct {
		toml, rcpt string
		envelope   Envelope
		want       bool
	}{
		{"", "a@example.com", Envelope{Client: outsideClient()}, true},
		{"", "a@example.com", Envelope{Client: outsideClient(), Sender: "bob@example.net"}, true},
		{"", "a@example.net", Envelope{Client: outsideClient(), Sender: "bob@example.net"}, false},
		{"", "a@example.com", Envelope{Client: Client{Local: true}, Sender: "bob@example.net"}, false},
		{"", "a@example.com", Envelope{Client: Client{Local: true}, Sender: "bob@example.com"}, false},
		{"", "a@example.com", Envelope{Client: Client{Local: true}}, false},
		{"[classify]\nmemos = false\n", "a@example.com", Envelope{Client: outsideClient(), Sender: "bob@example.net"}, false},
		{"[classify]\nmemos = false\n", "a@example.com", Envelope{Client: outsideClient()}, true},
		{"mode = \"off\"\n", "a@example.com", Envelope{Client: outsideClient(), Sender: "bob@example.net"}, false},
	} {
		m := NewMessage(testSettings(t, tc.toml), tc.envelope, now)
		f := m.Recipient(tc.rcpt)
		if got := f.NeedsClass(Verdict{}); got != tc.want {
			t.Errorf("%+v to %q under %q: %v", tc.envelope, tc.rcpt, tc.toml, got)
		}
		if f.NeedsClass(Verdict{Reason: Exempt}) {
			t.Error("read though it is decided")
		}
	}
}
