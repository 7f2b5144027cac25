package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/problem"
	"github.com/backscatter-milter/backscatter-milter/milter"
)

func newReloadCommand(s *site) *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Have the running daemon load configuration and keys anew",
		Long: "Have the running daemon load configuration and keys anew, as SIGHUP does.\n" +
			"With one mistake in them all stays as it is. A message that has begun is judged\n" +
			"to its end by the settings it began with.",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var r control.Reloaded
			if err := s.call(cmd.Context(), control.VerbReload, nil, &r); err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "reloaded %s\n", r.Config)
			for _, key := range r.Restart {
				fmt.Fprintf(out, "%s takes effect after a restart\n", key)
			}
			return nil
		},
	}
}

// call has the running daemon do what a verb says; args may be nil.
func (s *site) call(ctx context.Context, verb string, args, result any) error {
	cfg, _, err := s.config()
	if err != nil {
		cfg = config.Default() // the daemon runs on what was there before the mistake
	}
	path, err := s.controlPath(cfg)
	if err != nil {
		return err
	}
	err = control.Client{Path: path, Now: time.Now}.Call(ctx, verb, args, result)
	switch {
	case errors.Is(err, control.ErrNoDaemon):
		return problem.WithHint(err, "if it runs, give the same --config and --state as it has; start it with: backscatter-milter serve")
	case errors.Is(err, fs.ErrPermission):
		return problem.WithHint(err, "only root and the daemon's own user may ask it")
	}
	return err
}

// reload brings configuration and keys into force, all of them or, where there
// is a mistake in any, none. What happened is logged and kept for status.
func (d *daemon) reload() (control.Reloaded, error) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	d.tellReloading()
	defer d.tellReady()
	r := control.Reload{At: d.now(), Errors: []string{}, Reloaded: control.Reloaded{Config: d.current().from, Restart: []string{}}}
	next, judge, err := d.load()
	if err != nil {
		log := d.live.Log()
		for _, e := range problem.Each(err) {
			r.Errors = append(r.Errors, e.Error())
			log.Error("not reloaded, the settings from before are in force", "error", e)
		}
		d.reloaded.Store(&r)
		return control.Reloaded{}, err
	}
	d.known.Reload(next.cfg, next.keys)
	d.lists.take(next.cfg)
	d.floods.SetRules(floodRules(next.cfg))
	d.server.Reload(judge)
	d.inForce.Store(next)
	d.live.Set(next.cfg.Log)
	r.Config = next.from
	r.Restart = append(r.Restart, d.begun.NeedsRestart(next.cfg)...)
	d.reloaded.Store(&r)
	log := d.live.Log()
	log.Info("reloaded", "config", next.from, "keys", len(next.keys.Keys()))
	for _, key := range r.Restart {
		log.Warn("changed, and takes effect after a restart", "key", key)
	}
	for _, why := range idle(next.cfg) {
		log.Warn(why)
	}
	return r.Reloaded, nil
}

// load reads what a reload brings into force. It tells every mistake in the
// configuration and in the keys.
func (d *daemon) load() (*settings, *milter.Settings, error) {
	before := d.current()
	cfg, from, err := d.site.config()
	if err == nil && from == theDefaults && before.from != theDefaults {
		err = fmt.Errorf("configuration: %s has vanished", before.from)
	}
	keyFile := before.keyFile
	if err == nil {
		keyFile, err = d.site.keyPath(cfg)
	}
	keys, keyErr := batv.LoadKeys(keyFile)
	if keyErr != nil {
		keyErr = fmt.Errorf("keys: %w", keyErr)
	}
	next := &settings{cfg: cfg, from: from, keys: keys, keyFile: keyFile}
	var finderErr error
	if err == nil {
		next.finder, finderErr = d.known.Finder(cfg)
	}
	if err := errors.Join(err, keyErr, finderErr); err != nil {
		return nil, nil, err
	}
	judge, err := d.prepare(next)
	return next, judge, err
}

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
