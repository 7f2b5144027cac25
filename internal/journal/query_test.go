package journal

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFilters(t *testing.T) {
	c := newClock()
	j := open(t, Options{Now: c.Now})
	begun := c.Now()
	a := refusal(c, 1)
	a.Client = netip.MustParseAddr("::ffff:192.0.2.25")
	j.add(a)
	c.move(time.Hour)
	b := accept(c, 2)
	b.Client = netip.MustParseAddr("2001:db8:1::25")
	b.To = []string{"bob@example.net", "Bob@Example.ORG"}
	j.add(b)
	c.move(time.Hour)
	d := refusal(c, 3)
	d.Enforced, d.Class, d.To = false, "auto-reply", []string{"example.org"} // as privacy = "domain" leaves it
	j.add(d)
	for _, tc := range []struct {
		name string
		q    Query
		want string // the last letters of the ids, the newest first
	}{
		{"all", Query{}, "321"},
		{"reason", Query{Reason: "tag-valid"}, "2"},
		{"action", Query{Action: "reject"}, "31"},
		{"outcome", Query{Outcome: Refused}, "1"},
		{"only reported", Query{Outcome: Spared}, "3"},
		{"class", Query{Class: "auto-reply"}, "3"},
		{"origin", Query{Origin: "tag"}, "2"},
		{"address", Query{Client: netip.MustParsePrefix("192.0.2.25/32")}, "1"},
		{"network", Query{Client: netip.MustParsePrefix("192.0.2.0/24")}, "1"},
		{"network, IPv6", Query{Client: netip.MustParsePrefix("2001:db8::/32")}, "2"},
		{"no such network", Query{Client: netip.MustParsePrefix("203.0.113.0/24")}, ""},
		{"domain", Query{Domain: "EXAMPLE.com."}, "1"},
		{"domain of the second recipient, and bare", Query{Domain: "example.org"}, "32"},
		{"not of a sub-domain", Query{Domain: "ample.com"}, ""},
		{"id", Query{ID: "RUN-2"}, "2"},
		{"queue id", Query{ID: "4Tab3"}, "3"},
		{"since", Query{Since: begun.Add(time.Hour)}, "32"},
		{"until", Query{Until: begun.Add(time.Hour)}, "1"},
		{"several", Query{Action: "reject", Domain: "example.com", Since: begun}, "1"},
	} {
		var got strings.Builder
		for _, e := range j.Find(tc.q).Entries {
			got.WriteString(e.ID[len(e.ID)-1:])
		}
		if got.String() != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got.String(), tc.want)
		}
	}
}

// Pages one behind the other show every entry once, while others are added.
func TestPages(t *testing.T) {
	c := newClock()
	j := open(t, Options{Now: c.Now})
	for n := range 100 {
		j.add(refusal(c, n), accept(c, n))
	}
	for _, q := range []Query{{}, {Outcome: Refused}} {
		for _, limit := range []int{1, 7, 100, 1000} {
			q.Limit, q.Before = limit, 0
			seen, last := 0, ^uint64(0)
			for {
				p := j.Find(q)
				for _, e := range p.Entries {
					if e.Seq >= last {
						t.Fatalf("entry %d behind %d", e.Seq, last)
					}
					last = e.Seq
				}
				seen += len(p.Entries)
				if p.Next == 0 {
					break
				}
				q.Before = p.Next
				j.add(accept(c, 1)) // newer than the page
			}
			if q.Outcome == Refused && seen != 100 || q.Outcome == "" && seen < 200 {
				t.Errorf("pages of %d: %d entries", limit, seen)
			}
		}
	}
	if got := len(j.Find(Query{Limit: 1 << 30}).Entries); got > MaxLimit {
		t.Errorf("%d entries on a page", got)
	}
}

// Of decisions with many recipients each, the latest are counted.
func TestTopOfMany(t *testing.T) {
	c := newClock()
	j := open(t, Options{Now: c.Now})
	for n := range maxCounted/MaxTo + 500 {
		e := refusal(c, n)
		e.To = nil
		for i := range MaxTo {
			e.To = append(e.To, fmt.Sprintf("user%d@example.com", (n*MaxTo+i)*(i%2)))
		}
		j.add(e)
	}
	top := j.Top(time.Time{}, maxCounted).Recipients
	sum := uint64(0)
	for _, r := range top {
		sum += r.N
	}
	if sum != maxCounted || top[0].Name != "user0@example.com" || top[0].N != maxCounted/2 {
		t.Errorf("%d counted, the most %v", sum, top[0])
	}
}

