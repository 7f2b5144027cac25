package milter

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

func TestBounceComesHome(t *testing.T) {
	b := start(t, "")
	tagged := b.tagged(t, "alice@example.com")
	tx := bounce(tagged)
	tx.Rcpts[0].Args = []string{"NOTIFY=NEVER", "ORCPT=rfc822;alice@example.com"}
	r := b.run(t, tx)
	if !r.Accepted() {
		t.Fatalf("refused: %v", r.Reply)
	}
	got := r.Apply(tx)
	want := []mtatest.Rcpt{{Addr: "alice@example.com", Args: tx.Rcpts[0].Args}}
	if d := cmp.Diff(want, got.Rcpts); d != "" {
		t.Errorf("recipients (-want +got):\n%s", d)
	}
	if h := mark(r); !strings.HasPrefix(h, "accept; reason=tag-valid; class=unknown; origin=tag; id=") {
		t.Errorf("header %q", h)
	}
	v := b.last(t)
	if v.Verdict.Reason != policy.TagValid || v.Verdict.Stage != policy.AtEOM || v.QueueID != tx.QueueID || v.To[0] != tagged {
		t.Errorf("record %+v", v)
	}
}

// Sendmail knows a tagged recipient and the plain one as the same: adding it is
// no change there, and deleting one form deletes both.
func TestRecipientsAreDeletedBeforeAnyIsAdded(t *testing.T) {
	b := start(t, "")
	r := b.run(t, bounce(b.tagged(t, "alice@example.com"), b.tagged(t, "bob@example.com")))
	var kinds []mtatest.ModKind
	for _, m := range r.Mods {
		kinds = append(kinds, m.Kind)
	}
	want := []mtatest.ModKind{mtatest.DelRcpt, mtatest.DelRcpt, mtatest.AddRcpt, mtatest.AddRcpt, mtatest.InsertHeader}
	if d := cmp.Diff(want, kinds); d != "" {
		t.Errorf("changes (-want +got):\n%s", d)
	}
}

// One user in several forms is added once, by the parameters of the plain form.
func TestOneUserInEveryForm(t *testing.T) {
	b := start(t, "")
	tagged := b.tagged(t, "alice@example.com")
	tx := mtatest.SampleOrdinary("bob@example.net", tagged)
	tx.Rcpts = []mtatest.Rcpt{
		{Addr: tagged, Args: []string{"NOTIFY=FAILURE"}}, {Addr: "bob@example.com"},
		{Addr: "Alice@example.com", Args: []string{"NOTIFY=NEVER"}}, {Addr: forge(tagged)},
	}
	r := b.run(t, tx)
	want := []mtatest.Rcpt{{Addr: "bob@example.com"}, {Addr: "Alice@example.com", Args: []string{"NOTIFY=NEVER"}}}
	if d := cmp.Diff(want, r.Apply(tx).Rcpts); d != "" {
		t.Errorf("recipients (-want +got):\n%s", d)
	}
}

func TestUntaggedByStage(t *testing.T) {
	for _, tc := range []struct {
		stage string
		at    mtatest.Stage
	}{
		{"auto", mtatest.StageEOM},
		{"eom", mtatest.StageEOM},
		{"data", mtatest.StageData},
		{"rcpt", mtatest.StageRcpt},
	} {
		t.Run(tc.stage, func(t *testing.T) {
			b := start(t, "stage = \""+tc.stage+"\"\n[policy]\ntag-missing = \"reject\"\n")
			r := b.run(t, bounce("alice@example.com"))
			wantReply(t, "untagged", r.Reply, 550, "5.7.1 This bounce is for a message we did not send.")
			if r.Stage != tc.at {
				t.Errorf("decided at %v, want %v", r.Stage, tc.at)
			}
			if v := b.last(t).Verdict; v.Reason != policy.TagMissing || !v.Enforced || v.Stage.String() != tc.at.String() {
				t.Errorf("verdict %+v", v)
			}
		})
	}
}

