package daemon

import (
	"context"
	"encoding/json"

	"github.com/backscatter-milter/backscatter-milter/internal/control"
)

// verbs are what commands can ask of the daemon.
func (d *daemon) verbs() map[string]control.Handler {
	return map[string]control.Handler{
		control.VerbReload:  func(context.Context, json.RawMessage) (any, error) { return d.reload() },
		control.VerbStatus:  func(context.Context, json.RawMessage) (any, error) { return d.status(d.now()), nil },
		control.VerbUnblock: func(_ context.Context, args json.RawMessage) (any, error) { return d.unblock(args) },
		control.VerbExplain: func(_ context.Context, args json.RawMessage) (any, error) { return d.explain(args) },
		control.VerbReport:  func(_ context.Context, args json.RawMessage) (any, error) { return d.report(args) },
	}
}
