package main

import (
	"errors"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/shared"
)

// sharedStore looks at the store that several hosts share.
func (c *checkup) sharedStore() {
	if !shared.Is(c.cfg.Store) {
		return
	}
	u, err := shared.ParseURL(c.cfg.Store)
	if err != nil {
		c.problem(err)
		return
	}
	shared.Quiet()
	for _, f := range shared.Inspect(c.ctx, u) {
		switch f.Level {
		case shared.Problem:
			c.problem(errors.New("store " + u.String() + ": " + f.Text))
		case shared.Warning:
			c.warn("store %s: %s", u, f.Text)
		default:
			c.note("store %s: %s", u, f.Text)
		}
	}
	if c.status == nil || c.status.Shared == nil {
		return
	}
	s := c.status.Shared
	if s.State != "shared" {
		c.problem(errors.New("store " + s.URL + ": the daemon goes on without it: " + s.Error))
	}
	for _, h := range s.Hosts {
		if away := c.now.Sub(h.Heard); away > time.Minute {
			c.warn("store %s: nothing heard of the host %q for %s", s.URL, h.Name, away.Round(time.Minute))
		}
	}
}
