package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/control"
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
	for _, warning := range hostWarnings(s.Hosts, c.now) {
		c.warn("store %s: %s", s.URL, warning)
	}
}

// clockSkew between hosts is warned of from this on.
const clockSkew = 2 * time.Minute

// hostWarnings are about hosts that are not heard of, or have another time.
func hostWarnings(hosts []control.SharedHost, now time.Time) (warnings []string) {
	for _, h := range hosts {
		if away := now.Sub(h.Heard); away > time.Minute {
			warnings = append(warnings, fmt.Sprintf("nothing heard of the host %q for %s", h.Name, away.Round(time.Minute)))
		}
		if skew, err := time.ParseDuration(h.Skew); err == nil && skew.Abs() > clockSkew {
			warnings = append(warnings, fmt.Sprintf("the clock of the host %q differs from this one's by %s", h.Name, h.Skew))
		}
	}
	return warnings
}
