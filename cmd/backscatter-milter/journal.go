package main

import (
	"context"
	"crypto/rand"
	"io"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
)

// journal is the daemon's log, whose settings a reload can change.
type journal struct {
	out     io.Writer
	hashKey []byte // one for as long as the daemon runs, so that hashes stay comparable
	log     atomic.Pointer[maillog.Log]
}

func newJournal(out io.Writer, settings config.Log) *journal {
	j := &journal{out: out, hashKey: make([]byte, 32)}
	rand.Read(j.hashKey)
	j.set(settings)
	return j
}

func (j *journal) set(settings config.Log) {
	j.log.Store(maillog.New(j.out, maillog.Options{Log: settings, OmitTime: os.Getenv("JOURNAL_STREAM") != "", HashKey: j.hashKey}))
}

// Log is the log as it is set now.
func (j *journal) Log() *maillog.Log { return j.log.Load() }

// afterPanic is how long work that has failed is left alone.
const afterPanic = time.Minute

// survive does work that lasts until ctx ends. It is begun anew a while after a
// panic: what comes from DNS or the MTA must not end the daemon.
func (j *journal) survive(ctx context.Context, what string, work func(context.Context)) {
	for {
		if j.try(ctx, what, work) {
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
func (j *journal) try(ctx context.Context, what string, work func(context.Context)) (ended bool) {
	defer func() {
		if v := recover(); v != nil {
			j.Log().Panicked(what, v, debug.Stack())
		}
	}()
	work(ctx)
	return true
}
