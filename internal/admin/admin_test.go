package admin

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/journal"
)

// moment is when all tests take place.
func moment() time.Time { return time.Date(2026, 11, 21, 8, 30, 0, 0, time.UTC) }

func get(h http.Handler, method, path, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, http.NoBody)
	r.Host = "127.0.0.1:8896"
	if token != "" {
		r.Header.Set("Authorization", token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// source has nothing to show but that it works.
func source(t testing.TB) Source {
	j, err := journal.Open(journal.Options{Now: moment})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return Source{
		Metrics:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "figures") }),
		Ready:     func() error { return nil },
		Now:       moment,
		Status:    status,
		Decisions: j,
	}
}

func status() *control.Status {
	return &control.Status{
		Version: "1.0", Started: moment().Add(-50 * time.Hour), Mode: "enforce", Stage: "auto", MaxConnections: 4096,
		Store: control.Store{Path: "/var/lib/state.db"},
		Known: []control.KnownDomain{
			{Domain: "example.com", Ours: true, Missing: []string{"3 more days of signing"}, Layout: "prvs", Reply: "250 2.1.5 Ok"},
			{Domain: "example.org", Ours: true, Strict: true, Layout: "prvs", Since: moment().Add(-300 * time.Hour), Days: 12},
		},
		Zones: []control.Zone{{Zone: "ips.example.org", Healthy: true, Since: moment(), Asked: map[string]int64{"listed": 2}}},
		Keys:  []control.Key{{Number: 3, State: "signs"}},
	}
}

// refusal is the nth decision of a kind that a test asks for.
func refusal(n int) journal.Entry {
	return journal.Entry{
		At: moment().Add(-time.Duration(n%80) * time.Minute), ID: fmt.Sprintf("RUN-%d", n), QueueID: "4Tab1",
		Client: netip.AddrFrom4([4]byte{192, 0, byte(n >> 8), byte(n)}), From: "<>", To: []string{fmt.Sprintf("user%d@example.com", n%500)},
		Stage: "eom", Action: "reject", Reason: "tag-missing", Class: "dsn", Origin: "unknown",
		Evidence: "tag=missing class=content-type origin=unknown", Enforced: true, Took: 3 * time.Millisecond,
	}
}

func (s Source) add(entries ...journal.Entry) {
	for _, e := range entries {
		s.Decisions.Add(e)
	}
	s.Decisions.Flush()
}

func TestPages(t *testing.T) {
	for _, tc := range []struct {
		method, path string
		ready        error
		code         int
		body         string
	}{
		{"GET", "/metrics", nil, 200, "figures"},
		{"GET", "/healthz", errors.New("stopping"), 200, "ok"},
		{"GET", "/readyz", nil, 200, "ready"},
		{"GET", "/readyz", errors.New("stopping"), 503, "stopping"},
		{"POST", "/readyz", nil, 405, "Method Not Allowed"},
		{"POST", "/", nil, 405, "Method Not Allowed"},
		{"POST", "/api/decisions", nil, 405, "Method Not Allowed"},
		{"GET", "/nothing", nil, 404, "404 page not found"},
		{"GET", "/static/page.html", nil, 404, "404 page not found"},
		{"GET", "/static/..%2f..%2fadmin.go", nil, 404, "404 page not found"},
	} {
		s := source(t)
		s.Ready = func() error { return tc.ready }
		w := get(NewServer(s).Handler, tc.method, tc.path, "")
		if w.Code != tc.code || strings.TrimSpace(w.Body.String()) != tc.body {
			t.Errorf("%s %s: %d %q", tc.method, tc.path, w.Code, w.Body)
		}
	}
}

func TestToken(t *testing.T) {
	s := source(t)
	s.Token = "open sesame"
	denied := 0
	s.Denied = func(netip.Prefix) { denied++ }
	for token, code := range map[string]int{
		"":                                     401,
		"Bearer ":                              401,
		"Bearer open":                          401,
		"open sesame":                          401,
		"Bearer open sesame ":                  401,
		"Basic " + "b3BlbiBzZXNhbWU6":          401, // as the name
		"Bearer open sesame":                   200,
		"bearer open sesame":                   200, // RFC 9110, section 11.1
		"BEARER  open sesame":                  200,
		"Bearerx open sesame":                  401,
		"Basic " + "YW55Om9wZW4gc2VzYW1l":      200, // any:open sesame
		"Basic " + "Om9wZW4gc2VzYW1l" + "AAAA": 401,
	} {
		for _, path := range []string{"/metrics", "/readyz", "/", "/api/decisions", "/static/page.css"} {
			s.Now = moment
			h := NewServer(s).Handler // without what was counted before
			if w := get(h, "GET", path, token); w.Code != code || (code == 401) != (len(w.Header()["Www-Authenticate"]) == 2) {
				t.Errorf("%s with %q: %d, want %d", path, token, w.Code, code)
			}
		}
	}
	if denied != 5*7 {
		t.Errorf("told of %d denials", denied)
	}
	if w := get(NewServer(s).Handler, "GET", "/healthz", ""); w.Code != 200 || strings.TrimSpace(w.Body.String()) != "ok" {
		t.Errorf("whether it lives, without a token: %d %s", w.Code, w.Body)
	}
}

