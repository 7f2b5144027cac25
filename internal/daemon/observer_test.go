package daemon

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/decided"
	"github.com/backscatter-milter/backscatter-milter/internal/knowledge"
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
	"github.com/backscatter-milter/backscatter-milter/internal/metrics"
	"github.com/backscatter-milter/backscatter-milter/internal/origin"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// What shows that mail of a domain leaves elsewhere is learned from verdicts.
func TestElsewhereIsLearned(t *testing.T) {
	cfg, err := config.Parse("test.toml", []byte("domains = [\"example.com\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	key := batv.Key{Number: 1, Secret: []byte("0123456789abcdef"), Signing: true}
	keys, err := batv.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	k, d := openBoth(t, cfg)
	k.Take(keys)
	k.Sent(policy.Sent{Sender: "alice@example.com", Result: policy.Signed, Key: key.ID()})
	missing := func() (list []string) {
		for _, known := range k.Status(cfg, time.Now()) {
			list = append(list, known.Missing...)
		}
		return list
	}
	before := missing()
	s := policy.NewSettings(cfg, keys, policy.Sources{Site: k, Origins: provenElsewhere{}})
	m := policy.NewMessage(s, policy.Envelope{Client: policy.Client{Addr: netip.MustParseAddr("192.0.2.1")}}, time.Now())
	f := m.Recipient("alice@example.com")
	m.Classified(classify.Result{Class: classify.Bounce})
	v := policy.Judge(&f, policy.AtEOM)
	observer{live: maillog.NewLive(io.Discard, cfg.Log), metrics: metrics.New("test"), known: k, decided: d}.Verdict(policy.Record{Verdict: v})
	if after := strings.Join(missing(), "; "); v.Reason != policy.OriginProven || !strings.Contains(after, "it was sent by night") {
		t.Errorf("%q: before: %q, after: %q", v.Reason, before, after)
	}
}

type provenElsewhere struct{}

func (provenElsewhere) Ask(context.Context, origin.Question) origin.Answer {
	return origin.Answer{Evidence: origin.DKIM, Elsewhere: "it was sent by night"}
}

// While nothing is known of the site, nothing is elsewhere.
func TestOutscatterBeforeAnythingIsKnown(t *testing.T) {
	for toml, want := range map[string]string{"": "0", "domains = [\"example.com\"]\n": "1"} {
		cfg, err := config.Parse("test.toml", []byte(toml))
		if err != nil {
			t.Fatal(err)
		}
		m := metrics.New("test")
		o := &outscatter{metrics: m, now: time.Now, live: maillog.NewLive(io.Discard, cfg.Log)}
		o.known, o.decided = openBoth(t, cfg)
		o.seen("victim@example.net")
		w := httptest.NewRecorder()
		m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if !strings.Contains(w.Body.String(), "\nbackscatter_outscatter_total "+want+"\n") {
			t.Errorf("%q: not counted %s times", toml, want)
		}
	}
}

// Wrong tokens are counted and logged, with who brought them; refused genuine
// bounces are counted for the page.
func TestDenied(t *testing.T) {
	var out bytes.Buffer
	o := observer{live: maillog.NewLive(&out, config.Default().Log), metrics: metrics.New("test")}
	o.denied(netip.MustParsePrefix("192.0.2.25/32"))
	o.denied(netip.Prefix{})
	for _, want := range []string{`msg="a wrong token at the admin listener" client=192.0.2.25/32`, "client=unknown"} {
		if !strings.Contains(out.String(), "level=WARN") || !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, out.String())
		}
	}
	w := httptest.NewRecorder()
	o.metrics.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if !strings.Contains(w.Body.String(), `backscatter_guard_rejections_total{why="admin-token"} 2`) {
		t.Error("not counted")
	}
}

// openBoth opens what is known of a new site, and the journal of its decisions.
func openBoth(t testing.TB, cfg *config.Config) (*knowledge.Site, *decided.Journal) {
	t.Helper()
	failed := func(what string, err error) { t.Errorf("%s: %v", what, err) }
	k := knowledge.Open(knowledge.Options{
		Config: cfg, State: t.TempDir(), Log: maillog.NewLive(io.Discard, cfg.Log), Now: time.Now, RealTime: time.Now, Failed: failed,
	})
	d := decided.Open(decided.Options{Store: k.Store(), Now: time.Now, Failed: failed})
	t.Cleanup(func() {
		d.Close()
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k, d
}

// What the journal adds to a verdict in the reply path.
func BenchmarkVerdict(b *testing.B) {
	cfg := config.Default()
	o := observer{live: maillog.NewLive(io.Discard, cfg.Log), metrics: metrics.New("test")}
	o.known, o.decided = openBoth(b, cfg)
	r := policy.Record{
		ID: "MWQX1K2P-1F", QueueID: "4TabcD99999", Client: netip.MustParseAddr("192.0.2.25"), To: []string{"alice@example.com"},
		Verdict: policy.Verdict{Reason: policy.TagMissing, Action: config.ActionReject, Enforced: true},
	}
	b.Run("log-and-metrics", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			o.metrics.Verdict(r)
			o.known.Judged(r.Verdict)
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
