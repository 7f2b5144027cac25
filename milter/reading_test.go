package milter

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// The body of a message that is not judged is not read: the guard answers for
// it, and what follows it is understood.
func TestBodyIsSkipped(t *testing.T) {
	b := start(t, "[batv]\nsign = true\n")
	c := b.dial(t, mtatest.PostfixOffer())
	for _, size := range []int{1, 2000, 5000, 200_000} {
		tx := mtatest.SampleOutbound("alice@example.com", "bob@example.net")
		tx.Client, tx.Body = "198.51.100.7", []byte(strings.Repeat("x", size))
		if r := play(t, c, tx); !r.Accepted() || r.Mod(mtatest.ChangeFrom) == nil {
			t.Errorf("%d octets: %v, changes %v", size, r.Reply, r.Mods)
		}
	}
	if len(b.classes) != 0 {
		t.Errorf("classified: %v", b.classes)
	}
	c.Connect("client", '4', 40000, "198.51.100.7")
	c.Mail("alice@example.com", nil)
	c.Rcpt("bob@example.net", nil)
	eoh, err := c.EndOfHeaders()
	body, errBody := c.Body([]byte("Hello,\r\n"))
	if err != nil || errBody != nil || eoh.Action != mtatest.Continue || body.Action != mtatest.Skip {
		t.Errorf("end of headers: %v, %v; body: %v, %v", eoh, err, body, errBody)
	}
}

// What has a null sender and no tag is read, and told of.
func TestBodyIsRead(t *testing.T) {
	b := start(t, "")
	tx := mtatest.SampleBounce("alice@example.com", "alice@example.com")
	tx.Client = "192.0.2.25"
	r := b.run(t, tx)
	if !strings.HasPrefix(mark(r), "mark; reason=tag-missing; class=dsn; ") {
		t.Errorf("%v, header %q", r.Reply, mark(r))
	}
	tx = mtatest.SampleBounce(b.tagged(t, "alice@example.com"), "alice@example.com")
	tx.Client = "192.0.2.25"
	b.run(t, tx)
	old := b.dial(t, mtatest.OldOffer())
	play(t, old, bounce("alice@example.com"))
	if d := cmp.Diff([]string{"dsn", "bounce"}, b.classes); d != "" {
		t.Errorf("classes (-want +got):\n%s", d)
	}
}

// Notifications with an ordinary sender are found out and marked; what else has
// one ends with its header, untouched.
func TestMemosAreRead(t *testing.T) {
	b := start(t, "stage = \"rcpt\"\n[policy]\ntag-missing = \"reject\"\nunproven = \"reject\"\n[[rule]]\nheader = \"X-Robot\"\nmatch = \"^bounce\"\nclass = \"bounce\"\n")
	letter := func(rcpt string, more ...mtatest.Header) mtatest.Transaction {
		tx := mtatest.SampleOrdinary("bob@example.net", rcpt)
		tx.Headers = append(tx.Headers, more...)
		return tx
	}
	report := mtatest.SampleBounce("alice@example.com", "alice@example.com")
	report.From = "postmaster@mx.example.net"
	c := b.dial(t, mtatest.PostfixOffer())
	for _, k := range []struct {
		tx    mtatest.Transaction
		stage mtatest.Stage
		mark  string
	}{
		{letter("alice@example.com"), mtatest.StageEOH, ""},
		{report, mtatest.StageEOM, "mark; reason=unproven; class=dsn; origin=unknown; "},
		{letter("alice@example.com", mtatest.Header{Name: "X-Robot", Value: "bounce of a kind"}), mtatest.StageEOM, "mark; reason=unproven; class=bounce; "},
		{letter("alice@example.net", mtatest.Header{Name: "X-Robot", Value: "bounce of a kind"}), mtatest.StageEOH, ""},
		{letter("alice@example.com"), mtatest.StageEOH, ""},
	} {
		r := play(t, c, k.tx)
		if !r.Accepted() || r.Stage != k.stage || !strings.HasPrefix(mark(r), k.mark) || (k.mark == "") != (mark(r) == "") {
			t.Errorf("%v at %v, header %q, want it at %v, %q", r.Reply, r.Stage, mark(r), k.stage, k.mark)
		}
	}
	if d := cmp.Diff([]string{"ordinary", "dsn", "bounce", "ordinary"}, b.classes); d != "" {
		t.Errorf("classes (-want +got):\n%s", d)
	}
	old := b.dial(t, mtatest.OldOffer())
	if r := play(t, old, report); !strings.HasPrefix(mark(r), "mark; reason=unproven; class=dsn; ") {
		t.Errorf("an old MTA: %v, header %q", r.Reply, mark(r))
	}
}