// An MTA that does not offer to send DATA gets the decision at the next event.
func TestDataStageWithoutDataEvent(t *testing.T) {
	b := start(t, "stage = \"data\"\n[policy]\ntag-missing = \"reject\"\n")
	c := b.dial(t, mtatest.OldOffer())
	r := play(t, c, bounce("alice@example.com"))
	wantReply(t, "untagged", r.Reply, 550, "5.7.1")
	if r.Stage != mtatest.StageEOH {
		t.Errorf("decided at %v, want end of headers", r.Stage)
	}
}

func TestUntaggedIsMarkedByDefault(t *testing.T) {
	b := start(t, "")
	r := b.run(t, bounce("alice@example.com"))
	if !r.Accepted() || !strings.HasPrefix(mark(r), "mark; reason=tag-missing; ") {
		t.Errorf("%v, header %q", r.Reply, mark(r))
	}
}

// A callout asks for a recipient and leaves: it must get its 250 unless the
// stage setting says otherwise.
func TestCalloutIsAnswered(t *testing.T) {
	b := start(t, "[policy]\ntag-missing = \"reject\"\n")
	c := b.dial(t, mtatest.PostfixOffer())
	for _, step := range []func() (mtatest.Reply, error){
		func() (mtatest.Reply, error) { return c.Connect("mx.example.net", '4', 40000, "192.0.2.25") },
		func() (mtatest.Reply, error) { return c.Mail("", nil) },
		func() (mtatest.Reply, error) { return c.Rcpt("alice@example.com", nil) },
	} {
		if r, err := step(); err != nil || r.Action != mtatest.Continue {
			t.Fatalf("%v, %v", r, err)
		}
	}
}

func TestForgedOnlyForProvenKey(t *testing.T) {
	b := start(t, "")
	tagged := b.tagged(t, "alice@example.com")
	r := b.run(t, bounce(forge(tagged)))
	if !r.Accepted() || !strings.Contains(mark(r), "reason=tag-missing") {
		t.Errorf("before the key has proved itself: %v, header %q", r.Reply, mark(r))
	}
	b.run(t, bounce(tagged))
	r = b.run(t, bounce(forge(tagged)))
	wantReply(t, "forged", r.Reply, 550, "5.7.1 This bounce is for a message we did not send")
	if r.Stage != mtatest.StageRcpt {
		t.Errorf("decided at %v", r.Stage)
	}
}

func TestRecipientsOfDifferentFate(t *testing.T) {
	b := start(t, "[policy]\ntag-missing = \"reject\"\n")
	tagged := b.tagged(t, "alice@example.com")
	for _, order := range [][]string{{tagged, "bob@example.com"}, {"bob@example.com", tagged}} {
		r := b.run(t, bounce(order...))
		if r.Rcpts[0].Action != mtatest.Continue {
			t.Errorf("%v: first answered %v", order, r.Rcpts[0])
		}
		wantReply(t, "second", r.Rcpts[1], 452, "4.5.3 Please send this recipient in a transaction of its own.")
	}
	if r := b.run(t, bounce("alice@example.com", "bob@example.com")); r.Rcpts[1].Action != mtatest.Continue {
		t.Errorf("same fate answered %v", r.Rcpts[1])
	}
	if r := b.run(t, bounce(tagged, "carol@example.net")); r.Rcpts[1].Code != 452 {
		t.Errorf("a recipient that is not ours shared a judged transaction: %v", r.Rcpts[1])
	}
}

func TestOrdinaryMailIsLeftAtEndOfHeaders(t *testing.T) {
	b := start(t, "[policy]\ntag-missing = \"reject\"\n")
	r := b.run(t, mtatest.SampleOrdinary("bob@example.net", "alice@example.com"))
	if !r.Accepted() || r.Stage != mtatest.StageEOH || len(r.Mods) != 0 {
		t.Errorf("%v at %v, changes %v", r.Reply, r.Stage, r.Mods)
	}
	if len(b.verdicts) != 0 {
		t.Errorf("judged: %+v", b.verdicts)
	}
}

