package journal

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/backscatter-milter/backscatter-milter/internal/store"
)

// clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 21, 8, 30, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func open(t testing.TB, o Options) *Journal {
	t.Helper()
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j
}

// refusal is the nth of many, a different client network each.
func refusal(c *clock, n int) Entry {
	return Entry{
		At: c.Now(), ID: fmt.Sprintf("RUN-%X", n), QueueID: fmt.Sprintf("4Tab%d", n),
		Client: netip.AddrFrom4([4]byte{198, 51, byte(n >> 8), byte(n)}),
		From:   "<>", To: []string{fmt.Sprintf("user%d@example.com", n%10)},
		Stage: "eom", Action: "reject", Reason: "tag-missing", Class: "dsn", Origin: "unknown",
		Evidence: "tag=missing class=content-type origin=unknown", Enforced: true, Took: 3 * time.Millisecond,
	}
}

func accept(c *clock, n int) Entry {
	e := refusal(c, n)
	e.Action, e.Reason, e.Origin = "accept", "tag-valid", "tag"
	return e
}

// add adds and takes in.
func (j *Journal) add(entries ...Entry) {
	for i, e := range entries {
		j.Add(e)
		if i%1000 == 999 {
			j.Flush()
		}
	}
	j.Flush()
}

func openFile(t testing.TB, path string, readOnly bool) *store.Store {
	t.Helper()
	s, err := store.Open(path, store.Options{Now: time.Now, ReadOnly: readOnly, Report: func(err error) { t.Logf("store: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A restart keeps entries and counts, to the last field; so does a look without
// the daemon.
func TestRestart(t *testing.T) {
	c, path := newClock(), filepath.Join(t.TempDir(), "state.db")
	s := openFile(t, path, false)
	j := open(t, Options{Store: File(s), Now: c.Now})
	full := refusal(c, 7)
	full.Client = netip.MustParseAddr("2001:db8::17")
	full.To = []string{"jörg@example.com", "\u202ecod@example.com"}
	full.MoreTo, full.Enforced = 3, false
	j.add(refusal(c, 1), full, accept(c, 2), Entry{At: c.Now()})
	j.Count(EventOutgoing, "signed")
	c.move(24 * time.Hour)
	j.add(accept(c, 3))
	before, counted := j.Find(Query{}), hoursOf(j)
	j.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{false, true} {
		s = openFile(t, path, readOnly)
		j = open(t, Options{Store: File(s), Now: c.Now, ReadOnly: readOnly})
		if d := cmp.Diff(before, j.Find(Query{}), cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("read-only %v: after a restart (-before +after):\n%s", readOnly, d)
		}
		if d := cmp.Diff(counted, hoursOf(j)); d != "" {
			t.Errorf("read-only %v: counts (-before +after):\n%s", readOnly, d)
		}
		j.Close()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s = openFile(t, path, false)
	defer s.Close()
	j = open(t, Options{Store: File(s), Now: c.Now})
	j.add(accept(c, 4))
	if p := j.Find(Query{}); len(p.Entries) != 6 || p.Entries[0].ID != "RUN-4" || p.Entries[0].Seq <= before.Entries[0].Seq {
		t.Errorf("one more after the restart: %d entries, the newest %s (%d)", len(p.Entries), p.Entries[0].ID, p.Entries[0].Seq)
	}
}

func hoursOf(j *Journal) map[string]uint64 {
	all := make(map[string]uint64)
	j.EachHour(time.Time{}, time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), func(hour time.Time, k Key, n uint64) {
		all[fmt.Sprintf("%s %+v", hour.Format("2 15h"), k)] += n
	})
	return all
}

// Much accepted mail pushes out no refusal, and the whole is bounded.
func TestQuotas(t *testing.T) {
	c := newClock()
	j := open(t, Options{Now: c.Now, MaxEntries: 1000})
	for n := range 400 {
		j.add(refusal(c, n))
	}
	for n := range 5000 {
		j.add(accept(c, n))
	}
	if got := j.Stats().Entries; got > 1000 || got < 970 {
		t.Errorf("%d entries of at most 1000", got)
	}
	refusals := j.Find(Query{Outcome: Refused, Limit: MaxLimit}).Entries
	if len(refusals) != 400 {
		t.Errorf("%d of 400 refusals are left", len(refusals))
	}
	for n := range 5000 {
		j.add(refusal(c, n))
	}
	if got := j.Stats().Entries; got > 1000 || got < 930 {
		t.Errorf("%d entries of at most 1000", got)
	}
	if got := len(j.Find(Query{Outcome: Accepted, Limit: MaxLimit}).Entries); got > 420 || got < 380 {
		t.Errorf("%d of what was accepted are left, want 400", got)
	}
	if newest := j.Find(Query{}).Entries[0].ID; newest != fmt.Sprintf("RUN-%X", 4999) {
		t.Errorf("the newest is %s", newest)
	}
}

func TestOctets(t *testing.T) {
	c := newClock()
	j := open(t, Options{Now: c.Now, MaxEntries: 20_000})
	j.shelves[refusals].maxOctets, j.shelves[others].maxOctets = 3<<20, 1<<20
	long := strings.Repeat("x", 10_000)
	for n := range 1500 {
		e := refusal(c, n)
		e.To = nil
		for range 100 {
			e.To = append(e.To, long)
		}
		e.Evidence, e.From, e.ID = long, long, long
		j.add(e)
	}
	s := j.Stats()
	if s.Octets > 4<<20+600*9000 || s.Entries == 0 {
		t.Errorf("%d octets in %d entries", s.Octets, s.Entries)
	}
	e := j.Find(Query{}).Entries[0]
	if len(e.To) != MaxTo || e.MoreTo != 80 || len(e.To[0]) != maxAddress || len(e.Evidence) != maxEvidence || len(e.From) != maxAddress || len(e.ID) != maxWord {
		t.Errorf("%d recipients and %d more, lengths %d %d %d %d", len(e.To), e.MoreTo, len(e.To[0]), len(e.Evidence), len(e.From), len(e.ID))
	}
}

// Where nothing is refused, there is room for as many of the rest as in all.
func TestOnlyAccepted(t *testing.T) {
	c := newClock()
	j := open(t, Options{Now: c.Now, MaxEntries: 1000})
	for n := range 1500 {
		j.add(accept(c, n))
	}
	if got := j.Stats().Entries; got > 1000 || got < 970 {
		t.Errorf("%d entries of at most 1000", got)
	}
}

func TestAge(t *testing.T) {
	c := newClock()
	kept := fake{}
	j := open(t, Options{Store: &kept, Now: c.Now, MaxAge: 48 * time.Hour})
	j.add(refusal(c, 1), accept(c, 1))
	c.move(24 * time.Hour)
	j.add(refusal(c, 2))
	c.move(24*time.Hour + time.Minute)
	if got := j.Find(Query{}).Entries; len(got) != 1 || got[0].ID != "RUN-2" {
		t.Errorf("after two days: %v", got)
	}
	j.Flush()
	c.move(60 * time.Hour)
	j.Flush()
	if got := j.Stats().Entries; got != 0 || len(kept.records) != 1 || len(kept.records[hoursBucket]) != 0 {
		t.Errorf("after five days: %d entries, stored %v", got, kept.records)
	}
}

// A flood leaves what was before it, and is counted to the last.
func TestFlood(t *testing.T) {
	c := newClock()
	j := open(t, Options{Now: c.Now})
	j.add(refusal(c, 77))
	one := refusal(c, 1)
	one.Reason = "flood"
	for range 30_000 {
		one.At = c.Now()
		one.To = []string{"user@example.com"}
		j.add(one)
		c.move(time.Millisecond)
	}
	p := j.Find(Query{Reason: "flood", Limit: 1})
	if len(p.Entries) != 1 || c.Now().Sub(p.Entries[0].At) > 2*time.Second || p.Entries[0].Skipped < 900 {
		t.Errorf("the latest of the flood: %+v", p.Entries)
	}
	if n := j.Stats(); n.Entries > perNetwork+50 || n.Skipped+uint64(n.Entries) != 30_001 {
		t.Errorf("%+v", n)
	}
	if got := j.Find(Query{ID: "RUN-4D"}).Entries; len(got) != 1 {
		t.Error("what was before the flood is gone")
	}
	var counted uint64
	j.EachHour(time.Time{}, c.Now().Add(time.Hour), func(_ time.Time, k Key, n uint64) {
		if k.Reason == "flood" {
			counted += n
		}
	})
	if counted != 30_000 {
		t.Errorf("%d counted of 30000", counted)
	}
	top := j.Top(c.Now().Add(-time.Hour), 5)
	if top.Networks[0].Name != "198.51.0.0/24" || top.Networks[0].N < 28_000 {
		t.Errorf("top %v", top)
	}
	for n := range 20_000 { // from everywhere
		j.add(refusal(c, n))
		if n%100 == 0 {
			c.move(time.Millisecond)
		}
	}
	if n := len(j.limit.networks); n > maxBudgets+1 {
		t.Errorf("%d networks are remembered", n)
	}
	if kept := j.reasonEntries("tag-missing"); kept < perMatter || kept > perMatter+10 {
		t.Errorf("%d entries of one reason are kept", kept)
	}
	c.move(time.Hour)
	j.add(refusal(c, 1), refusal(c, 2))
	if got := j.Find(Query{Since: c.Now()}).Entries; len(got) != 2 {
		t.Errorf("in the next hour %d are kept", len(got))
	}
}

func (j *Journal) reasonEntries(reason string) (n int) {
	j.newestFirst(func(e *Entry) bool {
		if e.Reason == reason {
			n++
		}
		return true
	})
	return n
}

func TestHostileText(t *testing.T) {
	c := newClock()
	j := open(t, Options{Now: c.Now})
	e := refusal(c, 1)
	e.From = "a\r\nb\x1b[2J\x00@example.net"
	e.To = []string{"\u202emoc.elpmaxe@resu", "bad\xff\xfe@example.com", "zero\u200bwidth@example.com", "<script>alert(1)</script>@example.com", "\ufffd@example.com", "ünï@example.com"}
	e.QueueID = "4\nTab"
	j.add(e)
	got := j.Find(Query{}).Entries[0]
	want := []string{`\u202emoc.elpmaxe@resu`, `bad\xff\xfe@example.com`, `zero\u200bwidth@example.com`, `<script>alert(1)</script>@example.com`, `\ufffd@example.com`, "ünï@example.com"}
	if d := cmp.Diff(want, got.To); d != "" {
		t.Errorf("recipients (-want +got):\n%s", d)
	}
	if got.From != `a\r\nb\x1b[2J\x00@example.net` || got.QueueID != `4\nTab` {
		t.Errorf("from %q, queue id %q", got.From, got.QueueID)
	}
	// What is kept stays so when it is cleaned again, as after a restart.
	for _, to := range want {
		if Visible(to) != to {
			t.Errorf("%q becomes %q", to, Visible(to))
		}
	}
}

// A queue that is not taken in is bounded, and what it had no room for counted.
func TestOverflow(t *testing.T) {
	c := newClock()
	j := open(t, Options{Now: c.Now})
	j.work.Lock()
	for n := range maxPending + 100 {
		j.Add(refusal(c, n))
	}
	j.work.Unlock()
	j.Flush()
	if s := j.Stats(); s.Overflow == 0 || !s.LastOverflow.Equal(c.Now()) || s.Entries+int(s.Skipped+s.Overflow) != maxPending+100 {
		t.Errorf("%+v", s)
	}
	j.Close()
	j.Add(refusal(c, 1))
	if before := j.Stats(); before.Overflow < 2 {
		t.Errorf("%+v", before)
	}
}

// What is added shows within moments, without anybody's doing.
func TestByItself(t *testing.T) {
	c := newClock()
	j := open(t, Options{Now: c.Now})
	j.Add(refusal(c, 1))
	j.Count(EventCallout, "")
	for deadline := time.Now().Add(5 * time.Second); len(j.Find(Query{}).Entries) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing shows")
		}
	}
}

func TestConcurrent(t *testing.T) {
	c := newClock()
	j := open(t, Options{Store: &fake{}, Now: c.Now, MaxEntries: 500})
	var wait sync.WaitGroup
	for w := range 4 {
		wait.Go(func() {
			for n := range 500 {
				j.Add(refusal(c, w*500+n))
				j.Count(EventOutgoing, "signed")
			}
		})
		wait.Go(func() {
			for range 50 {
				p := j.Find(Query{Domain: "example.com"})
				for i := 1; i < len(p.Entries); i++ {
					if p.Entries[i].Seq >= p.Entries[i-1].Seq {
						t.Error("not in order")
					}
				}
				j.Top(time.Time{}, 10)
				j.EachHour(time.Time{}, c.Now(), func(time.Time, Key, uint64) {})
			}
		})
	}
	wait.Wait()
}

// A panic of the goroutine is reported, and the journal goes on.
func TestPanic(t *testing.T) {
	var reported error
	c, kept := newClock(), &fake{panics: true}
	j := open(t, Options{Store: kept, Now: c.Now, Report: func(err error) { reported = err }})
	j.add(refusal(c, 1))
	if !errors.Is(reported, ErrPanic) {
		t.Errorf("reported %v", reported)
	}
	kept.panics = false
	j.add(refusal(c, 2))
	if got := j.Find(Query{}).Entries; len(got) != 2 {
		t.Errorf("%d entries", len(got))
	}
}
