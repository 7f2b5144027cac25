package knowledge

import (
	"context"
	"os"
	"time"

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

// Sharing is the daemon's part in a shared store, nil without one.
type Sharing struct {
	link *shared.Link
	stop context.CancelFunc
}

// Share begins to act as one with other hosts, also in counting floods, where the
// store is a shared one. It waits a moment for what they know of keys.
func (k *Site) Share(floods *flood.Flood) *Sharing {
	cfg := k.cfg.Load()
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
			switch log := k.live.Log().With("store", u.String()); {
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
	return &Sharing{link, stop}
}

// Close tells a last time what is new here.
func (s *Sharing) Close() {
	if s != nil {
		s.stop()
		<-s.link.Done()
	}
}

// Failures counts what the shared store did not take or give.
func (s *Sharing) Failures() int64 {
	if s == nil {
		return 0
	}
	return s.link.Status().Failures
}

// Status is for status and check, nil without a shared store.
func (s *Sharing) Status() *control.Shared {
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
