package policy

import (
	"testing"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/config"
)

// known is a Site of which the test says what is known.
type known struct {
	Unknown
	ours, strict, recorded map[string]bool
	layout                 map[string]batv.Layout
}

func (k *known) Ours(domain string) bool           { return k.ours[domain] }
func (k *known) Strict(domain string) bool         { return k.strict[domain] }
func (k *known) StrictByRecord(domain string) bool { return k.recorded[domain] }
func (k *known) Layout(domain string) batv.Layout  { return k.layout[domain] }

// "auto" refuses where the domain is strict, and marks where it is not; what is
// set is done everywhere.
func TestAutoBecomesStrict(t *testing.T) {
	site := &known{strict: map[string]bool{"example.com": true}}
	for _, tc := range []struct {
		toml, address string
		want          config.Action
	}{
		{"", "a@example.com", config.ActionReject},
		{"", "a@mail.example.com", config.ActionMark},
		{"[policy]\ntag-missing = \"quarantine\"\n", "a@example.com", config.ActionQuarantine},
		{"[policy]\ntag-missing = \"auto\"\n", "a@example.com", config.ActionReject},
		{"[[domain]]\nname = \"example.com\"\npolicy.tag-missing = \"mark\"\n", "a@example.com", config.ActionMark},
	} {
		s := testSite(t, tc.toml, site)
		m := bounceMessage(s)
		m.Classified(classify.Result{Class: classify.DSN})
		f := m.Recipient(tc.address)
		if v := Judge(&f, AtEOM); v.Reason != TagMissing || v.Action != tc.want {
			t.Errorf("%q, %s: %q %q, want %q", tc.toml, tc.address, v.Reason, v.Action, tc.want)
		}
	}
	s := testSite(t, "", site)
	if got := s.action(Flood, "a@example.com"); got != config.ActionReject {
		t.Errorf("flood of a strict domain: %q", got)
	}
	if got := s.action(Flood, "a@mail.example.com"); got != config.ActionTempfail {
		t.Errorf("flood of another: %q", got)
	}
}

