package ledger

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestQueries(t *testing.T) {
	f := start(t)
	f.sent(
		Entry{"Alice@Example.com", "alice@example.org", " <One@host.example.com>", "4bQ1xZ", []string{"Bob@Example.NET", "postmaster", ""}},
		Entry{"carol@example.com", "carol@example.com", "", "Q2", []string{"bob@example.net"}},
		Entry{"", "dave@example.com", "<two@host>", "", nil},
		Entry{"jörg@bücher.example", "", "<idn@host>", "Q3", []string{"x@bücher.example"}},
	)
	tests := []struct {
		name string
		got  bool
		want bool
	}{
		{"sender and id", f.Sent("alice@example.com", "<One@host.example.com>"), true},
		{"From and id, without brackets", f.Sent("ALICE@example.ORG", "One@host.example.com"), true},
		{"id in another case", f.Sent("alice@example.com", "one@host.example.com"), false},
		{"id of another sender", f.Sent("carol@example.com", "One@host.example.com"), false},
		{"no sender, From", f.Sent("dave@example.com", "two@host"), true},
		{"nobody", f.Sent("", "two@host"), false},
		{"no id", f.Sent("carol@example.com", ""), false},
		{"queue id", f.Queued("alice@example.com", "4bQ1xZ"), true},
		{"queue id, From", f.Queued("alice@example.org", "4bQ1xZ"), true},
		{"queue id in another case", f.Queued("alice@example.com", "4bq1xz"), false},
		{"queue id is no Message-ID", f.Sent("alice@example.com", "4bQ1xZ"), false},
		{"Message-ID is no queue id", f.Queued("alice@example.com", "One@host.example.com"), false},
		{"wrote", f.Wrote("alice@example.com", "bob@example.net"), true},
		{"wrote, From", f.Wrote("alice@example.org", "bob@example.NET."), true},
		{"wrote to a local name", f.Wrote("alice@example.com", "POSTMASTER"), true},
		{"wrote back", f.Wrote("bob@example.net", "alice@example.com"), false},
		{"a domain is no address", f.Wrote("alice@example.com", "example.net"), false},
		{"wrote to nobody", f.Wrote("alice@example.com", ""), false},
		{"domain", f.WroteDomain("alice@example.com", "EXAMPLE.net"), true},
		{"another domain", f.WroteDomain("alice@example.com", "example.org"), false},
		{"no domain", f.WroteDomain("alice@example.com", ""), false},
		{"an address is no domain", f.WroteDomain("alice@example.com", "bob@example.net"), false},
		{"without an id", f.WithoutID("carol@example.com", "bob@example.net"), true},
		{"with an id", f.WithoutID("alice@example.com", "bob@example.net"), false},
		{"A-label", f.Sent("jörg@xn--bcher-kva.example", "idn@host"), true},
		{"A-label of a recipient", f.Wrote("jörg@bücher.example", "X@xn--bcher-kva.example"), true},
		{"A-label of a domain", f.WroteDomain("jörg@xn--bcher-kva.example", "BÜCHER.example"), true},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: %v", tt.name, tt.got)
		}
	}
	s := f.Stats()
	want := Stats{Entries: 20, MessageIDs: 4, QueueIDs: 4, Addresses: 6, Domains: 4, WithoutID: 1}
	want.Entries = want.MessageIDs + want.QueueIDs + want.Addresses + want.Domains + want.WithoutID
	if s.Entries != want.Entries || s.MessageIDs != want.MessageIDs || s.QueueIDs != want.QueueIDs ||
		s.Addresses != want.Addresses || s.Domains != want.Domains || s.WithoutID != want.WithoutID {
		t.Errorf("%+v, want %+v", s, want)
	}
	if len(s.Days) != 1 || !s.Days[0].Day.Equal(date("2026-11-01 00:00")) || s.Days[0].Entries != s.Entries || s.Octets != firstSlots*10<<shardBits {
		t.Errorf("%+v", s)
	}
}

