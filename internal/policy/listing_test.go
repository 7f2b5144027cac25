package policy

import (
	"net/netip"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/dnsbl"
	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// askedLists counts the questions that pass through it.
type askedLists struct {
	*dnsbl.Client
	asked []netip.Addr
}

func (l *askedLists) Start(client netip.Addr) dnsbl.Question {
	l.asked = append(l.asked, client)
	return l.Client.Start(client)
}

// listsOf has a zone that lists 192.0.2.66.
func listsOf(t *testing.T) (*askedLists, *mtatest.DNS) {
	t.Helper()
	server, err := mtatest.ListenDNS("127.0.0.1:0", "list.example.org")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	server.List("192.0.2.66", "127.0.0.2")
	client := dnsbl.New(dnsbl.Options{Now: time.Now, Zones: []dnsbl.Zone{{Name: "list.example.org", Resolvers: []string{server.Addr()}}}})
	t.Cleanup(client.Close)
	if z := client.Check(t.Context()); !z[0].Healthy {
		t.Fatal(z[0].Why)
	}
	return &askedLists{Client: client}, server
}

func TestListed(t *testing.T) {
	const refuse = "[policy]\nlisted = \"reject\"\n"
	for _, tc := range []struct {
		name, toml, client, sender string
		rcpt                       func(*Settings) string
		class                      classify.Class
		reason                     Reason
		action                     config.Action
		asked                      int
	}{
		{"listed", refuse, "192.0.2.66", "", to("a@example.com"), classify.Bounce, Listed, config.ActionReject, 1},
		{"listed, auto", "", "192.0.2.66", "", to("a@example.com"), classify.AutoReply, Listed, config.ActionMark, 1},
		{"v4-mapped", refuse, "::ffff:192.0.2.66", "", to("a@example.com"), classify.DSN, Listed, config.ActionReject, 1},
		{"another client", refuse, "192.0.2.67", "", to("a@example.com"), classify.Bounce, TagMissing, config.ActionMark, 1},
		{"a receipt", refuse, "192.0.2.66", "", to("a@example.com"), classify.Receipt, Receipt, config.ActionAccept, 1},
		{"no class of theirs", refuse, "192.0.2.66", "", to("a@example.com"), classify.Ordinary, Unproven, config.ActionMark, 1},
		{"a valid tag", refuse, "192.0.2.66", "", func(s *Settings) string { return s.mustSign(t, "a@example.com", now) }, classify.Bounce, TagValid, config.ActionAccept, 0},
		{"another site's tag", refuse, "192.0.2.66", "", to("btv1==760cdc7c545==a@example.com"), classify.Bounce, "", "", 1},
		{"an ordinary sender", refuse, "192.0.2.66", "bob@example.net", to("a@example.com"), classify.Bounce, Unproven, config.ActionMark, 0},
		{"like a null sender", "null_like = [\"robot\"]\n" + refuse, "192.0.2.66", "robot@example.net", to("a@example.com"), classify.Bounce, Listed, config.ActionReject, 1},
		{"a relay of ours", "inbound_relays = [\"192.0.2.66\"]\n" + refuse, "192.0.2.66", "", to("a@example.com"), classify.Bounce, TagMissing, config.ActionMark, 0},
		{"others' domain", refuse, "192.0.2.66", "", to("a@example.net"), classify.Bounce, "", "", 0},
		{"decided at RCPT", "never_sends = [\"a@example.com\"]\n" + refuse, "192.0.2.66", "", to("a@example.com"), classify.Bounce, NeverSends, config.ActionReject, 0},
		{"never signed", refuse, "192.0.2.66", "", to("SRS0=ab=cd=example.org=x@example.com"), classify.Bounce, Listed, config.ActionReject, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lists, _ := listsOf(t)
			s := testSettings(t, tc.toml)
			s.lists = lists
			m := NewMessage(s, Envelope{Client: Client{Addr: addr(tc.client).Unmap()}, Sender: tc.sender}, now)
			f := m.Recipient(tc.rcpt(s))
			v := Judge(&f, AtRcpt)
			if !v.Refuses() {
				m.Accept(&f, v)
			}
			m.Classified(classify.Result{Class: tc.class})
			if early := Judge(&f, AtEOH); early.Reason == Listed {
				t.Error("waited for before the end of the message")
			}
			if !v.Decided() {
				v = Judge(&f, AtEOM)
			}
			if v.Reason != tc.reason || v.Action != tc.action {
				t.Errorf("%q %q, want %q %q", v.Reason, v.Action, tc.reason, tc.action)
			}
			if len(lists.asked) != tc.asked {
				t.Errorf("asked about %v, want %d questions", lists.asked, tc.asked)
			}
			if v.Reason == Listed && v.Evidence() != "tag="+f.Tag().Result.String()+" lists=listed(list.example.org)" {
				t.Errorf("evidence %q", v.Evidence())
			}
		})
	}
}