// A client that has brought ten wrong tokens is told so for a minute, and is no
// longer told of; the right one is always good, and so are those of others.
func TestTokenRate(t *testing.T) {
	now := moment()
	s := source(t)
	s.Token, s.Now = "open sesame", func() time.Time { return now }
	denied := map[netip.Prefix]int{}
	s.Denied = func(client netip.Prefix) { denied[client]++ }
	h := NewServer(s).Handler
	ask := func(from, token string) int {
		r := httptest.NewRequest(http.MethodGet, "/readyz", http.NoBody)
		r.RemoteAddr = from
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for range 50 {
		if code := ask("192.0.2.1:7", ""); code != 401 {
			t.Fatalf("without a token: %d", code) // a browser's first request has none
		}
	}
	for n := range 12 {
		want := map[bool]int{true: 401, false: 429}[n < maxFailures]
		if code := ask("192.0.2.1:7", "guess"); code != want {
			t.Errorf("guess %d: %d, want %d", n, code, want)
		}
		if code := ask(fmt.Sprintf("[2001:db8::%x]:7", n), "guess"); code != want {
			t.Errorf("guess %d from one /64: %d, want %d", n, code, want)
		}
	}
	if code := ask("192.0.2.1:8", "open sesame"); code != 200 {
		t.Errorf("the right token after that: %d", code)
	}
	if code := ask("192.0.2.1:8", ""); code != 401 {
		t.Errorf("without a token after that: %d", code)
	}
	want := map[netip.Prefix]int{netip.MustParsePrefix("192.0.2.1/32"): maxFailures, netip.MustParsePrefix("2001:db8::/64"): maxFailures}
	if !maps.Equal(denied, want) {
		t.Errorf("told of %v", denied)
	}
	if code := ask("192.0.2.2:8", "open sesame"); code != 200 {
		t.Errorf("from elsewhere: %d", code)
	}
	now = now.Add(failureTime + time.Second)
	if code := ask("192.0.2.1:8", "guess"); code != 401 {
		t.Errorf("a minute later: %d", code)
	}
}

// However many clients guess, the memory is bounded, and guessing is.
func TestOffenders(t *testing.T) {
	o := offenders{now: moment, counts: map[netip.Prefix]*offence{}}
	client := func(n int) netip.Prefix {
		return clientNetwork(fmt.Sprintf("198.51.%d.%d:1", n>>8, n&255))
	}
	for n := range 5000 {
		o.add(client(n))
	}
	if len(o.counts) > maxOffenders+1 {
		t.Errorf("%d clients are counted", len(o.counts))
	}
	if !o.tooMany(client(6000)) || o.tooMany(client(1)) {
		t.Error("those beyond the bound are not counted together")
	}
}

// Names of other sites are not answered where no token protects the page.
func TestNames(t *testing.T) {
	s := source(t)
	for host, code := range map[string]int{
		"127.0.0.1:8896": 200, "[::1]:8896": 200, "localhost": 200, "LocalHost:8896": 200, "milter.localhost": 200, "192.0.2.1": 200,
		"evil.example.net": 421, "localhost.example.net:8896": 421, "": 421, "127.0.0.1.example.net": 421,
	} {
		for _, path := range []string{"/", "/api/decisions"} {
			r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
			r.Host = host
			w := httptest.NewRecorder()
			NewServer(s).Handler.ServeHTTP(w, r)
			if w.Code != code {
				t.Errorf("%s under %q: %d, want %d", path, host, w.Code, code)
			}
		}
	}
	s.Token = "open sesame"
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.Header.Set("Authorization", "Bearer open sesame")
	w := httptest.NewRecorder()
	if NewServer(s).Handler.ServeHTTP(w, r); w.Code != 200 {
		t.Errorf("by name and token: %d", w.Code)
	}
}