// TestManyRecipients: beyond the limit nothing is claimed to be missing, and
// nothing is proven.
func TestManyRecipients(t *testing.T) {
	f := start(t)
	recipients := make([]string, 100_000)
	for i := range recipients {
		recipients[i] = fmt.Sprintf("r%d@d%d.example.net", i, i)
	}
	f.sent(
		Entry{Sender: "alice@example.com", MessageID: "<1>", Recipients: recipients},
		Entry{Sender: "bob@example.com", Recipients: recipients},
		Entry{Sender: "carol@example.com", MessageID: "<2>", Recipients: recipients[:MaxRecipients]},
	)
	last := recipients[len(recipients)-1]
	tests := []struct {
		name string
		got  bool
		want bool
	}{
		{"the last that is recorded", f.Wrote("alice@example.com", recipients[MaxRecipients-1]), true},
		{"the first that is not", f.Wrote("alice@example.com", recipients[MaxRecipients]), false},
		{"a domain beyond", f.WroteDomain("alice@example.com", domainOf(last)), true},
		{"a domain beyond, not of this sender", f.WroteDomain("carol@example.com", domainOf(last)), false},
		{"without an id", f.WithoutID("alice@example.com", last), false},
		{"without an id, beyond", f.WithoutID("bob@example.com", last), true},
		{"recorded", f.Wrote("carol@example.com", recipients[MaxRecipients-1]), true},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: %v", tt.name, tt.got)
		}
	}
	if n := f.Stats().Entries; n > 3*(3*MaxRecipients+3) {
		t.Errorf("%d entries", n)
	}
}

func TestHostileSizes(t *testing.T) {
	f := start(t)
	mega := strings.Repeat("\xff<", 1<<19)
	began := time.Now()
	f.sent(
		Entry{Sender: mega + "@example.com", From: "a@" + mega, MessageID: mega, QueueID: mega, Recipients: []string{mega, "@" + mega}},
		Entry{Sender: "alice@example.com", MessageID: mega},
	)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	if !f.Sent("alice@example.com", mega) || f.Sent("alice@example.com", mega+"x") || f.Sent("alice@example.com", mega[:maxText]) {
		t.Error("a long id is not told from others")
	}
}

func TestManyDomains(t *testing.T) {
	f := start(t)
	for i := range MaxDomains + 5 {
		f.Record(Entry{Sender: fmt.Sprintf("a@d%d.example.com", i), MessageID: "<1>"})
	}
	f.Heartbeat()
	f.live(time.Hour)
	at := f.clockTime().Add(-10 * time.Minute)
	if !f.Covers("D1.example.com", at) || f.Covers(fmt.Sprintf("d%d.example.com", MaxDomains), at) || f.Stats().NotCovered != 5 {
		t.Errorf("%+v", f.Stats())
	}
	f.stop()
	f.open()
	if !f.Covers("d1.example.com", at) || len(f.first) != MaxDomains {
		t.Errorf("%d domains after a restart", len(f.first))
	}
}

