package maillog

import (
	"context"
	"crypto/rand"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/backscatter-milter/backscatter-milter/config"
)

// Live is the daemon's log, whose settings a reload can change.
type Live struct {
	out io.Writer
	log atomic.Pointer[Log]

	mu       sync.Mutex
	settings config.Log
	hashKey  []byte // one for as long as the daemon runs, or its store lasts, so that hashes stay comparable
}

// NewLive writes to out. Times are left out where journald stamps the lines
// itself, which JOURNAL_STREAM tells (systemd.exec(5)). Hashes are made with a
// random key, until HashWith gives another.
func NewLive(out io.Writer, settings config.Log) *Live {
	l := &Live{out: out, hashKey: make([]byte, 32)}
	_, _ = rand.Read(l.hashKey) // which does not fail
	l.Set(settings)
	return l
}

// Set brings settings into force for lines to come.
func (l *Live) Set(settings config.Log) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settings = settings
	l.log.Store(New(l.out, Options{Log: settings, OmitTime: os.Getenv("JOURNAL_STREAM") != "", HashKey: l.hashKey}))
}

// HashWith has hashes of addresses made with a key that outlives the daemon.
func (l *Live) HashWith(key []byte) {
	l.mu.Lock()
	l.hashKey = key
	settings := l.settings
	l.mu.Unlock()
	l.Set(settings)
}

// Log is the log as it is set now.
func (l *Live) Log() *Log { return l.log.Load() }

// afterPanic is how long work that has failed is left alone.
const afterPanic = time.Minute

// Survive does work that lasts until ctx ends. A panic is logged, and the work
// begun anew a minute later: what comes from DNS or the MTA must not end the
// daemon.
func (l *Live) Survive(ctx context.Context, what string, work func(context.Context)) {
	for {
		if l.try(ctx, what, work) {
			return
		}
		select {
		case <-time.After(afterPanic):
		case <-ctx.Done():
			return
		}
	}
}

// try reports whether work came to its end.
func (l *Live) try(ctx context.Context, what string, work func(context.Context)) (ended bool) {
	defer func() {
		if v := recover(); v != nil {
			l.Log().Panicked(what, v, debug.Stack())
		}
	}()
	work(ctx)
	return true
}
