package decided

import (
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/journal"
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
	"github.com/backscatter-milter/backscatter-milter/internal/store"
)

// clock is one that somebody sets.
type clock struct{ time time.Time }

func (c *clock) now() time.Time { return c.time }

func (c *clock) jump(d time.Duration) { c.time = c.time.Add(d) }

// open opens a journal in a store of its own, and a log.
func open(t *testing.T) (*Journal, *clock, *maillog.Log) {
	t.Helper()
	c := &clock{time.Date(2026, 11, 13, 12, 0, 0, 0, time.UTC)}
	failed := func(what string, err error) { t.Errorf("%s: %v", what, err) }
	db, err := store.Open(filepath.Join(t.TempDir(), "state.db"), store.Options{Now: time.Now, Report: func(err error) { failed("store", err) }})
	if err != nil {
		t.Fatal(err)
	}
	d := Open(Options{Store: db, Now: c.now, Failed: failed})
	t.Cleanup(func() {
		d.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, c, maillog.New(io.Discard, maillog.Options{})
}

// A verdict is kept as it was handed over, though its slice is used again, and
// names no more recipients than the log does.
func TestVerdict(t *testing.T) {
	d, clock, log := open(t)
	to := make([]string, 30)
	for i := range to {
		to[i] = fmt.Sprintf("user%d@example.com", i)
	}
	d.Verdict(policy.Record{ID: "RUN-1", To: to, Verdict: policy.Verdict{Reason: policy.TagMissing, Action: config.ActionReject, Enforced: true}}, log)
	clear(to)
	d.Flush()
	got := d.Find(journal.Query{}).Entries
	if len(got) != 1 || len(got[0].To) != 20 || got[0].MoreTo != 10 || got[0].To[19] != "user19@example.com" || got[0].From != "<>" || !got[0].At.Equal(clock.now()) {
		t.Errorf("%+v", got)
	}
	r := d.Report(time.Hour, clock.now())
	if len(r.Refused) != 1 || r.Refused[0].Examples[0].To != "user0@example.com, user1@example.com, user2@example.com, …" || r.Refused[0].Examples[0].Client != "unknown" {
		t.Errorf("%+v", r.Refused)
	}
}

// The digest counts every hour of its period, and nothing from before.
func TestDigestPeriod(t *testing.T) {
	d, clock, log := open(t)
	add := func(reason policy.Reason, action config.Action, enforced bool) {
		d.Verdict(policy.Record{Verdict: policy.Verdict{Reason: reason, Action: action, Enforced: enforced}, To: []string{"alice@example.com"}}, log)
		d.Flush()
	}
	add(policy.TagMissing, config.ActionReject, true)
	clock.jump(3 * time.Hour)
	add(policy.TagMissing, config.ActionReject, true)
	add(policy.Flood, config.ActionTempfail, true)
	add(policy.OriginProven, config.ActionAccept, true)
	add(policy.AutoReply, config.ActionMark, true)
	add(policy.Challenge, config.ActionReject, false)
	d.Outscatter()
	d.Callout()
	d.Sent(policy.Signed)
	for event, what := range map[string]string{journal.EventBlock: "client", journal.EventSurge: "domain", journal.EventAlarm: "", journal.EventTagRefused: ""} {
		d.Count(event, what)
	}
	r := d.Report(2*time.Hour, clock.now())
	names := func(list []control.Judged) (s string) {
		for _, j := range list {
			s += fmt.Sprintf("%s %d %d;", j.Reason, j.Count, len(j.Examples))
		}
		return s
	}
	if got := names(r.Refused); got != "flood 1 1;tag-missing 1 1;" {
		t.Errorf("refused: %s", got)
	}
	if got := names(r.Unproven) + names(r.Spared); got != "auto-reply 1 1;challenge 1 1;" {
		t.Errorf("unproven, spared: %s", got)
	}
	if r.Verdicts != 5 || r.Floods.Verdicts != 1 || len(r.Rescued) != 1 || r.Backlash != (control.Outscatter{Sent: 1, Callouts: 1}) || len(r.Outgoing) != 1 || r.Outgoing[0].Count != 1 {
		t.Errorf("%+v", r)
	}
	floods := control.Floods{Verdicts: 1, Blocks: []control.Tally{{Name: "client", Count: 1}}, Surges: []control.Tally{{Name: "domain", Count: 1}}, Alarms: 1, Hottest: []control.HotKey{}}
	if !reflect.DeepEqual(r.Floods, floods) || r.Genuine != 1 {
		t.Errorf("floods %+v, genuine bounces refused %d", r.Floods, r.Genuine)
	}
	if r = d.Report(5*time.Hour, clock.now()); r.Verdicts != 6 {
		t.Errorf("%d verdicts in five hours", r.Verdicts)
	}
}

// A journal that is damaged is told of once, and in status and digest.
func TestDamaged(t *testing.T) {
	c := &clock{time.Date(2026, 11, 13, 12, 0, 0, 0, time.UTC)}
	db, err := store.Open(filepath.Join(t.TempDir(), "state.db"), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	db.Optional("journal-0-0000000000000000").Put("12345678", []byte("no record"))
	path := db.Path()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = store.Open(path, store.Options{Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var told []string
	d := Open(Options{Store: db, Now: c.now, Failed: func(what string, err error) { told = append(told, what+": "+err.Error()) }})
	defer d.Close()
	if len(told) != 1 || told[0] != "read the journal of decisions: records of the journal cannot be read: 1, each of one decision or many, or of the counts of an hour" {
		t.Errorf("told of %q", told)
	}
	if n, r := d.Status().Corrupt, d.Report(time.Hour, c.now()); n != 1 || r.Broken != 1 {
		t.Errorf("status %d, digest %d", n, r.Broken)
	}
}
