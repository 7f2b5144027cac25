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