func TestTop(t *testing.T) {
	c := newClock()
	j := open(t, Options{Now: c.Now})
	for n := range 5 {
		e := refusal(c, n)
		e.Client, e.To = netip.MustParseAddr("192.0.2.7"), []string{"prvs=0123abcdef=alice@example.com"}
		j.add(e)
	}
	e := refusal(c, 9)
	e.Client, e.To = netip.Addr{}, []string{"alice@example.com", "bob@example.com"}
	j.add(e, accept(c, 10))
	want := Tops{
		Networks:   []Count{{"192.0.2.0/24", 5}, {"unknown", 1}},
		Recipients: []Count{{"alice@example.com", 6}, {"bob@example.com", 1}},
	}
	if d := cmp.Diff(want, j.Top(c.Now().Add(-time.Hour), 5)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := j.Top(c.Now().Add(time.Hour), 5); len(got.Networks) != 0 {
		t.Errorf("since later: %v", got)
	}
	if got := j.Top(c.Now(), 1); len(got.Networks) != 1 || len(got.Recipients) != 1 {
		t.Errorf("one of each: %v", got)
	}
}

func TestOutcomes(t *testing.T) {
	for _, tc := range []struct {
		action   string
		enforced bool
		want     Outcome
	}{
		{"accept", true, Accepted}, {"accept", false, Accepted}, {"", true, Accepted},
		{"mark", true, Marked}, {"mark", false, Marked},
		{"reject", true, Refused}, {"reject", false, Spared},
		{"tempfail", true, Deferred}, {"tempfail", false, Spared},
		{"quarantine", true, Held}, {"discard", true, Held}, {"discard", false, Spared},
	} {
		if got := OutcomeOf(tc.action, tc.enforced); got != tc.want {
			t.Errorf("%s, enforced %v: %s, want %s", tc.action, tc.enforced, got, tc.want)
		}
	}
}

// full is a journal with as much as it holds.
func full(t testing.TB) *Journal {
	t.Helper()
	c := newClock()
	j := open(t, Options{Now: c.Now})
	for n := range 2 * DefaultEntries {
		if n%9000 == 0 {
			c.move(time.Hour)
		}
		j.Add(refusal(c, n))
		j.Add(accept(c, n))
		if n%1000 == 999 {
			j.Flush()
		}
	}
	j.Flush()
	if n := j.Stats().Entries; n < DefaultEntries*9/10 {
		t.Fatalf("%d entries", n)
	}
	return j
}

// A look at a full journal reads each entry once at most, stops when its page is
// full, and allocates little beside its answer.
func TestWork(t *testing.T) {
	j := full(t)
	read := 0
	fold := func(domain string) string { read++; return domain }
	j.Find(Query{Domain: "example.net", Fold: fold})
	if n := j.Stats().Entries; read != n+1 { // and what is asked for
		t.Errorf("%d of %d entries are read to find nothing", read-1, n)
	}
	read = 0
	j.Find(Query{Domain: "example.com", Fold: fold})
	if read != 1+DefaultLimit+1 {
		t.Errorf("%d entries are read for a page of %d", read-1, DefaultLimit)
	}
	for what, look := range map[string]func(){
		"nothing is found":  func() { j.Find(Query{Domain: "example.net"}) },
		"a page is":         func() { j.Find(Query{}) },
		"the top are":       func() { j.Top(time.Time{}, 10) },
		"hours are counted": func() { j.EachHour(time.Time{}, time.Now(), func(time.Time, Key, uint64) {}) },
	} {
		if n := testing.AllocsPerRun(1, look); n > 500 {
			t.Errorf("%s with %.0f allocations", what, n)
		}
	}
}

func BenchmarkFindNothing(b *testing.B) {
	j := full(b)
	for b.Loop() {
		j.Find(Query{Domain: "example.net"})
	}
}

func BenchmarkTop(b *testing.B) {
	j := full(b)
	for b.Loop() {
		j.Top(time.Time{}, 10)
	}
}

// What the reply path pays.
func BenchmarkAdd(b *testing.B) {
	c := newClock()
	j := open(b, Options{Now: c.Now})
	e := refusal(c, 1)
	b.ReportAllocs()
	for b.Loop() {
		j.Add(e)
	}
}
