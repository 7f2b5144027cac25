package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/admin"
	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/flood"
	"github.com/backscatter-milter/backscatter-milter/internal/journal"
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
	"github.com/backscatter-milter/backscatter-milter/internal/metrics"
)

// sweepEvery is how often ends of blocks and surges are looked for.
const sweepEvery = 5 * time.Second

// newFloods makes what counts floods.
func newFloods(cfg *config.Config, live *maillog.Live, m *metrics.Metrics, now func() time.Time) *flood.Flood {
	return flood.New(flood.Options{Rules: floodRules(cfg), Now: now, Report: func(c flood.Change) {
		if c.Kind == flood.BySender && c.Event == flood.SurgeBegan {
			m.ProvenAlarm()
		}
		live.Log().Flood(c)
	}})
}

func floodRules(cfg *config.Config) flood.Rules {
	f := cfg.Flood
	return flood.Rules{
		Threshold: f.Threshold, Window: f.Window,
		RecipientThreshold: f.RecipientThreshold, RecipientWindow: f.RecipientWindow,
		Block: f.Block, MaxBlock: f.MaxBlock, Surge: f.Surge, ProvenAlarm: f.ProvenAlarm,
	}
}

// sweepFloods has ends of blocks and surges told until ctx ends.
func (d *daemon) sweepFloods(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			d.floods.Sweep()
		case <-ctx.Done():
			return
		}
	}
}

// floodBlocks counts blocks by kind.
func (d *daemon) floodBlocks() map[string]int {
	blocks := map[string]int{}
	for kind, n := range d.floods.Blocks() {
		blocks[kind.String()] = n
	}
	return blocks
}

// maxHot is how many keys a status shows.
const maxHot = 20

// floodStatus tells what is blocked, and what comes close.
func (d *daemon) floodStatus() []control.HotKey {
	keys := []control.HotKey{}
	for _, h := range d.floods.Hottest(maxHot) {
		k := control.HotKey{
			Kind: h.Kind.String(), Key: h.Name, Subject: h.Subject, Count: h.Count, Limit: h.Limit,
			Surge: h.Surge, Blocked: h.Blocked, Refused: h.Refused,
		}
		if h.Blocked {
			k.Until = h.Until.UTC()
		}
		keys = append(keys, k)
	}
	return keys
}

// blocks tells the page what is blocked; addresses as the log shows them.
func (d *daemon) blocks() []admin.Block {
	blocks := []admin.Block{}
	for _, h := range d.floods.Hottest(maxShownBlocks) {
		if !h.Blocked {
			continue
		}
		key := strings.TrimPrefix(h.Name, h.Kind.String()+" ")
		switch {
		case strings.Contains(key, "@"):
			key = d.live.Log().Address(key)
		case h.Subject != "":
			key = strings.Fields(key)[0] + ": " + h.Subject
		}
		blocks = append(blocks, admin.Block{Kind: h.Kind.String(), Key: journal.Visible(key), Until: h.Until, Count: uint64(h.Refused)})
	}
	return blocks
}

const maxShownBlocks = 100

func (d *daemon) unblock(args json.RawMessage) (any, error) {
	var u control.Unblocking
	if err := json.Unmarshal(args, &u); err != nil {
		return nil, err
	}
	if !d.floods.Unblock(u.Key) {
		return nil, fmt.Errorf("%q is not blocked; status shows what is", u.Key)
	}
	d.live.Log().Info("unblocked by hand", "key", u.Key)
	return u, nil
}