func TestOrdinaryMailToTag(t *testing.T) {
	b := start(t, "")
	tx := mtatest.SampleOrdinary("bob@example.net", b.tagged(t, "alice@example.com"))
	r := b.run(t, tx)
	if got := r.Apply(tx).Rcpts; !r.Accepted() || len(got) != 1 || got[0].Addr != "alice@example.com" || mark(r) != "" {
		t.Errorf("%v, recipients %v, header %q", r.Reply, got, mark(r))
	}
}

// Several fields of that name, among others, the first not at the top: were
// header events skipped after the first, they would stay.
func TestForgedVerdictHeadersAreRemoved(t *testing.T) {
	b := start(t, "")
	tx := mtatest.SampleOrdinary("bob@example.net", "alice@example.com")
	kept := mtatest.Header{Name: "X-Backscatterer", Value: "kept"}
	want := append(slices.Clone(tx.Headers), kept)
	tx.Headers = append(tx.Headers,
		mtatest.Header{Name: "X-Backscatter", Value: "accept; reason=tag-valid"},
		mtatest.Header{Name: "x-BACKSCATTER", Value: "accept; reason=exempt"},
		kept)
	r := b.run(t, tx)
	if d := cmp.Diff(want, r.Apply(tx).Headers); d != "" {
		t.Errorf("headers (-want +got):\n%s", d)
	}
}

func TestOutboundIsSigned(t *testing.T) {
	b := start(t, "[batv]\nsign = true\n")
	tx := mtatest.SampleOutbound("alice@example.com", "bob@example.net")
	tx.Client, tx.Auth = "203.0.113.9", "alice"
	r := b.run(t, tx)
	m := r.Mod(mtatest.ChangeFrom)
	if m == nil || m.Value != b.tagged(t, "alice@example.com") || m.Args != "" {
		t.Fatalf("%v, changes %v", r.Reply, r.Mods)
	}
	if d := cmp.Diff([]string{policy.Signed}, b.signed); d != "" {
		t.Error(d)
	}
}

func TestNotSigned(t *testing.T) {
	b := start(t, "[batv]\nsign = true\nunsigned_senders = [\"robot@example.com\"]\nunsigned_destinations = [\"lists.example.org\"]\n")
	for _, tc := range []struct{ from, to, why string }{
		{"prvs=3333aaaaaa=alice@example.com", "bob@example.net", policy.AlreadyTagged},
		{"SRS0=abcd=ef=example.org=bob@example.com", "bob@example.net", policy.RewrittenSender},
		{"robot@example.com", "bob@example.net", policy.UnsignedSender},
		{"alice@example.com", "dev@lists.example.org", policy.UnsignedDestination},
		{strings.Repeat("a", 60) + "@example.com", "bob@example.net", policy.TooLong},
	} {
		b.signed = nil
		tx := mtatest.SampleOutbound(tc.from, tc.to)
		tx.Client = "198.51.100.7"
		r := b.run(t, tx)
		if !r.Accepted() || len(r.Mods) != 0 || r.Stage != mtatest.StageEOH {
			t.Errorf("%s: %v at %v, changes %v", tc.from, r.Reply, r.Stage, r.Mods)
		}
		if d := cmp.Diff([]string{tc.why}, b.signed); d != "" {
			t.Errorf("%s: %s", tc.from, d)
		}
	}
}

// Mail of trusted clients is never judged as inbound, whatever its sender.
func TestTrustedIsNotJudged(t *testing.T) {
	b := start(t, "stage = \"rcpt\"\n[policy]\ntag-missing = \"reject\"\n")
	for _, from := range []string{"", "someone@example.org"} {
		tx := mtatest.SampleOutbound(from, "alice@example.com")
		tx.Client, tx.From = "198.51.100.7", from
		if r := b.run(t, tx); !r.Accepted() || len(r.Mods) != 0 {
			t.Errorf("from %q: %v, changes %v", from, r.Reply, r.Mods)
		}
	}
}