func TestAllocations(t *testing.T) {
	f := start(t)
	e := Entry{"Alice@example.com", "alice@example.org", "<1@host>", "Q1", []string{"bob@example.net", "carol@example.org"}}
	f.sent(e)
	now := f.clockTime()
	for name, fn := range map[string]func(){
		"Record":      func() { f.Record(e) },
		"Sent":        func() { f.Sent("alice@example.com", "<1@host>") },
		"Queued":      func() { f.Queued("alice@example.com", "Q1") },
		"Wrote":       func() { f.Wrote("alice@example.com", "nobody@example.net") },
		"WroteDomain": func() { f.WroteDomain("alice@example.com", "example.net") },
		"WithoutID":   func() { f.WithoutID("alice@example.com", "nobody@example.net") },
		"Covers":      func() { f.Covers("Example.com", now) },
	} {
		if n := testing.AllocsPerRun(1000, fn); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestOverflow: nobody waits for a queue that is full; the time is a gap.
func TestOverflow(t *testing.T) {
	f := start(t)
	f.sent(message("first"))
	f.live(time.Hour)
	f.work.mu.Lock() // the one that takes is held up
	for i := range maxPending {
		f.Record(message(fmt.Sprint(i)))
	}
	f.covers(false, f.clockTime().Add(-30*time.Minute)) // not noted yet
	f.work.mu.Unlock()
	f.live(time.Hour)
	s := f.Stats()
	if s.Overflows == 0 || s.Overflows%4 != 0 || s.Queued != 0 || f.reported(ErrQueue) != 1 {
		t.Errorf("%+v, reported %v", s, f.reports)
	}
	f.covers(false, date("2026-11-01 13:00"))
	f.covers(true, date("2026-11-01 13:10"))
	f.covers(true, date("2026-11-01 12:30"))
	if !f.Sent("alice@example.com", "0") || f.Sent("alice@example.com", fmt.Sprint(maxPending-1)) {
		t.Error("not the first ones were kept")
	}
	f.stop()
	f.open()
	f.live(10 * time.Minute)
	f.covers(false, date("2026-11-01 13:00"))
	f.Close()
	before := f.Stats().Overflows
	f.Record(message("late"))
	if f.Stats().Overflows != before+4 {
		t.Error("recorded after Close, and not counted")
	}
}

// TestCeiling: the oldest days go first, and are not covered.
func TestCeiling(t *testing.T) {
	f := newFixture(t)
	f.options.MaxEntries = 300
	f.open()
	for d := range 5 {
		for i := range 50 { // two fingerprints each, and two of the pair on its latest day
			f.Record(message(fmt.Sprintf("%d-%d", d, i)))
		}
		f.Heartbeat()
		f.live(day)
	}
	check := func() {
		t.Helper()
		for d, want := range []bool{false, false, false, true, true} {
			if f.Sent("alice@example.com", fmt.Sprintf("%d-49", d)) != want {
				t.Errorf("day %d: %v", d, !want)
			}
		}
		f.covers(false, date("2026-11-03 12:00"))
		f.covers(true, date("2026-11-04 12:00"))
	}
	check()
	if s := f.Stats(); s.Entries != 202 || s.Dropped != 3 || s.Refused != 0 || len(s.Days) != 2 || f.reported(ErrCeiling) != 1 {
		t.Errorf("%+v", s)
	}
	f.stop()
	if len(f.store.groups) != 2 {
		t.Errorf("%d days on disk", len(f.store.groups))
	}
	f.open()
	check()

	f.live(time.Hour)
	for i := range 200 { // more than a ledger holds, in one day
		f.Record(message(fmt.Sprintf("flood-%d", i)))
	}
	f.live(time.Hour)
	if s := f.Stats(); s.Entries != 300 || s.Refused == 0 || len(s.Days) != 1 {
		t.Errorf("%+v", s)
	}
	f.covers(false, date("2026-11-06 13:00"))
	f.live(day)
	f.sent(message("next day"))
	if s := f.Stats(); !f.Sent("alice@example.com", "next day") || s.Entries != 4 {
		t.Errorf("%+v", s)
	}
	f.stop()
	f.options.MaxEntries = 3
	f.open()
	if s := f.Stats(); s.Entries != 3 {
		t.Errorf("%+v", s)
	}
	f.covers(false, f.clockTime().Add(-time.Hour))
}

func TestConcurrency(t *testing.T) {
	f := start(t)
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			for i := range 2000 {
				id := fmt.Sprintf("%d-%d", g, i)
				f.Record(Entry{Sender: "alice@example.com", MessageID: id, Recipients: []string{id + "@example.net"}})
				f.Sent("alice@example.com", id)
				f.WroteDomain("alice@example.com", "example.net")
				f.Covers("example.com", f.clockTime())
				if i%500 == 0 {
					f.Heartbeat()
					f.SetLifetime(lifetime)
					f.Stats()
					f.jump(12 * time.Hour)
				}
			}
		})
	}
	group.Wait()
	f.Heartbeat()
	for g := range 4 {
		if !f.Sent("alice@example.com", fmt.Sprintf("%d-1999", g)) {
			t.Errorf("the last of %d is missing", g)
		}
	}
	var closers sync.WaitGroup
	for range 3 {
		closers.Go(f.Close)
	}
	closers.Wait()
}

// TestByItself: the background work needs no push, and groups what comes.
func TestByItself(t *testing.T) {
	f := start(t)
	f.store.commit()
	for i := range 100 {
		f.Record(message(fmt.Sprint(i)))
	}
	for began := time.Now(); !f.Sent("alice@example.com", "99"); time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Second {
			t.Fatal("not seen within a second")
		}
	}
	time.Sleep(3 * groupDelay)
	f.store.commit()
	groups := f.store.groups[dayOf(f.clockTime())]
	n := 0
	for _, g := range groups {
		n += (len(g) - sumOctets) / entryOctets
	}
	if n != 202 || len(groups) > 3 {
		t.Errorf("%d fingerprints in %d groups", n, len(groups))
	}
}
