package main

import (
	"crypto/rand"
	"io"
	"os"
	"sync/atomic"

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