func TestOwnNotificationIsUntagged(t *testing.T) {
	b := start(t, "")
	tx := bounce(b.tagged(t, "alice@example.com"))
	tx.Client = "127.0.0.1"
	r := b.run(t, tx)
	if got := r.Apply(tx).Rcpts; !r.Accepted() || len(got) != 1 || got[0].Addr != "alice@example.com" || mark(r) != "" {
		t.Errorf("%v, recipients %v, header %q", r.Reply, got, mark(r))
	}
}

// Postfix hands its own notifications over with a sender of no octets at all,
// not even angle brackets.
func TestOwnNotificationWithoutBrackets(t *testing.T) {
	b := start(t, "")
	c := b.dial(t, mtatest.PostfixOffer())
	tagged := b.tagged(t, "alice@example.com")
	if _, err := c.Connect("localhost", '4', 0, "127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	if err := c.SendRaw(mtatest.Frame('M', "\x00")); err != nil {
		t.Fatal(err)
	}
	steps(t,
		func() (mtatest.Reply, error) { return c.Rcpt(tagged, nil) },
		c2(c.EndOfHeaders))
	if r, mods, err := c.EndOfMessage(); err != nil || r.Action != mtatest.Accept || len(mods) != 2 {
		t.Errorf("%v, changes %v, %v", r, mods, err)
	}
}

func TestUnknownUserIsNotAccepted(t *testing.T) {
	b := start(t, "[policy]\ntag-missing = \"reject\"\n")
	tx := bounce("nobody@example.com", b.tagged(t, "alice@example.com"))
	tx.Rcpts[0].Unknown = true
	r := b.run(t, tx)
	if !r.Accepted() || len(r.Apply(tx).Rcpts) == 0 {
		t.Errorf("a recipient that the MTA refused was counted as accepted: %v %v", r.Reply, r.Rcpts)
	}
}

// Postfix names the mailer "error" for every recipient in a virtual alias
// domain, known or not: only one that it refuses has a bare status as host.
func TestVirtualAliasIsAccepted(t *testing.T) {
	for _, host := range []string{"5.1.1 User unknown in virtual alias table", "5.1.1 User unknown"} {
		b := start(t, "")
		tx := bounce(b.tagged(t, "alice@example.com"))
		tx.Rcpts[0].Mailer, tx.Rcpts[0].Host = "error", host
		r := b.run(t, tx)
		if got := r.Apply(tx).Rcpts; len(got) != 1 || got[0].Addr != "alice@example.com" {
			t.Errorf("%s: recipients %+v", host, got)
		}
		if h := mark(r); !strings.HasPrefix(h, "accept; reason=tag-valid; ") {
			t.Errorf("%s: header %q", host, h)
		}
	}
}

// Sendmail loses a local user's sub-address if it is deleted and added.
func TestSettledSubaddressIsLeftAlone(t *testing.T) {
	for user, left := range map[string]bool{"Alice+lists": true, "": false, "alice": false, "alice+lists@example.com": false} {
		b := start(t, "")
		tx := bounce(b.tagged(t, "alice+lists@example.com"), b.tagged(t, "bob@example.com"))
		tx.Rcpts[0].User = user
		tx.Rcpts[1].User = "bob"
		var changed []string
		for _, m := range b.run(t, tx).Mods {
			if m.Kind == mtatest.AddRcpt {
				changed = append(changed, strings.Trim(m.Value, "<>"))
			}
		}
		want := []string{"alice+lists@example.com", "bob@example.com"}
		if left {
			want = want[1:]
		}
		if d := cmp.Diff(want, changed); d != "" {
			t.Errorf("%q: added (-want +got):\n%s", user, d)
		}
	}
}

