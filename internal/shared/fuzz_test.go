package shared

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/redis/go-redis/v9"

	"github.com/backscatter-milter/backscatter-milter/internal/flood"
	"github.com/backscatter-milter/backscatter-milter/internal/grace"
	"github.com/backscatter-milter/backscatter-milter/internal/ledger"
)

// alone is a Link that speaks to nobody: for what it does with what it has read.
func alone(t *testing.T) *Link {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }
	kept, err := ledger.Open(ledger.Options{Now: now, Lifetime: lifetime})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kept.Close)
	domains, err := grace.New(nil, grace.Rules{Lifetime: 10 * day}, now())
	if err != nil {
		t.Fatal(err)
	}
	l := New(Options{
		URL: URL{Hosts: []string{"127.0.0.1:1"}}, Ledger: kept, Grace: domains, Now: now,
		Flood:    flood.New(flood.Options{Now: now, Rules: flood.Rules{Threshold: 5, Window: time.Minute, Block: time.Minute, MaxBlock: time.Hour}}),
		Lifetime: func() time.Duration { return lifetime },
	})
	t.Cleanup(func() { _ = l.client.Close() })
	return l
}

// FuzzNews: no entry of the news, whoever has written it, makes a host fail or
// keeps it from reading on.
func FuzzNews(f *testing.F) {
	beatOf := func(b beat) string {
		text, _ := json.Marshal(b)
		return string(text)
	}
	group := string(ledger.EncodeGroup([]uint64{1 << 61, 5<<61 | 7}))
	const id = "1763812800000-3"
	f.Add(id, "0123456789abcdef", beatField, beatOf(beat{Until: 1763812800000, Edge: 7, Join: 1}), "", "")
	f.Add(id, "0123456789abcdef", beatField, `{"u":9223372036854775807,"e":18446744073709551615,"j":-1}`, "", "")
	f.Add(id, "0123456789abcdef", groupField, group, dayField, "20779")
	f.Add(id, "0123456789abcdef", groupField, group, dayField, "-9223372036854775808")
	f.Add(id, "0123456789abcdef", groupField, group[1:], dayField, "20779")
	f.Add(id, "0123456789abcdef", dayField, "20778", "", "")
	f.Add(id, "0123456789abcdef", dayField, "99999999999999999999", "", "")
	f.Add(id, "0123456789abcdef", nameField, "beat", recordField, `{"Begun":"2026-11-01T00:00:00Z"}`)
	f.Add(id, "0123456789abcdef", nameField, "domain/example.com", "", "")
	f.Add("0-0", "", "", "", "", "")
	f.Add("18446744073709551615-18446744073709551615", strings.Repeat("x", 17), groupField, "", dayField, "")
	f.Fuzz(func(t *testing.T, id, host, field, value, other, more string) {
		l := alone(t)
		m := redis.XMessage{ID: id, Values: map[string]any{hostField: host, field: value, other: more}}
		l.advance(&l.live, id)
		_ = l.outlive(m, func() error { return l.hear(t.Context(), m) }) // there is no store to ask
		l.conclude()
		sound(t, l)
	})
}

// FuzzFloods: the same of counts and blocks.
func FuzzFloods(f *testing.F) {
	blocks := func(b ...flood.Blocking) string {
		text, _ := json.Marshal(b)
		return string(text)
	}
	f.Add("5-0", string(encodeCounts([]flood.Counted{{Kind: flood.ByClient, Sum: 7, Events: 1000}})), "")
	f.Add("5-0", string(encodeCounts([]flood.Counted{{Kind: 255, Sum: 7, Events: -1 << 31}, {Kind: flood.BySender, Sum: 1, Events: 1<<31 - 1}})), "[]")
	f.Add("5-0", "12345", "null")
	f.Add("5-0", "", blocks(flood.Blocking{Kind: flood.ByClient, Sum: 7, Name: "client 192.0.2.0/24", Count: -1, Blocks: -5, Left: 1 << 62}))
	f.Add("5-0", "", blocks(flood.Blocking{Name: "recipient alice@example.com"}, flood.Blocking{Kind: 9, Left: -1}))
	f.Add("x", "", `[{"kind":1,"sum":18446744073709551615,"name":"\u0000\ud800","blocks":9223372036854775807,"left":1}]`)
	f.Fuzz(func(t *testing.T, id, counts, blocks string) {
		l := alone(t)
		m := redis.XMessage{ID: id, Values: map[string]any{hostField: "x", countsField: counts, blocksField: blocks}}
		for range 2 { // with the store's clock unknown, and known
			if err := l.outlive(m, func() error { l.hearFlood(m); return nil }); err != nil {
				t.Error(err)
			}
			l.self = true
		}
		sound(t, l)
		for _, h := range l.options.Flood.Hottest(0) {
			if h.Left < 0 || h.Left > time.Hour || strings.ContainsFunc(h.Name, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%+v", h)
			}
		}
		if told, ok := decodeCounts(counts); ok && string(encodeCounts(told)) != counts {
			t.Error("counts are written otherwise than they were read")
		}
	})
}

// sound wants nothing to have failed.
func sound(t *testing.T, l *Link) {
	t.Helper()
	for what := range l.damage {
		if strings.Contains(what, "fails") {
			t.Error(what)
		}
	}
}

// FuzzHost: what hosts say of themselves, and what all agree on.
func FuzzHost(f *testing.F) {
	f.Add(`{"name":"a.example.com","until":1763812800000,"begun":"2026-11-01T00:00:00Z","gaps":[{"From":"2026-11-01T00:00:00Z","To":"2026-11-01T00:00:00Z","Why":"x"}],"first":{"example.com":"2026-11-01T00:00:00Z"}}`)
	f.Add(`{"name":"\u0007\u202e","until":-1,"gaps":null}`)
	f.Add(`{"version":1,"ledger":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","flood":"AAAAAAAAAAAAAAAAAAAAAA=="}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, text string) {
		r, ok := decodeHost(text)
		if !ok && (r.Name != "" || r.First != nil) {
			t.Errorf("%+v of what could not be read", r)
		}
		if strings.ContainsFunc(r.Name, func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Errorf("%q", r.Name)
		}
		if s, ok := decodeSite(text); ok {
			again, err := encodeSite(s.Ledger, s.Flood)
			if _, ok := decodeSite(string(again)); err != nil || !ok {
				t.Errorf("%s is written as %s, %v", text, again, err)
			}
		}
		if p, ok := parsePosition(text); ok && p.before(p.back(time.Hour)) {
			t.Errorf("%s is before an hour ago", text)
		}
	})
}

// FuzzURL: a setting, right or wrong, does not show its password.
func FuzzURL(f *testing.F) {
	const password = "hunter2hunter2"
	f.Add("redis://us%65r:", "@host:6379/0")
	f.Add("rediss://:", "@ss@[2001:db8::1]/15")
	f.Add("redis://", "@a,b:7000,/x")
	f.Add("redis:", "//@/")
	f.Fuzz(func(t *testing.T, before, after string) {
		u, err := ParseURL(before + password + after)
		if err != nil && strings.Contains(err.Error(), password) {
			t.Error(err)
		}
		if err == nil && len(u.Hosts) == 0 {
			t.Error("no host")
		}
		if err == nil && strings.Contains(u.password, password) && strings.Contains(u.String(), password) {
			t.Errorf("%s shows the password", u)
		}
	})
}
