package milter

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// brought plays a bounce without a tag from a client as the MTA shows it.
func (b *bench) brought(t *testing.T, host string, family byte, port uint16, addr string, macros ...string) mtatest.Reply {
	t.Helper()
	c := b.dial(t, mtatest.PostfixOffer())
	steps(t,
		func() (mtatest.Reply, error) { return c.Connect(host, family, port, addr, macros...) },
		func() (mtatest.Reply, error) { return c.Mail("", nil) })
	r, err := c.Rcpt("alice@example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Clients in every form that MTAs give them: only those from outside are
// judged.
func TestClients(t *testing.T) {
	b := start(t, "stage = \"rcpt\"\ninbound_relays = [\"127.0.0.1\"]\n[policy]\ntag-missing = \"reject\"\n")
	for _, tc := range []struct {
		name    string
		host    string
		family  byte
		port    uint16
		addr    string
		macros  []string
		refused bool
	}{
		{"from outside", "mx.example.net", '4', 40000, "192.0.2.25", nil, true},
		{"from outside, IPv6", "mx.example.net", '6', 40000, "2001:db8::25", nil, true},
		{"from outside, IPv6 as Sendmail writes it", "mx.example.net", '6', 40000, "IPv6:2001:db8::25", nil, true},
		{"inside", "client.example.com", '4', 40000, "198.51.100.7", nil, false},
		{"inside, v4-mapped", "client.example.com", '6', 40000, "::ffff:198.51.100.7", nil, false},
		{"unknown", "unknown", 'U', 0, "", nil, true},
		{"unknown, address in a macro", "unknown", 'U', 0, "", []string{"{client_addr}", "198.51.100.7"}, false},
		{"unknown, IPv6 address in a macro", "unknown", 'U', 0, "", []string{"{client_addr}", "IPv6:2001:db8::25"}, true},
		{"unix socket", "localhost", 'L', 0, "/run/socket", nil, false},
		{"local process without address", "localhost", 'U', 0, "", nil, false},
		{"sendmail(1) and own notifications", "localhost", '4', 0, "127.0.0.1", nil, false},
		{"content filter on this machine", "localhost", '4', 40000, "127.0.0.1", nil, true},
	} {
		r := b.brought(t, tc.host, tc.family, tc.port, tc.addr, tc.macros...)
		if refused := r.Code == 550; refused != tc.refused {
			t.Errorf("%s: %v", tc.name, r)
		}
	}
}

// After QUIT_NC nothing is known of the client until it is told.
func TestNewConnectionForgetsTheClient(t *testing.T) {
	b := start(t, "stage = \"rcpt\"\n[policy]\ntag-missing = \"reject\"\n")
	c := b.dial(t, mtatest.PostfixOffer())
	steps(t,
		func() (mtatest.Reply, error) { return c.Connect("client.example.com", '4', 40000, "198.51.100.7") },
		func() (mtatest.Reply, error) { return c.Mail("", nil) },
		func() (mtatest.Reply, error) { return c.Rcpt("alice@example.com", nil) })
	if err := c.QuitNewConnection(); err != nil {
		t.Fatal(err)
	}
	steps(t, func() (mtatest.Reply, error) { return c.Mail("", nil) })
	r, err := c.Rcpt("alice@example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	wantReply(t, "a client not told of", r, 550, "5.7.1")
}

// An MTA may offer changes that the protocol version it offers has not: Postfix
// does when milter_protocol is set to 2, as many instructions have it.
func TestOldVersionWithNewActions(t *testing.T) {
	b := start(t, "[batv]\nsign = true\n")
	for _, version := range []uint32{2, 3, 4} {
		o := mtatest.Offer{Version: version, Actions: 0x1FF, Protocol: 0x7F}
		tx := bounce(b.tagged(t, "alice@example.com"))
		tx.Rcpts[0].Args = []string{"NOTIFY=NEVER"}
		r := play(t, b.dial(t, o), tx)
		if got := r.Apply(tx).Rcpts; !r.Accepted() || len(got) != 1 || got[0].Addr != "alice@example.com" {
			t.Errorf("version %d: %v, recipients %v", version, r.Reply, got)
		}
		out := mtatest.SampleOutbound("alice@example.com", "bob@example.net")
		out.Client = "198.51.100.7"
		if r := play(t, b.dial(t, o), out); !r.Accepted() || r.Mod(mtatest.ChangeFrom) != nil {
			t.Errorf("version %d, outbound: %v, changes %v", version, r.Reply, r.Mods)
		}
	}
	if d := cmp.Diff([]string{policy.NotPossible, policy.NotPossible, policy.NotPossible}, b.signed); d != "" {
		t.Error(d)
	}
	if len(b.failures) != 3 {
		t.Errorf("failures %v", b.failures)
	}
}

// Monitor mode reports just what enforcing would have done: a recipient that
// would have been refused is no matter to the next one.
func TestMonitorReportsAsEnforced(t *testing.T) {
	told := make(map[string][]string)
	for _, mode := range []string{"enforce", "monitor"} {
		b := start(t, "mode = \""+mode+"\"\n")
		tagged := b.tagged(t, "alice@example.com")
		b.run(t, bounce(tagged))
		b.verdicts = nil
		r := b.run(t, bounce(forge(tagged), tagged))
		if !r.Accepted() || !strings.HasPrefix(mark(r), "accept; reason=tag-valid") {
			t.Errorf("%s: %v, header %q", mode, r.Reply, mark(r))
		}
		for _, v := range b.verdicts {
			told[mode] = append(told[mode], v.Verdict.Stage.String()+" "+string(v.Verdict.Action)+" "+string(v.Verdict.Reason))
		}
	}
	want := []string{"rcpt reject tag-forged", "eom accept tag-valid"}
	if d := cmp.Diff(map[string][]string{"enforce": want, "monitor": want}, told); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
}

// A message that would have come for nobody is marked.
func TestMonitorMarksWhatNobodyWouldGet(t *testing.T) {
	b := start(t, "mode = \"monitor\"\nstage = \"rcpt\"\n[policy]\ntag-missing = \"reject\"\n")
	r := b.run(t, bounce("alice@example.com"))
	if !r.Accepted() || !strings.HasPrefix(mark(r), "mark; reason=tag-missing") || len(b.verdicts) != 1 {
		t.Errorf("%v, header %q, told %d times", r.Reply, mark(r), len(b.verdicts))
	}
}

// Our own failure refuses nothing that is not judged, whatever is set.
func TestFailureLeavesOtherMailAlone(t *testing.T) {
	b := start(t, "[batv]\nsign = true\n[policy]\nerror = \"reject\"\n")
	b.onSent = func(policy.Sent) { panic("test") }
	out := mtatest.SampleOutbound("alice@example.com", "bob@example.net")
	out.Client = "198.51.100.7"
	if r := b.run(t, out); r.Reply.Action == mtatest.ReplyCode {
		t.Errorf("outbound: %v", r.Reply)
	}
	if len(b.panics) == 0 {
		t.Error("no callback failed")
	}
}

// What the site learns from: who is written to from outside, and who writes.
func TestWhatTheSiteLearnsFrom(t *testing.T) {
	b := start(t, "[batv]\nsign = true\n")
	b.run(t, mtatest.SampleOrdinary("bob@example.net", "alice@example.com"))
	for _, from := range []string{"alice@example.com", "carol@example.org", ""} {
		tx := mtatest.SampleOutbound(from, "bob@example.net")
		tx.Client, tx.From = "198.51.100.7", from
		b.run(t, tx)
	}
	if d := cmp.Diff([]string{"alice@example.com"}, b.accepted); d != "" {
		t.Errorf("accepted (-want +got):\n%s", d)
	}
	tagged := b.scheme.Verify(b.tagged(t, "alice@example.com"), today)
	want := []policy.Sent{
		{Sender: "alice@example.com", Result: policy.Signed, Key: tagged.KeyID, Entry: policy.Entry{
			Sender: "alice@example.com", From: "alice@example.com", MessageID: "20261121100000.0815@desk.example.org",
			QueueID: "4TabcD99999", Recipients: []string{"bob@example.net"},
		}},
		{Sender: "carol@example.org"},
		{}, // a notification of nobody of ours
	}
	if d := cmp.Diff(want, b.sent); d != "" {
		t.Errorf("sent (-want +got):\n%s", d)
	}
}

// A genuine tag that the MTA takes for an unknown user is told of; a forged
// one, and a user that is unknown without, are not.
func TestGenuineTagRefusedByTheMTA(t *testing.T) {
	b := start(t, "[batv]\nsign = true\n")
	tagged := b.tagged(t, "alice@example.com")
	moved := "alice+" + tagged[:len("prvs=KDDDSSSSSS")] + "@example.com" // what anybody can make of it
	tx := bounce(forge(tagged), "nobody@example.com", moved, tagged)
	for i := range tx.Rcpts {
		tx.Rcpts[i].Unknown = true
	}
	b.run(t, tx)
	if d := cmp.Diff([]string{tagged}, b.tagsRefused); d != "" {
		t.Errorf("told of (-want +got):\n%s", d)
	}
	tx.Client = "198.51.100.7" // our own probe asks for such users
	b.run(t, tx)
	if len(b.tagsRefused) != 1 {
		t.Errorf("of a trusted client: %v", b.tagsRefused)
	}
}
