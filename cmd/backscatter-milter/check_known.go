package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/dkim"
	"github.com/backscatter-milter/backscatter-milter/internal/shared"
	"github.com/backscatter-milter/backscatter-milter/internal/store"
)

// known tells what the running daemon has found out, and what keeps it from
// more.
func (c *checkup) known() {
	if c.status == nil {
		c.note("what has been learned, and whether tags are abroad, is told only while the daemon runs")
		return
	}
	switch s := c.status.Store; {
	case s.Path == "":
		c.problem(errors.New("store: it could not be opened; the daemon's log says why: what is learned is lost at a restart"))
	case s.Error != "":
		c.problem(fmt.Errorf("store: %s: %s", s.Path, s.Error))
	}
	c.decisions()
	for _, d := range c.status.Known {
		if !d.Ours {
			continue
		}
		switch {
		case d.Layout == "none" && c.cfg.BATV.Sign == config.SignAuto:
			c.warn("%s: the MTA refuses tagged recipients (%s), so nothing is signed: see backscatter-milter setup", d.Domain, d.Reply)
		case d.CatchAll:
			c.warn("%s: the MTA accepts any tagged recipient, also of users that do not exist: bounces to these are accepted and then lost or bounced", d.Domain)
		}
		if d.Strict {
			c.note("%s is strict", d.Domain)
		}
		for _, m := range d.Missing {
			c.note("%s is not strict: %s", d.Domain, m)
		}
	}
	c.drain()
}

// decisions tells what the journal of decisions lacks.
func (c *checkup) decisions() {
	j := c.status.Journal
	if j.Corrupt > 0 {
		c.problem(fmt.Errorf("decisions: %d records could not be read when the daemon started: %s is damaged, and what they held is missing from page and report", j.Corrupt, c.status.Store.Path))
	}
	if j.Lost > 0 {
		c.warn("decisions: %d came too fast to be kept and counted; the log has them", j.Lost)
	}
}

// store looks whether the file of records can be opened; while the daemon runs, it
// is the one who says.
func (c *checkup) store() {
	if c.status != nil || shared.Is(c.cfg.Store) {
		return
	}
	path, err := c.site.inState(c.cfg.Store)
	if err != nil {
		c.problem(err)
		return
	}
	db, err := store.Open(path, store.Options{ReadOnly: true, Now: time.Now})
	switch {
	case errors.Is(err, store.ErrMissing) && filepath.IsAbs(c.cfg.Store) && !isFolder(filepath.Dir(path)):
		c.problem(fmt.Errorf("store: %s: there is no such folder", filepath.Dir(path)))
	case errors.Is(err, store.ErrMissing):
		c.note("store: %s is not there yet, and will be made", path)
	case err != nil:
		c.problem(err)
	default:
		_ = db.Close() // nothing was written
	}
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// dkimKeys looks at the keys that files have.
func (c *checkup) dkimKeys() {
	keys := c.cfg.Origin.DKIMKeys
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if _, err := dkim.ReadKeys(map[string]string{name: keys[name]}); err != nil {
			c.problem(err)
		}
	}
}

// drain tells when a site that has stopped signing can do without the milter.
func (c *checkup) drain() {
	if c.cfg.BATV.Sign != config.SignOff {
		return
	}
	until := c.status.Abroad
	if until.After(c.now) {
		c.note("sign = false: tags are abroad, keep the milter until %s", until.UTC().Format("2006-01-02 15:04 MST"))
		return
	}
	c.note("sign = false: nothing tagged is abroad any more, the milter can be removed")
}
