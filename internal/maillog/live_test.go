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