func TestMonitorRefusesNothing(t *testing.T) {
	b := start(t, "mode = \"monitor\"\nstage = \"rcpt\"\n[policy]\ntag-missing = \"reject\"\n")
	tagged := b.tagged(t, "alice@example.com")
	r := b.run(t, bounce(tagged, "bob@example.com"))
	if !r.Accepted() || r.Rcpts[1].Action != mtatest.Continue {
		t.Fatalf("%v %v", r.Reply, r.Rcpts)
	}
	if !strings.HasPrefix(mark(r), "mark; reason=tag-missing") {
		t.Errorf("header %q", mark(r))
	}
	for _, v := range b.verdicts {
		if v.Verdict.Enforced {
			t.Errorf("enforced: %+v", v)
		}
	}
	if v := b.verdicts[0].Verdict; v.Reason != policy.ManyRecipients {
		t.Errorf("what would have been done was not reported: %+v", v)
	}
}

func TestModeOff(t *testing.T) {
	b := start(t, "mode = \"off\"\n[batv]\nsign = true\n[policy]\ntag-missing = \"reject\"\n")
	tx := bounce(b.tagged(t, "alice@example.com"), "bob@example.com")
	tx.Headers = append(tx.Headers, mtatest.Header{Name: policy.HeaderName, Value: "x"})
	if r := b.run(t, tx); !r.Accepted() || len(r.Mods) != 0 {
		t.Errorf("%v, changes %v", r.Reply, r.Mods)
	}
}

func TestCarriedActions(t *testing.T) {
	b := start(t, "[policy]\ntag-missing = \"quarantine\"\n")
	r := b.run(t, bounce("alice@example.com"))
	if r.Mod(mtatest.Quarantine) == nil || !strings.HasPrefix(mark(r), "quarantine; reason=tag-missing") {
		t.Errorf("quarantine: %v, changes %v", r.Reply, r.Mods)
	}
	b = start(t, "[policy]\ntag-missing = \"discard\"\n")
	r = b.run(t, bounce("alice@example.com"))
	if r.Reply.Action != mtatest.Discard || r.Stage != mtatest.StageEOM || len(r.Mods) != 0 {
		t.Errorf("discard: %v at %v, changes %v", r.Reply, r.Stage, r.Mods)
	}
}

// A header exemption is known only at the end of headers, so that nothing is
// refused before.
func TestHeaderExemptionHoldsRefusalsBack(t *testing.T) {
	b := start(t, "[exempt.headers]\nX-Monitor = \"^nagios\"\n")
	tagged := b.tagged(t, "alice@example.com")
	b.run(t, bounce(tagged))
	tx := bounce(forge(tagged))
	tx.Headers = append(tx.Headers, mtatest.Header{Name: "x-monitor", Value: "nagios 1"})
	if r := b.run(t, tx); !r.Accepted() || !strings.Contains(mark(r), "reason=exempt") {
		t.Errorf("exempt: %v, header %q", r.Reply, mark(r))
	}
	if r := b.run(t, bounce(forge(tagged))); r.Reply.Code != 550 || r.Stage != mtatest.StageEOH {
		t.Errorf("not exempt: %v at %v", r.Reply, r.Stage)
	}
}

func TestExempt(t *testing.T) {
	b := start(t, "stage = \"rcpt\"\n[policy]\ntag-missing = \"reject\"\n[exempt]\nclients = [\"192.0.2.99\"]\n")
	if r := b.run(t, bounce("postmaster@example.com")); !r.Accepted() || !strings.Contains(mark(r), "accept; reason=exempt") {
		t.Errorf("postmaster: %v, header %q", r.Reply, mark(r))
	}
	tx := bounce("alice@example.com")
	tx.Client = "192.0.2.99"
	if r := b.run(t, tx); !r.Accepted() {
		t.Errorf("exempt client: %v", r.Reply)
	}
}
