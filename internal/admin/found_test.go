package admin

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/journal"
)

// shownIDs are the ids of the decisions on a page.
func shownIDs(got string) (ids []string) {
	for _, id := range regexp.MustCompile(`>RUN-(\d+)</a>`).FindAllStringSubmatch(got, -1) {
		ids = append(ids, id[1])
	}
	return ids
}

// follow gives the query of a link of a page, "" where it has none.
func follow(got, link string) string {
	found := regexp.MustCompile(`<a href="([^"]+)#decisions"` + link).FindStringSubmatch(got)
	if found == nil {
		return ""
	}
	return strings.ReplaceAll(found[1], "&amp;", "&")
}

// However many decisions there are, one gets from page to page and back.
func TestOlderAndNewer(t *testing.T) {
	s := source(t)
	for n := range 3010 {
		e := refusal(n)
		if n%2 == 1 {
			e.Reason = "auto-reply"
		}
		e.Client = refusal(n / 2 * 256).Client // of many networks
		s.add(e)
	}
	var pages []string
	query := "?reason=auto-reply"
	for len(pages) < 4 {
		got := s.page(t, query)
		pages = append(pages, strings.Join(shownIDs(got), " "))
		if first := len(pages) == 1; first != (follow(got, ` rel="prev"`) == "") || first != (follow(got, `>Newest`) == "") {
			t.Errorf("page %d: links to what is newer: %q", len(pages), follow(got, ` rel="prev"`))
		}
		query = follow(got, ` rel="next"`)
	}
	if !strings.HasPrefix(pages[0], "3009 3007 ") || !strings.HasPrefix(pages[3], "2709 2707 ") {
		t.Errorf("%q", pages)
	}
	query = follow(s.page(t, query), ` rel="prev"`) // from the fifth
	for n := len(pages) - 1; n >= 0; n-- {
		got := s.page(t, query)
		if ids := strings.Join(shownIDs(got), " "); ids != pages[n] {
			t.Errorf("back on page %d: %s, want %s", n+1, ids, pages[n])
		}
		query = follow(got, ` rel="prev"`)
	}
	if query != "" {
		t.Errorf("newer than the newest: %s", query)
	}
	if got := shownIDs(s.page(t, follow(s.page(t, "?reason=auto-reply&before=1000"), ">Newest"))); strings.Join(got, " ") != pages[0] {
		t.Error("the newest are others")
	}
}

// Filters and period stay in every link, and a filter is seen in the form though
// nothing in the period is like it.
func TestFiltersAreSeen(t *testing.T) {
	s := source(t)
	for n := range 60 {
		s.add(refusal(n))
	}
	got := s.page(t, "?origin=dkim&outcome=refused&reason=never-sends&class=challenge&action=reject&period=7d")
	for _, want := range []string{"dkim", "refused", "never-sends", "challenge", "reject"} {
		if !strings.Contains(got, "<option selected>"+want+"</option>") {
			t.Errorf("the form does not show %s", want)
		}
	}
	got = s.page(t, "?outcome=refused&period=7d&before=40&class=dsn")
	for link, want := range map[string]string{
		`>tag-missing</a>`:  "?class=dsn&outcome=refused&period=7d&reason=tag-missing",
		`>192.0.0.0/24</a>`: "?class=dsn&client=192.0.0.0%2F24&outcome=refused&period=7d",
		`>24 h</a>`:         "?class=dsn&outcome=refused&period=24h",
		` rel="prev"`:       "?after=39&class=dsn&outcome=refused&period=7d",
		`>RUN-5</a>`:        "?id=RUN-5&period=7d",
	} {
		if query := follow(got, link); query != want {
			t.Errorf("%s: %s, want %s", link, query, want)
		}
	}
}

// A domain is found in both its forms; not at all where addresses are hashes, and
// that is said.
func TestDomainForms(t *testing.T) {
	s := source(t)
	for n, to := range []string{"alice@bücher.example", "bob@XN--BCHER-KVA.example", "bücher.example"} {
		e := refusal(n)
		e.To = []string{to}
		s.add(e)
	}
	for _, domain := range []string{"bücher.example", "xn--bcher-kva.example", "BÜCHER.example."} {
		if got := shownIDs(s.page(t, "?domain="+url.QueryEscape(domain))); len(got) != 3 {
			t.Errorf("%s: %d found", domain, len(got))
		}
	}
	s.Hashed = func() bool { return true }
	w := get(NewServer(s).Handler, "GET", "/api/decisions?domain=example.com", "")
	var failed struct{ Error string }
	if err := json.Unmarshal(w.Body.Bytes(), &failed); err != nil || w.Code != 400 || !strings.HasPrefix(failed.Error, "domain: addresses are kept as hashes") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if got := s.page(t, "?domain=example.com"); !strings.Contains(got, "addresses are kept as hashes") {
		t.Error("the page does not say why it finds nothing")
	}
	if got := shownIDs(s.page(t, "")); len(got) != 3 {
		t.Errorf("without a domain: %d found", len(got))
	}
}

// What status knows of a shared store, of domains by record and of blocks is shown.
func TestShown(t *testing.T) {
	s := source(t)
	st := status()
	st.Known[1].MissingRecord = []string{"2 more days of the record"}
	st.Shared = &control.Shared{URL: "redis://192.0.2.6:6379", State: "shared", Hosts: []control.SharedHost{{Name: "mx2", Skew: "1s"}}}
	s.Status = func() *control.Status { return st }
	s.Blocks = func() ([]Block, int) { return []Block{{Kind: "client", Key: "192.0.2.0/24"}}, 1234 }
	s.Decisions.Count(journal.EventOutgoing, "signed")
	s.add(refusal(1))
	got := s.page(t, "")
	for _, want := range []string{
		"by record: 2 more days of the record", `<span class="up">shared</span> <code>redis://192.0.2.6:6379</code>`, "<bdi>mx2</bdi>", "clock 1s", "And 1\u202f234 more",
		`role="search" aria-label="Decisions"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	tables := strings.Count(got, "<table>")
	if captions, heads := strings.Count(got, "<table><caption>"), strings.Count(got, "</caption><thead><tr><th scope=\"col\">"); tables < 11 || captions != tables || heads != tables {
		t.Errorf("%d tables, %d captions, %d heads", tables, captions, heads)
	}
	st.Shared.State, st.Shared.Error, st.Shared.Hosts = "away", "refused", nil
	got = s.page(t, "")
	for _, want := range []string{`<span class="down">away</span> since `, ": refused", "no other host has been heard of"} {
		if !strings.Contains(got, want) {
			t.Errorf("the page has no %q", want)
		}
	}
}

// Bars are as high as what they stand for, and what was at all is to be seen.
func TestBars(t *testing.T) {
	c := newChart(dayPeriod, moment())
	hour := moment().Truncate(c.Step)
	c.add(hour, journal.Refused, 300)
	c.add(hour, journal.Accepted, 100)
	c.add(hour, journal.Marked, 1)
	c.add(hour.Add(-c.Step), journal.Refused, 200)
	c.draw()
	got := ""
	for _, b := range c.Bars {
		for _, p := range b.Parts {
			got += fmt.Sprintf("%s %d at %d,%d;", p.Outcome, p.H, p.X, p.Y)
		}
	}
	if want := "refused 160 at 443,240;accepted 80 at 463,320;marked 4 at 463,316;refused 240 at 463,76;"; c.Top != 500 || got != want {
		t.Errorf("of %d: %s, want %s", c.Top, got, want)
	}
}
