package daemon

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/control"
)

// Alarms of the flood control and genuine bounces that the MTA refuses are in the
// report.
func TestReportedAlarms(t *testing.T) {
	c := startClocked(t)
	for range 150 {
		c.floods.Proven(alice)
	}
	observer{live: c.daemon.live, metrics: c.metrics, known: c.known, decided: c.decided}.TagRefused("prvs=1788aaaaaa=" + alice)
	answer, err := c.report(json.RawMessage(`{"since":3600000000000}`))
	if err != nil {
		t.Fatal(err)
	}
	if r := answer.(*control.Report); r.Floods.Alarms != 1 || r.Genuine != 1 || len(r.Floods.Blocks)+len(r.Floods.Surges) != 0 {
		t.Errorf("%+v, %d genuine bounces refused", r.Floods, r.Genuine)
	}
	w := httptest.NewRecorder()
	c.metrics.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	if !strings.Contains(w.Body.String(), `backscatter_failures_total{what="genuine tag refused by the MTA"} 1`) {
		t.Error("the refused tag is not counted where the alert looks")
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
		blocks, more := c.blocks()
		if more != 0 {
			t.Errorf("%d more", more)
		}
		for _, b := range blocks {
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
	if got := keys(); strings.Contains(got, "alice") || !strings.Contains(got, "recipient …@example.com;") {
		t.Errorf("blocked: %s", got)
	}
	answer, err := c.report(json.RawMessage(`{"since":3600000000000}`))
	if err != nil {
		t.Fatal(err)
	}
	f := answer.(*control.Report).Floods
	hot := ""
	for _, h := range f.Hottest {
		hot += fmt.Sprintf("%s %v;", h.Key, h.Blocked)
	}
	if !strings.Contains(hot, "client 192.0.2.0/24 true;") || !strings.Contains(hot, "recipient …@example.com true;") {
		t.Errorf("the report has %s", hot)
	}
	if fmt.Sprint(f.Blocks) != "[{client 1} {recipient 1}]" || fmt.Sprint(f.Surges) != "[{client 1}]" {
		t.Errorf("blocks %v, surges %v", f.Blocks, f.Surges)
	}
	for n := range 120 {
		for i := range 401 {
			c.floods.Unproven(netip.AddrFrom4([4]byte{203, byte(n), 113, 7}), fmt.Sprintf("user%d-%d@example.com", n, i))
		}
	}
	if shown, more := c.blocks(); len(shown) != maxShownBlocks || more != 22 {
		t.Errorf("%d blocks are shown, and %d more", len(shown), more)
	}
}
