package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/journal"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

func (s Source) page(t testing.TB, query string) string {
	t.Helper()
	w := get(NewServer(s).Handler, "GET", "/"+query, "")
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%s: %d %s\n%s", query, w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	return w.Body.String()
}

// The page shows what it is for, and is no page of anywhere else's.
func TestPage(t *testing.T) {
	s := source(t)
	proven := refusal(2)
	proven.Action, proven.Reason, proven.Origin = "accept", "tag-valid", "tag"
	watched := refusal(3)
	watched.Enforced, watched.MoreTo = false, 7
	s.add(refusal(1), proven, watched)
	s.Decisions.Count(journal.EventOutgoing, "not-home")
	s.Decisions.Flush()
	got := s.page(t, "")
	for _, want := range []string{
		"serves mail", "mode enforce", "up 2 days", "Verdicts over time: 3 since 2026-11-20 09:00",
		`<title>Sat 21 Nov 08:00 to 09:00 UTC: 1 accepted, 1 spared, 1 refused</title>`, `class="refused" x="463"`,
		"refused 1<", `href="?reason=tag-missing#decisions"`, `href="?origin=tag#decisions"`, `href="?id=RUN-1&amp;period=24h#decisions"`, "not home",
		"192.0.0.0/24", ">user1@example.com<", "example.com</bdi>", "3 more days of signing", "250 2.1.5 Ok", "12 days",
		"ips.example.org", "listed: 2", "/var/lib/state.db", "key 3 signs",
		"and 7 more", "the policy asks for reject",
		"tag=missing class=content-type origin=unknown", "A bounce without a valid tag", "3 ms", "RUN-1", "4Tab1",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Contains(got, "Blocked") || !strings.Contains(got, `role="alert"></div>`) {
		t.Error("the page shows blocks or alarms, and there are none")
	}
	for _, bad := range []string{"http://", "https://", "//", "style=", "onclick", "<script>", "ZgotmplZ"} {
		if strings.Contains(got, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if os := regexp.MustCompile(`<(label for|select id|input id)="(f-[a-z]+)"`).FindAllString(got, -1); len(os) != 20 {
		t.Errorf("fields and labels: %q", os)
	}
	if week := s.page(t, "?period=7d"); !strings.Contains(week, "3 since 2026-11-14 12:00") || !strings.Contains(week, "Sat 21 Nov 06:00 to 12:00 UTC: ") {
		t.Error("the week is missing")
	}
}

// Of a flood the page says how much it does not show.
func TestFlood(t *testing.T) {
	s := source(t)
	e := refusal(1)
	for n := range 3300 {
		if n == 3299 {
			e.At = e.At.Add(time.Second)
		}
		s.add(e)
	}
	got := s.page(t, "")
	for _, want := range []string{"3\u202f300 since ", "2\u202f001 kept; 1\u202f299 of floods only counted", "1\u202f299 of its network and reason before it were only counted"} {
		if !strings.Contains(got, want) {
			t.Errorf("the page has no %q", want)
		}
	}
}

func TestPolicyOfThePage(t *testing.T) {
	for _, path := range []string{"/", "/api/decisions", "/static/page.css", "/static/page.js", "/static/icon.svg"} {
		w := get(NewServer(source(t)).Handler, "GET", path, "")
		csp := w.Header().Get("Content-Security-Policy")
		if w.Code != 200 || !strings.HasPrefix(csp, "default-src 'none'; ") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: %d, Content-Security-Policy %q", path, w.Code, csp)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, w.Header())
		}
	}
}

// What comes from mail is text, whatever it holds.
func TestHostileText(t *testing.T) {
	s := source(t)
	e := refusal(1)
	e.From = `"><img src=x onerror=alert(1)>@example.net`
	e.To = []string{"<script>alert(1)</script>@example.com", "\u202egpj.exe@example.com", "a\x00b\x1b[2J\r\n@example.com", `'"&{{.Now}}@example.com`}
	e.ID, e.QueueID, e.Evidence, e.Reason, e.Class = `"onmouseover="x`, "</details>", "</code><b>", "</option>&amp;", "javascript:alert(1)"
	s.add(e)
	s.Status = func() *control.Status {
		st := status()
		st.Known[0].Domain, st.Known[0].Reply, st.Zones[0].Why, st.Zones[0].Healthy = "<b>", "</td><i>", "<u>", false
		st.Reload = &control.Reload{Errors: []string{"<s>"}}
		return st
	}
	s.Blocks = func() ([]Block, int) { return []Block{{Kind: "client", Key: "<q>", Until: moment().Add(time.Hour)}}, 0 }
	for _, query := range []string{"", "?reason=%3C/select%3E%3Cscript%3E&domain=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "?client=%3Cscript%3E", "?%3Cscript%3E=1"} {
		got := s.page(t, query)
		for _, bad := range []string{"<img", "<script>", "<b>", "<i>", "<u>", "<s>", "<q>", `"onmouseover="`, "<code></details>", "\u202e", "\x00", "\x1b", "<!--"} {
			if strings.Contains(got, bad) {
				t.Errorf("%s: the page has %q", query, bad)
			}
		}
	}
	got := s.page(t, "")
	for _, want := range []string{"&lt;script&gt;alert(1)&lt;/script&gt;@example.com", `\u202egpj.exe@example.com`, `a\x00b\x1b[2J\r\n@example.com`, "{{.Now}}@example.com"} {
		if !strings.Contains(got, want) {
			t.Errorf("the page has no %q", want)
		}
	}
}

func TestAlarms(t *testing.T) {
	s := source(t)
	s.Ready = func() error { return errors.New("stopping") }
	s.Status = func() *control.Status {
		st := status()
		st.Store = control.Store{Path: "state.db", Error: "no space left on device", Queued: 7}
		st.Zones = append(st.Zones, control.Zone{Zone: "dead.example.org", Why: "no answer", Since: moment(), Own: 2}, control.Zone{Zone: "new.example.org"})
		st.Reload = &control.Reload{Errors: []string{"config.toml:1: stgae"}}
		return st
	}
	s.Blocks = func() ([]Block, int) {
		return []Block{{"client", "192.0.2.0/24", moment().Add(15 * time.Minute), 400}, {"recipient", "alice@example.com", moment().Add(time.Hour), 50}}, 7
	}
	got := s.page(t, "")
	for _, want := range []string{
		"serves no mail: stopping", "<li>The store fails: no space left on device", "DNS list dead.example.org is not used: no answer",
		"<li>DNS list dead.example.org lists 2 of our own addresses.", "The last reload failed, the settings from before are in force: config.toml:1: stgae",
		"Blocked at the moment", "192.0.2.0/24", "15 minutes left", "not checked yet",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Index(got, "alice@example.com</bdi>") > strings.Index(got, "<bdi>192.0.2.0/24") {
		t.Error("the block that lasts longest does not come first")
	}
	s.Blocks = func() ([]Block, int) { return nil, 0 }
	if got := s.page(t, ""); !strings.Contains(got, "Nothing is.") {
		t.Error("nothing is blocked, and the page does not say so")
	}
}

// The page's filters and its link to what is older show what they should.
func TestPageFilters(t *testing.T) {
	s := source(t)
	for n := range 120 {
		e := refusal(n)
		if n%2 == 0 {
			e.Reason, e.Action = "auto-reply", "mark"
		}
		s.add(e)
	}
	ids := regexp.MustCompile(`>RUN-(\d+)<`)
	older := regexp.MustCompile(`<a href="([^"]+)" rel="next">`)
	seen, query := 0, "?reason=auto-reply&period=7d"
	for pages := 0; query != ""; pages++ {
		got := s.page(t, strings.TrimSuffix(query, "#decisions"))
		if !strings.Contains(got, "<option selected>auto-reply</option>") || !strings.Contains(got, `<a href="?period=7d&amp;reason=auto-reply#decisions" aria-current="true">`) {
			t.Fatal("the filters are forgotten")
		}
		for _, id := range ids.FindAllStringSubmatch(got, -1) {
			if (id[1][len(id[1])-1]-'0')%2 != 0 {
				t.Errorf("RUN-%s is shown", id[1])
			}
			seen++
		}
		query = ""
		if link := older.FindStringSubmatch(got); link != nil {
			query = strings.ReplaceAll(link[1], "&amp;", "&")
		}
		if pages > 5 {
			t.Fatal("no end")
		}
	}
	if seen != 60 {
		t.Errorf("%d decisions shown, want 60", seen)
	}
	if got := s.page(t, "?domain=example.net"); !strings.Contains(got, "There are none like this") {
		t.Error("none of another domain, and the page does not say so")
	}
	if got := s.page(t, "?client=here"); !strings.Contains(got, `<p class="wrong" role="alert">client: &#34;here&#34;: want an address or a network`) {
		t.Error("a bad filter, and the page does not say so")
	}
}

func TestAPI(t *testing.T) {
	s := source(t)
	for n := range 30 {
		s.add(refusal(n))
	}
	type result struct {
		Decisions []map[string]any
		Next      uint64
		Error     string
	}
	ask := func(query string, code int) (r result) {
		t.Helper()
		w := get(NewServer(s).Handler, "GET", "/api/decisions?"+query, "")
		if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || w.Code != code || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s, %v", query, w.Code, w.Body, err)
		}
		return r
	}
	first := ask("limit=20&reason=tag-missing", 200)
	if len(first.Decisions) != 20 || first.Next == 0 {
		t.Fatalf("%d, next %d", len(first.Decisions), first.Next)
	}
	if second := ask(fmt.Sprintf("limit=20&before=%d", first.Next), 200); len(second.Decisions) != 10 || second.Next != 0 {
		t.Errorf("%d, next %d", len(second.Decisions), second.Next)
	}
	d := ask("id=RUN-7", 200).Decisions[0]
	for key, want := range map[string]any{
		"id": "RUN-7", "qid": "4Tab1", "client": "192.0.0.7", "from": "<>", "stage": "eom", "action": "reject", "reason": "tag-missing",
		"class": "dsn", "origin": "unknown", "enforced": true, "outcome": "refused", "took_ns": 3e6, "time": "2026-11-21T08:23:00Z",
	} {
		if d[key] != want {
			t.Errorf("%s: %v, want %v", key, d[key], want)
		}
	}
	for query, want := range map[string]int{
		"client=192.0.0.7": 1, "client=192.0.0.0/29": 8, "domain=example.com": 30, "domain=example.net": 0, "action=accept": 0, "outcome=refused": 30,
		"since=5m": 6, "until=5m": 24, "since=2026-11-21T08:29:00Z": 2, "until=2026-11-21": 0, "class=dsn&origin=unknown": 30, "reason=": 30,
	} {
		if got := len(ask(query, 200).Decisions); got != want {
			t.Errorf("%s: %d decisions, want %d", query, got, want)
		}
	}
	for query, want := range map[string]string{
		"client=x": `client: "x": want an address`, "since=soon": `since: "soon": want a time`, "limit=0": `limit: "0": want 1 to 1000`, "limit=x": `limit: "x": want 1 to 1000`,
		"before=-1": `before: "-1": want a number, as`, "outcome=nope": `outcome: "nope": want one of accepted, marked, spared, held, deferred, refused`,
		"action=nope": `action: "nope": want one of accept, mark, quarantine, tempfail, reject, discard`, "stage=rcpt": "stage: there is no such parameter", "id=a&id=b": "id: given 2 times", "until=-5m": "until: ",
	} {
		if got := ask(query, 400).Error; !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q", query, got)
		}
	}
}

// Every reason of the policy has its sentence.
func TestWhy(t *testing.T) {
	for _, row := range policy.Rows() {
		if w := why(string(row.Reason)); !strings.HasSuffix(w, ".") {
			t.Errorf("%s: %q", row.Reason, w)
		}
	}
}

func TestRoundUp(t *testing.T) {
	for n, want := range map[uint64]uint64{0: 5, 5: 5, 7: 8, 9: 10, 11: 20, 21: 30, 99: 100, 101: 200, 1 << 63: 1 << 63} {
		if got := roundUp(n); got != want {
			t.Errorf("%d: %d, want %d", n, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1\u202f000", 1234567: "1\u202f234\u202f567"} {
		if got := number(n); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
}

// full has a journal with as many decisions as it holds, of a whole day, each from
// another network for another recipient.
func full(t testing.TB) Source {
	s := source(t)
	now := moment()
	for n := range 2 * journal.DefaultEntries {
		e := refusal(n)
		e.At = now.Add(-24 * time.Hour * time.Duration(2*journal.DefaultEntries-n) / (2 * journal.DefaultEntries))
		e.Client = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0, byte(n >> 16), byte(n >> 8), byte(n), 15: 25})
		e.To = []string{fmt.Sprintf("user%d@example.com", n)}
		e.Reason = string(policy.Rows()[n%17].Reason)
		if n%2 == 0 {
			e.Action = "accept"
		}
		s.Decisions.Add(e)
		if n%1000 == 0 {
			s.Decisions.Flush()
		}
	}
	s.Decisions.Flush()
	if n := s.Decisions.Stats().Entries; n < journal.DefaultEntries*9/10 {
		t.Fatalf("%d entries", n)
	}
	return s
}

// What a page costs does not grow with the journal, but for a look at each entry.
func TestPageWork(t *testing.T) {
	s := full(t)
	h := NewServer(s).Handler
	for _, query := range []string{"", "?domain=example.net&period=7d"} {
		n := testing.AllocsPerRun(1, func() {
			if w := get(h, "GET", "/"+query, ""); w.Code != 200 || w.Body.Len() > 200_000 {
				t.Fatalf("%d, %d octets", w.Code, w.Body.Len())
			}
		})
		if n > 25_000 {
			t.Errorf("%q: %.0f allocations", query, n)
		}
		t.Logf("%q: %.0f allocations", query, n)
	}
}

// The page with as many decisions as the journal holds, and with a filter that
// nothing fits.
func BenchmarkPage(b *testing.B) {
	s := full(b)
	b.Logf("%d entries", s.Decisions.Stats().Entries)
	h := NewServer(s).Handler
	for name, query := range map[string]string{"plain": "", "filtered": "?domain=example.net&period=7d"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if w := get(h, "GET", "/"+query, ""); w.Code != 200 {
					b.Fatal(w.Code)
				}
			}
		})
	}
}

// Parameters in the page's links come back as they were.
func TestLinks(t *testing.T) {
	s := source(t)
	e := refusal(1)
	e.Reason = "a&b=c d#e"
	s.add(e)
	link := regexp.MustCompile(`href="\?(reason=a[^"]+)#decisions"`).FindStringSubmatch(s.page(t, ""))
	if link == nil {
		t.Fatal("no link")
	}
	v, err := url.ParseQuery(html.UnescapeString(link[1]))
	if err != nil || v.Get("reason") != e.Reason {
		t.Errorf("%q: %v, %v", link[1], v, err)
	}
}
