package maillog

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

func record(to ...string) policy.Record {
	return policy.Record{
		ID: "ABC-1", QueueID: "4Tab", Client: netip.MustParseAddr("192.0.2.1"), To: to,
		Verdict: policy.Verdict{Reason: policy.TagMissing, Action: config.ActionReject, Enforced: true, Stage: policy.AtEOM},
		Took:    time.Millisecond,
	}
}

func options(privacy config.Privacy, format config.LogFormat) Options {
	return Options{Log: config.Log{Privacy: privacy, Format: format}, HashKey: []byte("key")}
}

// Those who parse the log rely on the keys of a verdict and on their order.
func TestVerdictKeys(t *testing.T) {
	var out bytes.Buffer
	New(&out, options(config.PrivacyFull, config.FormatJSON)).Verdict(record("a@example.com"))
	d := json.NewDecoder(&out)
	var keys []string
	for i := 0; d.More() || i == 0; i++ {
		tok, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := tok.(string); ok && i%2 == 1 {
			keys = append(keys, s)
		}
	}
	want := []string{"time", "level", "msg", "id", "qid", "client", "from", "to", "stage", "action", "reason", "class", "origin", "evidence", "enforced", "took"}
	if d := cmp.Diff(want, keys); d != "" {
		t.Errorf("keys (-want +got):\n%s", d)
	}
}

func TestPrivacy(t *testing.T) {
	show := func(p config.Privacy, to ...string) string {
		var out bytes.Buffer
		New(&out, options(p, config.FormatText)).Verdict(record(to...))
		_, after, _ := strings.Cut(out.String(), " to=")
		value, _, _ := strings.Cut(after, " stage=")
		return value
	}
	if got := show(config.PrivacyFull, "a@example.com", "b@example.com"); got != "a@example.com,b@example.com" {
		t.Errorf("full: %s", got)
	}
	if got := show(config.PrivacyDomain, "a@example.com"); got != "example.com" {
		t.Errorf("domain: %s", got)
	}
	if got := show(config.PrivacyDomain, "alice"); got != "-" {
		t.Errorf("domain of an address without one: %s", got)
	}
	if got := New(io.Discard, options(config.PrivacyDomain, config.FormatText)).Somebody("a@example.com"); got != "…@example.com" {
		t.Errorf("somebody in a domain: %s", got)
	}
	if got := New(io.Discard, options(config.PrivacyFull, config.FormatText)).Somebody("a@example.com"); got != "a@example.com" {
		t.Errorf("somebody: %s", got)
	}
	one, same, other := show(config.PrivacyHash, "a@example.com"), show(config.PrivacyHash, "A@example.com"), show(config.PrivacyHash, "b@example.com")
	if len(one) != 16 || one != same || one == other {
		t.Errorf("hash: %s, %s, %s", one, same, other)
	}
	if got := show(config.PrivacyFull, slices.Repeat([]string{"a@example.com"}, 1000)...); len(got) > 400 || !strings.HasSuffix(got, ",…") {
		t.Errorf("a thousand recipients: %d octets", len(got))
	}
}

// An address may hold anything; a line stays one line.
func TestHostileAddress(t *testing.T) {
	for _, f := range []config.LogFormat{config.FormatText, config.FormatJSON} {
		var out bytes.Buffer
		New(&out, options(config.PrivacyFull, f)).Verdict(record("a\r\nverdict id=forged\x1b[2J\x00@example.com"))
		if n := strings.Count(out.String(), "\n"); n != 1 || strings.ContainsAny(out.String(), "\r\x1b\x00") {
			t.Errorf("%s: %q", f, out.String())
		}
	}
}

// stuckWriter takes nothing until it is let go.
type stuckWriter struct {
	bytes.Buffer
	release chan struct{}
}

func (w *stuckWriter) Write(p []byte) (int, error) {
	<-w.release
	return w.Buffer.Write(p)
}

// A reader that has stalled holds nobody up and costs a bounded memory.
func TestStalledReader(t *testing.T) {
	w := &stuckWriter{release: make(chan struct{})}
	b := NewBuffer(w)
	line := []byte(strings.Repeat("x", 999) + "\n")
	for range 5000 {
		if _, err := b.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	b.mu.Lock()
	held := cap(b.lines)
	b.mu.Unlock()
	if held > 2*bufferSize {
		t.Errorf("%d octets held", held)
	}
	begun := time.Now()
	if err := b.Close(); err == nil || time.Since(begun) > 10*time.Second {
		t.Errorf("closing while nobody reads: %v after %v", err, time.Since(begun))
	}
	close(w.release)
	<-b.done
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(w.String(), " log lines dropped: ") {
		t.Error("nobody was told that lines were dropped")
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestClosedAndBroken(t *testing.T) {
	b := NewBuffer(brokenWriter{})
	for range 3 {
		if n, err := b.Write([]byte("line\n")); n != 5 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkVerdict(b *testing.B) {
	buffer := NewBuffer(new(bytes.Buffer))
	defer buffer.Close()
	l := New(buffer, options(config.PrivacyFull, config.FormatText))
	r := record("a@example.com")
	b.ReportAllocs()
	for b.Loop() {
		l.Verdict(r)
	}
}
