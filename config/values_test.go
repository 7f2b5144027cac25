package config

import (
	"io/fs"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"7d":          7 * day,
		"2m":          2 * time.Minute,
		"1h30m":       90 * time.Minute,
		"90s":         90 * time.Second,
		"2w":          14 * day,
		"1w2d":        9 * day,
		"1d12h":       36 * time.Hour,
		"1w1d1h":      8*day + time.Hour,
		"1d12h30m15s": day + 12*time.Hour + 30*time.Minute + 15*time.Second,
		"500ms":       time.Second / 2,
		"1.5h":        90 * time.Minute,
		"0s":          0,
		"0d1s":        time.Second,
		"10000w":      70000 * day,
		"2562047h":    2562047 * time.Hour, // the longest in hours

		"":           -1,
		"d":          -1,
		"7":          -1,
		"-1d":        -1,
		"+1d":        -1,
		"1d-1h":      -1,
		"1d+1h":      -1,
		"1d1w":       -1,
		"1d2d":       -1,
		"12h1d":      -1,
		"1.5d":       -1,
		"7 d":        -1,
		" 7d":        -1,
		"7d\n":       -1,
		"7D":         -1,
		"1y":         -1,
		"0x10d":      -1,
		"1_0d":       -1,
		"1e3s":       -1,
		"1dinfs":     -1,
		"\u0661d":    -1,
		"10001w":     -1,
		"65535w":     -1,
		"99999w":     -1,
		"1d2562047h": -1,
		"2562048h":   -1,

		strings.Repeat("9", 100) + "d": -1,
	} {
		got, ok := parseDuration(text)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, ok, want)
		}
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"256KiB": 262144,
		"1MiB":   1 << 20,
		"2GiB":   2 << 30,
		"1000":   1000,
		"0":      0,

		"":                      -1,
		"KiB":                   -1,
		"1K":                    -1,
		"1KB":                   -1,
		"1 KiB":                 -1,
		"-1":                    -1,
		"1.5MiB":                -1,
		"1kib":                  -1,
		"1KiBKiB":               -1,
		"99999999999GiB":        -1,
		strings.Repeat("9", 40): -1,
	} {
		got, ok := parseSize(text)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %d, %v, want %d", text, got, ok, want)
		}
	}
}

// taken runs a parser over values that it must take and ones that it must
// not.
func taken[T any](t *testing.T, parse func(any) (T, error), good, bad []any) {
	t.Helper()
	for _, v := range good {
		if _, err := parse(v); err != nil {
			t.Errorf("%#v: %v", v, err)
		}
	}
	for _, v := range append(bad, nil, []any{}, map[string]any{}, time.Time{}) {
		if got, err := parse(v); err == nil {
			t.Errorf("%#v is taken as %v", v, got)
		}
	}
}

func TestBounds(t *testing.T) {
	taken(t, between(1, 10), []any{int64(1), int64(10)}, []any{int64(0), int64(11), int64(-1), 5.0, "5", true})
	taken(t, wholeDays(1, 99), []any{"1d", "99d", "24h", "2w"}, []any{"0d", "100d", "36h", "1d1s", int64(7)})
	taken(t, duration(time.Second, day), []any{"1s", "1d", "1h"}, []any{"999ms", "1d1ns", 1.0})
	taken(t, size(1, 1<<20), []any{"1", "1MiB", int64(1)}, []any{"0", "2MiB", int64(0), int64(-1), 1.0})
}

func TestWords(t *testing.T) {
	taken(t, word, []any{"a", "Größe"}, []any{"", "a b", "a\n", "a\u202e", "\xff", int64(1)})
	taken(t, text, []any{"", "a"}, []any{"a b", "a\t"})
	taken(t, fileName, []any{"keys.toml", "/etc/my keys.toml", "../x"}, []any{"", "dir/", "a\x00b", "a\nb", "\xff"})
	taken(t, fieldName, []any{"From", "X-Spam_Level"}, []any{"", "From:", "A B", "Ä", strings.Repeat("x", 77), "a\n"})
	taken(t, delimiter, []any{"+", "-", "_", ".", "#"}, []any{"", "=", "++", "a", "1", "@", "%", "!", "ä", "\"", " ", "\x00", "\\"})
	taken(t, nullLike, []any{"mailer-daemon", "MAILER-DAEMON", `"a b"`, "größe"},
		[]any{"", "*", "a@example.com", "a b", "a*", strings.Repeat("x", 65), "\xff"})
	taken(t, expression, []any{"a", "(?i)b"}, []any{"", "(", "a{1001}", strings.Repeat("(", 100)})
	taken(t, sign, []any{"auto", true, false}, []any{"true", "false", "", "on", int64(1)})
	taken(t, level, []any{"debug", "info", "warn", "error"}, []any{"", "INFO", "info+1", int64(0)})
	taken(t, token, []any{"", "0123456789abcdef"}, []any{"0123456789abcde", "0123456789 abcdef", "0123456789abcdeä", "0123456789abcdef\n"})
}

func TestNullLikeFolds(t *testing.T) {
	if got, err := nullLike("MAILER-Daemon"); got != "mailer-daemon" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestSocketMode(t *testing.T) {
	taken(t, socketMode, []any{"0660", "660", "0777", "0200"},
		[]any{"", "0", "66", "0440", "01660", "1777", "00660", "0688", "-660", "+660", "0o660", "rw", int64(0o660), 660.0})
	if got, _ := socketMode("0640"); got != fs.FileMode(0o640) {
		t.Errorf("%v", got)
	}
}

func TestExplainURL(t *testing.T) {
	taken(t, explainURL,
		[]any{"", "https://example.com", "http://example.com/a?b=c&d=%20#e", "https://example.com/{reason}/{reason}"},
		[]any{"example.com", "ftp://example.com", "https://", "https:///x", "https://{reason}", "https://example.com/{Reason}",
			"https://example.com/{", "https://example.com/a b", "https://example.com/\r\n", "https://exämple.com",
			`https://example.com/"`, "https://example.com/" + strings.Repeat("x", 200), true})
}

func TestParseLifetime(t *testing.T) {
	if d, err := ParseLifetime("2w"); d != 14*day || err != nil {
		t.Errorf("%v, %v", d, err)
	}
	for _, text := range []string{"", "100d", "36h"} {
		if _, err := ParseLifetime(text); err == nil || !strings.Contains(err.Error(), strconv.Quote(text)) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestParseDurationForOthers(t *testing.T) {
	if d, err := ParseDuration("1w2d3h"); d != 9*day+3*time.Hour || err != nil {
		t.Errorf("%v, %v", d, err)
	}
	for _, bad := range []string{"", "yesterday", "-5m", "7", "h"} {
		if d, err := ParseDuration(bad); err == nil {
			t.Errorf("%q: %v", bad, d)
		}
	}
}
