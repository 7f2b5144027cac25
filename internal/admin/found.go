package admin

import (
	"html/template"
	"net/url"
	"strconv"
)

// choices are what the filters offer.
type choices struct{ Reasons, Classes, Origins []string }

// Actions are those of the policy.
func (choices) Actions() []string { return actions() }

// Outcomes are all there are, the mildest first.
func (choices) Outcomes() []string { return outcomes() }

// find fills in the decisions that are asked for.
func (v *view) find(s Source) {
	q, err := s.query(v.Query, "period")
	if err != nil {
		v.BadQuery = err.Error()
		return
	}
	found := s.Decisions.Find(q)
	if q.After > 0 && found.Newer == 0 { // so few that they are best seen with what is below them
		q.After = 0
		found = s.Decisions.Find(q)
	}
	v.Decisions = found.Entries
	if found.Next > 0 {
		v.Older = v.Link("before", strconv.FormatUint(found.Next, 10))
	}
	if found.Newer > 0 {
		v.Newer = v.Link("after", strconv.FormatUint(found.Newer, 10))
		v.Newest = v.Link("before", "")
	}
}

// Link is the query as it is with one parameter set, or without it where the
// value is empty, on its first page.
func (v *view) Link(name, value string) template.URL {
	next := url.Values{}
	for other, values := range v.Query {
		if other != "before" && other != "after" && values[0] != "" {
			next.Set(other, values[0])
		}
	}
	return link(next, name, value)
}

// Period24h is the query as it is over a day.
func (v *view) Period24h() template.URL { return v.Link("period", dayPeriod) }

// Period7d is the query as it is over seven days.
func (v *view) Period7d() template.URL { return v.Link("period", weekPeriod) }

// Only is a query with nothing but the period and one parameter.
func (v *view) Only(name, value string) template.URL {
	return link(url.Values{"period": {v.Period}}, name, value)
}

func link(v url.Values, name, value string) template.URL {
	v.Set(name, value)
	if value == "" {
		v.Del(name)
	}
	return template.URL("?" + v.Encode() + "#decisions") // escaped by Encode
}
