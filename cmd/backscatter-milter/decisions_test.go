package main

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/control"
	decisions "github.com/backscatter-milter/backscatter-milter/internal/journal"
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
	"github.com/backscatter-milter/backscatter-milter/internal/metrics"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// cmdEventually waits until an answer of the admin listener matches an
// expression: eventually PORT PATH EXPRESSION [TOKEN].
func cmdEventually(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile("(?m)" + args[2])
	ts.Check(eventually(func() error {
		req, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:"+args[0]+args[1], http.NoBody)
		if err != nil {
			return err
		}
		if len(args) > 3 {
			req.Header.Set("Authorization", "Bearer "+args[3])
		}
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err == nil && !want.Match(body) {
			err = fmt.Errorf("no %s in\n%s", want, body)
		}
		return err
	}))
}

// cmdSleep waits: sleep SECONDS.
func cmdSleep(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[0] + "s")
	ts.Check(err)
	time.Sleep(d)
}

// A verdict is kept as it was handed over, though its slice is used again, and
// names no more recipients than the log does.
func TestDecided(t *testing.T) {
	k, clock, _ := steady(t, "")
	d := k.openDecided(readWrite)
	defer d.Close()
	to := make([]string, 30)
	for i := range to {
		to[i] = fmt.Sprintf("user%d@example.com", i)
	}
	d.add(policy.Record{ID: "RUN-1", To: to, Verdict: policy.Verdict{Reason: policy.TagMissing, Action: config.ActionReject, Enforced: true}}, k.live.Log())
	clear(to)
	d.Flush()
	got := d.Find(decisions.Query{}).Entries
	if len(got) != 1 || len(got[0].To) != 20 || got[0].MoreTo != 10 || got[0].To[19] != "user19@example.com" || got[0].From != "<>" || !got[0].At.Equal(clock.now()) {
		t.Errorf("%+v", got)
	}
	r := d.report(time.Hour, clock.now())
	if len(r.Refused) != 1 || r.Refused[0].Examples[0].To != "user0@example.com, user1@example.com, user2@example.com, …" || r.Refused[0].Examples[0].Client != "unknown" {
		t.Errorf("%+v", r.Refused)
	}
}

// What is blocked is shown, with addresses as the log shows them.
func TestShownBlocks(t *testing.T) {
	c := startClocked(t)
	for n := range 500 {
		c.floods.Unproven(netip.MustParseAddr("192.0.2.25"), fmt.Sprintf("user%d@example.com", n))
		c.floods.Unproven(netip.AddrFrom4([4]byte{198, 51, byte(n), 25}), "alice@example.com")
	}
	c.floods.UnprovenSubject(netip.MustParseAddr("198.51.100.25"), c.floods.Subject("one"))
	keys := func() (all string) {
		for _, b := range c.blocks() {
			all += b.Kind + " " + b.Key + ";"
			if left := b.Until.Sub(c.clock.now()); left <= 0 || left > 5*time.Hour {
				t.Errorf("%s: %v left", b.Key, left)
			}
		}
		return all
	}
	if got := keys(); got != "client 192.0.2.0/24;recipient alice@example.com;" && got != "recipient alice@example.com;client 192.0.2.0/24;" {
		t.Errorf("blocked: %s", got)
	}
	c.daemon.live.Set(config.Log{Privacy: config.PrivacyDomain})
	if got := keys(); strings.Contains(got, "alice") || !strings.Contains(got, "recipient example.com;") {
		t.Errorf("blocked: %s", got)
	}
}

// The digest counts every hour of its period, and nothing from before.
func TestDigestPeriod(t *testing.T) {
	k, clock, _ := steady(t, "")
	d := k.openDecided(readWrite)
	defer d.Close()
	add := func(reason policy.Reason, action config.Action, enforced bool) {
		d.add(policy.Record{Verdict: policy.Verdict{Reason: reason, Action: action, Enforced: enforced}, To: []string{"alice@example.com"}}, k.live.Log())
		d.Flush()
	}
	add(policy.TagMissing, config.ActionReject, true)
	clock.jump(3 * time.Hour)
	add(policy.TagMissing, config.ActionReject, true)
	add(policy.Flood, config.ActionTempfail, true)
	add(policy.OriginProven, config.ActionAccept, true)
	add(policy.AutoReply, config.ActionMark, true)
	add(policy.Challenge, config.ActionReject, false)
	d.outscatter()
	d.callout()
	d.sent(policy.Signed)
	r := d.report(2*time.Hour, clock.now())
	names := func(list []control.Judged) (s string) {
		for _, j := range list {
			s += fmt.Sprintf("%s %d %d;", j.Reason, j.Count, len(j.Examples))
		}
		return s
	}
	if got := names(r.Refused); got != "flood 1 1;tag-missing 1 1;" {
		t.Errorf("refused: %s", got)
	}
	if got := names(r.Unproven) + names(r.Spared); got != "auto-reply 1 1;challenge 1 1;" {
		t.Errorf("unproven, spared: %s", got)
	}
	if r.Verdicts != 5 || r.Floods != 1 || len(r.Rescued) != 1 || r.Backlash != (control.Outscatter{Sent: 1, Callouts: 1}) || len(r.Outgoing) != 1 || r.Outgoing[0].Count != 1 {
		t.Errorf("%+v", r)
	}
	if r = d.report(5*time.Hour, clock.now()); r.Verdicts != 6 {
		t.Errorf("%d verdicts in five hours", r.Verdicts)
	}
}

// What the journal adds to a verdict in the reply path.
func BenchmarkVerdict(b *testing.B) {
	cfg := config.Default()
	live := maillog.NewLive(io.Discard, cfg.Log)
	k := openKnowledge(&site{stateDir: b.TempDir()}, cfg, live, time.Now, func(string, error) {}, readWrite)
	defer k.close()
	o := observer{live: live, metrics: metrics.New("test"), known: k, decided: k.openDecided(readWrite)}
	defer o.decided.Close()
	r := policy.Record{
		ID: "MWQX1K2P-1F", QueueID: "4TabcD99999", Client: netip.MustParseAddr("192.0.2.25"), To: []string{"alice@example.com"},
		Verdict: policy.Verdict{Reason: policy.TagMissing, Action: config.ActionReject, Enforced: true},
	}
	b.Run("log-and-metrics", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			o.metrics.Verdict(r)
			o.known.judged(r.Verdict)
			o.live.Log().Verdict(r)
		}
	})
	b.Run("and-journal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			o.Verdict(r)
		}
	})
}
