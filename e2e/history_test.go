//go:build linux

package e2e

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/mta"
	"github.com/backscatter-milter/backscatter-milter/internal/grace"
	"github.com/backscatter-milter/backscatter-milter/internal/ledger"
	"github.com/backscatter-milter/backscatter-milter/internal/store"
)

const day = 24 * time.Hour

// history is what a daemon has lived through: for so long, up to now, mail of
// mta.Domain was recorded without a gap, and maybe signed. alone: by its SPF
// record nobody else sends for the domain.
type history struct {
	span          time.Duration
	signed, alone bool
}

// write makes the store of such a daemon in a state folder.
func (h history) write(t *testing.T, state string) {
	db, err := store.Open(filepath.Join(state, "state.db"), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	h.writeGrace(t, db, state, now)
	h.writeLedger(t, db, now)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func (h history) writeGrace(t *testing.T, db *store.Store, state string, now time.Time) {
	begun := now.Add(-h.span)
	keys, err := batv.CreateKeyFile(filepath.Join(state, "keys.toml"), begun)
	if err != nil {
		t.Fatal(err)
	}
	key := grace.KeyID(keys.Keys()[0].ID())
	g, err := grace.New(db.Bucket("grace"), grace.Rules{Lifetime: 10 * day}, begun)
	if err != nil {
		t.Fatal(err)
	}
	for at := begun; at.Before(now); at = at.Add(10 * time.Minute) {
		g.Heartbeat(at)
		g.Recorded(mta.Domain, at)
		if h.signed {
			g.Signed(mta.Domain, key, at)
		}
	}
	if h.alone {
		g.SetSPF(mta.Domain, "", now)
	}
	g.Heartbeat(now)
}

// writeLedger has the ledger live through it, with one message at the beginning.
func (h history) writeLedger(t *testing.T, db *store.Store, now time.Time) {
	var at atomic.Int64 // the ledger looks at the clock in the background, too
	clock := func() time.Time { return time.Unix(0, at.Load()) }
	at.Store(now.Add(-h.span).UnixNano())
	l, err := ledger.Open(ledger.Options{
		Store: ledger.File(db, clock), Now: clock,
		Lifetime: 21 * day, Report: func(err error) { t.Error(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	l.Record(ledger.Entry{Sender: alice, MessageID: "first@example.com", Recipients: []string{"first@away.example.org"}})
	for clock().Before(now) {
		l.Heartbeat()
		at.Add(int64(2 * time.Minute))
	}
	at.Store(now.UnixNano())
	l.Close()
}
