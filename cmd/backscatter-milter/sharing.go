package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/flood"
	"github.com/backscatter-milter/backscatter-milter/internal/shared"
	"github.com/backscatter-milter/backscatter-milter/internal/store"
)

const (
	localStore   = "state.db" // beside a shared store
	sharedBucket = "shared"
	meetWithin   = 5 * time.Second // that a start waits for other hosts' keys
)

// sharing is the daemon's part in a shared store, nil without one.
type sharing struct {
	link *shared.Link
	stop context.CancelFunc
}

// share begins to act as one with other hosts, where the store is a shared one.
// It waits a moment for what they know of keys.
func share(cfg *config.Config, k *knowledge, floods *flood.Flood, j *journal) *sharing {
	if !shared.Is(cfg.Store) {
		return nil
	}
	u, err := shared.ParseURL(cfg.Store)
	if err != nil { // which the configuration does not let happen
		k.failed("shared store", err)
		return nil
	}
	shared.Quiet()
	id, setID := hostID(k.store)
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	link := shared.New(shared.Options{
		URL: u, Host: name, Ledger: k.ledger, Grace: k.grace, Flood: floods, Now: k.now, ID: id, SetID: setID,
		Lifetime: func() time.Duration { return k.cfg.Load().Origin.Ledger },
		Report: func(e shared.Event) {
			switch log := j.Log().With("store", u.String()); {
			case e.Err != nil:
				log.Error(e.Text, "error", e.Err)
			case e.Warning:
				log.Warn(e.Text)
			default:
				log.Info(e.Text)
			}
		},
	})
	ctx, stop := context.WithCancel(context.Background())
	go link.Run(ctx)
	wait, cancel := context.WithTimeout(ctx, meetWithin)
	defer cancel()
	link.Met(wait)
	return &sharing{link, stop}
}

// close tells a last time what is new here.
func (s *sharing) close() {
	if s != nil {
		s.stop()
		<-s.link.Done()
	}
}

func (s *sharing) failures() int64 {
	if s == nil {
		return 0
	}
	return s.link.Status().Failures
}

// status is for status and check, nil without a shared store.
func (s *sharing) status() *control.Shared {
	if s == nil {
		return nil
	}
	is := s.link.Status()
	c := &control.Shared{
		URL: is.URL, State: is.State, Since: is.Since.UTC(), Failures: is.Failures,
		Told: is.Told, Heard: is.Heard, Lost: is.Lost, Damaged: is.Damaged, Hosts: []control.SharedHost{},
	}
	if is.Error != nil {
		c.Error = is.Error.Error()
	}
	for _, h := range is.Hosts {
		c.Hosts = append(c.Hosts, control.SharedHost{ID: h.ID, Name: h.Name, Heard: h.Heard.UTC(), Skew: h.Skew.Round(time.Second).String()})
	}
	return c
}

// hostID is what this host is called among others, kept in its own store.
func hostID(db *store.Store) (id string, set func(string)) {
	if db == nil {
		return "", nil
	}
	bucket := db.Bucket(sharedBucket)
	_ = bucket.Each(func(key string, value []byte) error { // what cannot be read is made anew
		if key == "id" && len(value) == 16 {
			id = string(value)
		}
		return nil
	})
	return id, func(id string) { bucket.Put("id", []byte(id)) }
}

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
