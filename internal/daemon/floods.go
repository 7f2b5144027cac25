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
	"github.com/backscatter-milter/backscatter-milter/internal/decided"
	"github.com/backscatter-milter/backscatter-milter/internal/flood"
	"github.com/backscatter-milter/backscatter-milter/internal/journal"
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
	"github.com/backscatter-milter/backscatter-milter/internal/metrics"
)

// sweepEvery is how often ends of blocks and surges are looked for.
const sweepEvery = 5 * time.Second

// newFloods makes what counts floods.
func newFloods(cfg *config.Config, live *maillog.Live, m *metrics.Metrics, j *decided.Journal, now func() time.Time) *flood.Flood {
	return flood.New(flood.Options{Rules: floodRules(cfg), Now: now, Report: func(c flood.Change) {
		switch {
		case c.Kind == flood.BySender && c.Event == flood.SurgeBegan:
			m.ProvenAlarm()
			j.Count(journal.EventAlarm, "")
		case c.Event == flood.SurgeBegan:
			j.Count(journal.EventSurge, c.Kind.String())
		case c.Event == flood.BlockBegan:
			j.Count(journal.EventBlock, c.Kind.String())
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
		keys = append(keys, hotKey(&h, h.Name))
	}
	return keys
}

func hotKey(h *flood.Hot, name string) control.HotKey {
	k := control.HotKey{
		Kind: h.Kind.String(), Key: name, Subject: h.Subject, Count: h.Count, Limit: h.Limit,
		Surge: h.Surge, Blocked: h.Blocked, Refused: h.Refused,
	}
	if h.Blocked {
		k.Until = h.Until.UTC()
	}
	return k
}

// hottest is what a report names: what is blocked, has a surge or is alarmed
// about; addresses as the log shows them.
func (d *daemon) hottest() []control.HotKey {
	keys := []control.HotKey{}
	for _, h := range d.floods.Hottest(maxReported) {
		if h.Blocked || h.Surge {
			keys = append(keys, hotKey(&h, h.Kind.String()+" "+d.shown(&h)))
		}
	}
	return keys
}

const maxReported = 10

// shown is a key without its kind; addresses as the log shows them.
func (d *daemon) shown(h *flood.Hot) string {
	key := strings.TrimPrefix(h.Name, h.Kind.String()+" ")
	if strings.Contains(key, "@") {
		key = d.live.Log().Somebody(key)
	}
	return journal.Visible(key)
}

// blocks tells the page what is blocked, and how much is beyond what is shown.
func (d *daemon) blocks() (blocks []admin.Block, more int) {
	for _, n := range d.floods.Blocks() {
		more += n
	}
	for _, h := range d.floods.Hottest(maxShownBlocks) {
		if !h.Blocked {
			continue
		}
		key := d.shown(&h)
		if h.Subject != "" {
			key = strings.Fields(key)[0] + ": " + journal.Visible(h.Subject)
		}
		blocks = append(blocks, admin.Block{Kind: h.Kind.String(), Key: key, Until: h.Until, Count: uint64(h.Refused)})
	}
	return blocks, max(0, more-len(blocks))
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