// Domains are learned only where none are named.
func TestLearnedDomains(t *testing.T) {
	site := &known{ours: map[string]bool{"example.org": true}}
	if testSite(t, "", site).Ours("a@example.org") {
		t.Error("a learned domain was taken beside those named")
	}
	cfg, err := config.Parse("test.toml", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := NewSettings(cfg, nil, Sources{Site: site})
	if !s.Ours("a@example.org") || s.Ours("a@example.com") || s.Ours("postmaster") {
		t.Error("not the learned domain and no other")
	}
}

// With sign = "auto" a domain is signed for in the layout that has been seen to
// come home, and not before.
func TestSignAuto(t *testing.T) {
	site := &known{layout: map[string]batv.Layout{"example.com": batv.LayoutSubaddress}}
	s := testSite(t, "", site)
	client := Client{Addr: addr("198.51.100.7")}
	m := NewMessage(s, Envelope{Client: client, Sender: "a@example.com"}, now)
	address, sent := m.Sign()
	if v := s.Tags.Verify(address, now); sent.Result != Signed || sent.Key != v.KeyID || v.Result != batv.Valid || v.Layout != batv.LayoutSubaddress {
		t.Errorf("%q, %+v", address, sent)
	}
	m = NewMessage(s, Envelope{Client: client, Sender: "a@mail.example.com"}, now)
	if address, sent := m.Sign(); address != "" || sent.Result != NotHome {
		t.Errorf("not probed: %q, %+v", address, sent)
	}
}

// What a [[domain]] table sets takes the place of the global value, lists are
// added, and other domains are left as they were.
func TestDomainTable(t *testing.T) {
	const toml = `
never_sends = ["info@*"]
[batv]
sign = true
unsigned_senders = ["robot@*"]
[policy]
tag-missing = "reject"
[exempt]
headers = { X-All = "yes" }
[[domain]]
name = "quiet.example.com"
mode = "off"
[[domain]]
name = "watched.example.com"
mode = "monitor"
never_sends = ["news@watched.example.com"]
batv = { sign = false, unsigned_senders = ["cron@*"] }
policy = { tag-missing = "quarantine" }
exempt = { recipients = ["vip@*"], headers = { X-Watched = "yes" } }
`
	s := testSettings(t, toml)
	for _, tc := range []struct {
		address  string
		header   string
		reason   Reason
		action   config.Action
		enforced bool
	}{
		{"a@example.com", "", TagMissing, config.ActionReject, true},
		{"a@quiet.example.com", "", "", "", false},
		{"a@watched.example.com", "", TagMissing, config.ActionQuarantine, false},
		{"a@WATCHED.example.com", "", TagMissing, config.ActionQuarantine, false},
		{"info@watched.example.com", "", NeverSends, config.ActionReject, false},
		{"news@watched.example.com", "", NeverSends, config.ActionReject, false},
		{"news@example.com", "", TagMissing, config.ActionReject, true},
		{"robot@watched.example.com", "", Unproven, config.ActionMark, false},
		{"cron@watched.example.com", "", Unproven, config.ActionMark, false},
		{"cron@example.com", "", TagMissing, config.ActionReject, true},
		{"vip@watched.example.com", "", Exempt, config.ActionAccept, false},
		{"vip@example.com", "", TagMissing, config.ActionReject, true},
		{"a@watched.example.com", "X-Watched", Exempt, config.ActionAccept, false},
		{"a@watched.example.com", "X-All", Exempt, config.ActionAccept, false},
		{"a@example.com", "X-Watched", TagMissing, config.ActionReject, true},
	} {
		m := bounceMessage(s)
		f := m.Recipient(tc.address)
		m.Accept(&f, Verdict{})
		if tc.header != "" {
			m.Header(tc.header, "yes")
		}
		m.EndOfHeaders()
		m.Classified(classify.Result{Class: classify.DSN})
		v := Judge(&f, AtEOM)
		if v.Reason != tc.reason || v.Action != tc.action || v.Enforced != tc.enforced {
			t.Errorf("%s %s: %q %q enforced %v, want %q %q %v", tc.address, tc.header, v.Reason, v.Action, v.Enforced, tc.reason, tc.action, tc.enforced)
		}
	}
	client := Client{Addr: addr("198.51.100.7")}
	for sender, want := range map[string]Kind{"a@example.com": Outbound, "a@watched.example.com": Outbound, "a@quiet.example.com": Relayed} {
		if got := s.sort(Envelope{Client: client, Sender: sender}); got != want {
			t.Errorf("mail of %s: %v, want %v", sender, got, want)
		}
	}
	m := NewMessage(s, Envelope{Client: client, Sender: "a@watched.example.com"}, now)
	if _, sent := m.Sign(); sent.Result != NotSigning {
		t.Errorf("sign = false of a domain: %+v", sent)
	}
}

// mode = "off" for all but one domain is on for that one.
func TestOneDomainOn(t *testing.T) {
	s := testSettings(t, "mode = \"off\"\n[[domain]]\nname = \"mail.example.com\"\nmode = \"enforce\"\n")
	for address, want := range map[string]Reason{"a@example.com": "", "a@mail.example.com": TagMissing} {
		m := bounceMessage(s)
		m.Classified(classify.Result{Class: classify.DSN})
		f := m.Recipient(address)
		if v := Judge(&f, AtEOM); v.Reason != want {
			t.Errorf("%s: %q, want %q", address, v.Reason, want)
		}
	}
}

// Suspects of different policies do not share a transaction.
func TestDifferentPoliciesAreKeptApart(t *testing.T) {
	s := testSettings(t, "[[domain]]\nname = \"mail.example.com\"\npolicy.tag-missing = \"reject\"\n")
	m := bounceMessage(s)
	first := m.Recipient("a@example.com")
	m.Accept(&first, Verdict{})
	second := m.Recipient("a@mail.example.com")
	if v := Judge(&second, AtRcpt); v.Reason != ManyRecipients {
		t.Errorf("%q", v.Reason)
	}
}

// A bounce about mail to a recipient whose mail is never signed cannot miss a
// tag, whoever it comes back to.
func TestBounceFromUnsignedDestination(t *testing.T) {
	s := testSite(t, "[batv]\nunsigned_destinations = [\"lists.example.net\"]\n", &known{strict: map[string]bool{"example.com": true}})
	for _, class := range []classify.Class{classify.DSN, classify.Challenge, classify.VirusNotice} {
		for final, want := range map[string]config.Action{"dev@lists.example.net": config.ActionMark, "bob@example.net": config.ActionReject} {
			m := bounceMessage(s)
			f := m.Recipient("a@example.com")
			m.Classified(classify.Result{Class: class, Recipients: []classify.Recipient{{Final: final}}})
			if v := Judge(&f, AtEOM); v.Action != want {
				t.Errorf("%s about %s: %q %q, want %q", class, final, v.Reason, v.Action, want)
			}
		}
	}
}

// What we would never have signed, or another site has, is not refused for a
// missing proof.
func TestWhatCannotBeProvenIsNotRefused(t *testing.T) {
	s := testSite(t, "[batv]\nunsigned_senders = [\"robot@*\"]\n", &known{strict: map[string]bool{"example.com": true}})
	for _, address := range []string{"robot@example.com", "btv1==760cdc7c545==a@example.com"} {
		for _, class := range []classify.Class{classify.DSN, classify.Challenge, classify.VirusNotice} {
			m := bounceMessage(s)
			f := m.Recipient(address)
			m.Classified(classify.Result{Class: class})
			if v := Judge(&f, AtEOM); v.Refuses() {
				t.Errorf("%s to %s: %q", class, address, v.Reason)
			}
		}
	}
}

// A domain that is strict and one that is not do not share a transaction, whose
// one answer would be the milder.
func TestStrictIsKeptApart(t *testing.T) {
	s := testSite(t, "", &known{strict: map[string]bool{"example.com": true}})
	m := bounceMessage(s)
	first := m.Recipient("a@example.com")
	m.Accept(&first, Verdict{})
	second := m.Recipient("a@mail.example.com")
	if v := Judge(&second, AtRcpt); v.Reason != ManyRecipients {
		t.Errorf("%q", v.Reason)
	}
}

// Only where header fields can exempt is their end waited for.
func TestHeadersOfOtherDomains(t *testing.T) {
	s := testSettings(t, "never_sends = [\"info@example.com\", \"info@watched.example.com\"]\n[[domain]]\nname = \"watched.example.com\"\n[domain.exempt]\nheaders = { \"X-Monitor\" = \"^yes\" }\n")
	for recipient, want := range map[string]Reason{"info@example.com": NeverSends, "info@watched.example.com": ""} {
		f := bounceMessage(s).Recipient(recipient)
		if v := Judge(&f, AtRcpt); v.Reason != want {
			t.Errorf("%s: %q at RCPT, want %q", recipient, v.Reason, want)
		}
	}
}