// Lists that give no opinion have no say, and are said to have none.
func TestListsWithoutOpinion(t *testing.T) {
	lists, server := listsOf(t)
	server.SetFault(mtatest.ServFail)
	s := testSettings(t, "[policy]\nlisted = \"reject\"\n")
	s.lists = lists
	m := NewMessage(s, Envelope{Client: Client{Addr: addr("192.0.2.66")}}, now)
	f := m.Recipient("a@example.com")
	m.Accept(&f, Judge(&f, AtRcpt))
	m.Classified(classify.Result{Class: classify.Bounce})
	v := Judge(&f, AtEOM)
	if v.Reason != TagMissing || v.Evidence() != "tag=missing lists=failed" {
		t.Errorf("%q, evidence %q", v.Reason, v.Evidence())
	}
}

// Where absence from the record means something, a listing refuses by itself,
// but not for addresses whose mail the record need not know.
func TestListedWhereStrict(t *testing.T) {
	lists, _ := listsOf(t)
	s := testSite(t, "[batv]\nunsigned_senders = [\"news@example.com\"]\n", &known{recorded: map[string]bool{"example.com": true}})
	s.lists = lists
	expired := s.mustSign(t, "a@example.com", now.AddDate(0, 0, -20))
	for rcpt, want := range map[string]config.Action{
		"a@example.com":                        config.ActionReject,
		expired:                                config.ActionReject,
		"news@example.com":                     config.ActionMark,
		"SRS0=ab=cd=example.org=x@example.com": config.ActionMark,
	} {
		m := NewMessage(s, Envelope{Client: Client{Addr: addr("192.0.2.66")}}, now)
		f := m.Recipient(rcpt)
		m.Accept(&f, Judge(&f, AtRcpt))
		m.Classified(classify.Result{Class: classify.Bounce})
		if v := Judge(&f, AtEOM); v.Reason != Listed || v.Action != want {
			t.Errorf("%s: %q %q, want %q", rcpt, v.Reason, v.Action, want)
		}
	}
}

// A message does not wait as long as a zone may be slow.
func TestSlowLists(t *testing.T) {
	server, err := mtatest.ListenDNS("127.0.0.1:0", "list.example.org")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	client := dnsbl.New(dnsbl.Options{Now: time.Now, Zones: []dnsbl.Zone{{Name: "list.example.org", Resolvers: []string{server.Addr()}, Timeout: 30 * time.Second}}})
	t.Cleanup(client.Close)
	if z := client.Check(t.Context()); !z[0].Healthy {
		t.Fatal(z[0].Why)
	}
	server.SetFault(mtatest.Silent)
	s := testSettings(t, "")
	s.lists, s.patience = client, 50*time.Millisecond
	m := NewMessage(s, Envelope{Client: Client{Addr: addr("192.0.2.66")}}, now)
	f := m.Recipient("a@example.com")
	m.Classified(classify.Result{Class: classify.Bounce})
	begun := time.Now()
	v := Judge(&f, AtEOM)
	if took := time.Since(begun); took > 5*time.Second || v.Reason != TagMissing || v.Evidence() != "tag=missing lists=timeout" {
		t.Errorf("%q after %v, evidence %q", v.Reason, took, v.Evidence())
	}
	if testSettings(t, "").patience != longestWait {
		t.Error("the patience is another")
	}
}

func to(address string) func(*Settings) string { return func(*Settings) string { return address } }
