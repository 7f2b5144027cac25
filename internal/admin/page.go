package admin

import (
	"bytes"
	"cmp"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/journal"
)

//go:embed web
var web embed.FS

// static serves what the page is made with: its style, its script, its icon.
func static(w http.ResponseWriter, r *http.Request) {
	types := map[string]string{"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"}
	name := r.PathValue("name")
	content, err := web.ReadFile("web/" + name)
	if err != nil || types[name] == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", types[name])
	_, _ = w.Write(content)
}

// page is the status page.
type page struct {
	Source
	template *template.Template
}

func newPage(s Source) *page {
	return &page{s, template.Must(template.New("page.html").Funcs(functions()).ParseFS(web, "web/page.html"))}
}

// Periods that the page can show.
const (
	dayPeriod  = "24h"
	weekPeriod = "7d"
)

// view is what the template is filled with.
type view struct {
	Now    time.Time
	Status *control.Status
	NotUp  string // why no mail is served; "" when it is
	Alarms []string
	Period string
	Chart  chart

	Total    uint64 // verdicts in the period
	Reasons  []share
	Classes  []share
	Origins  []share
	Outgoing []share
	Tops     journal.Tops

	FloodsWatched bool
	Blocks        []Block
	MoreBlocks    int // that are not shown

	Query     url.Values
	BadQuery  string // what is wrong with it
	Choices   choices
	Decisions []journal.Entry
	Older     template.URL // of the page that follows, "" for none
	Newer     template.URL // of the page before, "" for none
	Newest    template.URL
	Journal   journal.Stats
}

// share is how often something was, and its part of the whole in percent.
type share struct {
	Name    string
	N       uint64
	Percent int
}

func (p *page) serve(w http.ResponseWriter, r *http.Request) {
	var b bytes.Buffer
	if err := p.template.Execute(&b, p.view(r.URL.Query())); err != nil {
		answer(w, http.StatusInternalServerError, "the page cannot be made: "+err.Error())
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = b.WriteTo(w)
}

func (p *page) view(query url.Values) *view {
	now := p.Now().UTC()
	v := &view{Now: now, Status: p.Status(), Period: dayPeriod, Query: query, Journal: p.Decisions.Stats()}
	if err := p.Ready(); err != nil {
		v.NotUp = err.Error()
	}
	if query.Get("period") == weekPeriod {
		v.Period = weekPeriod
	}
	v.count(p.Decisions)
	if p.Blocks != nil {
		v.FloodsWatched = true
		v.Blocks, v.MoreBlocks = p.Blocks()
		slices.SortStableFunc(v.Blocks, func(a, b Block) int { return b.Until.Compare(a.Until) })
	}
	v.find(p.Source)
	v.alarms(p.Decisions)
	return v
}

// count fills in what the counts of the hours tell.
func (v *view) count(j *journal.Journal) {
	v.Chart = newChart(v.Period, v.Now)
	reasons, classes, origins, outgoing := map[string]uint64{}, map[string]uint64{}, map[string]uint64{}, map[string]uint64{}
	j.EachHour(v.Chart.From, v.Chart.To, func(hour time.Time, k journal.Key, n uint64) {
		switch k.Event {
		case journal.EventOutgoing:
			outgoing[k.Reason] += n
		case journal.EventVerdict:
			v.Chart.add(hour, k.Outcome(), n)
			v.Total += n
			reasons[k.Reason] += n
			classes[k.Class] += n
			origins[k.Origin] += n
		}
	})
	v.Chart.draw()
	v.Reasons, v.Classes, v.Origins, v.Outgoing = shares(reasons), shares(classes), shares(origins), shares(outgoing)
	v.Tops = j.Top(v.Chart.From, 10)
	v.Choices = choices{
		Reasons: names(v.Reasons, v.Query.Get("reason")), Classes: names(v.Classes, v.Query.Get("class")), Origins: names(v.Origins, v.Query.Get("origin")),
	}
}

func shares(counts map[string]uint64) (all []share) {
	var sum uint64
	for name, n := range counts {
		all = append(all, share{Name: name, N: n})
		sum += n
	}
	for i := range all {
		all[i].Percent = int((all[i].N*100 + sum/2) / sum)
	}
	slices.SortFunc(all, func(a, b share) int { return cmp.Or(cmp.Compare(b.N, a.N), strings.Compare(a.Name, b.Name)) })
	return all
}

// names lists what was seen, and what is asked for.
func names(list []share, asked string) (all []string) {
	for _, s := range list {
		all = append(all, s.Name)
	}
	if asked != "" {
		all = append(all, asked)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
