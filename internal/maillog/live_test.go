package maillog

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/config"
)

// A panic in the background is logged, and ends neither the daemon nor the wait
// for the work's end.
func TestSurvive(t *testing.T) {
	var out bytes.Buffer
	l := NewLive(&out, config.Default().Log)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	began := make(chan struct{}, 1)
	go func() {
		defer close(done)
		l.Survive(ctx, "some work", func(context.Context) { began <- struct{}{}; panic("a bad answer") })
	}()
	<-began
	cancel()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it goes on after the end")
	}
	if s := out.String(); !strings.Contains(s, "some work") || !strings.Contains(s, "a bad answer") {
		t.Errorf("log: %q", s)
	}
	ended := 0
	l.Survive(t.Context(), "some work", func(context.Context) { ended++ })
	if ended != 1 {
		t.Errorf("work that ended was done %d times", ended)
	}
}

// A key that is handed over holds for what a reload sets later, too.
func TestHashWith(t *testing.T) {
	settings := config.Log{Privacy: config.PrivacyHash}
	one, other := NewLive(&bytes.Buffer{}, settings), NewLive(&bytes.Buffer{}, settings)
	hash := func(l *Live) string { return l.Log().Address("alice@example.com") }
	if hash(one) == hash(other) {
		t.Fatal("two daemons make the same hashes without a common key")
	}
	one.HashWith([]byte("key"))
	other.HashWith([]byte("key"))
	other.Set(settings)
	if hash(one) != hash(other) {
		t.Errorf("%s and %s with one key", hash(one), hash(other))
	}
}
