package daemon

import (
	"errors"
	"fmt"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/problem"
	"github.com/backscatter-milter/backscatter-milter/milter"
)

// reload brings configuration and keys into force, all of them or, where there
// is a mistake in any, none. What happened is logged and kept for status.
func (d *daemon) reload() (control.Reloaded, error) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	d.tellReloading()
	defer d.tellReady()
	r := control.Reload{At: d.now(), Errors: []string{}, Reloaded: control.Reloaded{Config: d.current().from, Restart: []string{}}}
	next, judge, err := d.next()
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
	for _, why := range Idle(next.cfg) {
		log.Warn(why)
	}
	return r.Reloaded, nil
}

// next reads what a reload brings into force. It tells every mistake in the
// configuration and in the keys.
func (d *daemon) next() (*settings, *milter.Settings, error) {
	before := d.current()
	loaded, err := d.load()
	if err == nil && loaded.From == Defaults && before.from != Defaults {
		err = fmt.Errorf("configuration: %s has vanished", before.from)
	}
	keyFile := before.keyFile
	if err == nil {
		keyFile = loaded.Keys
	}
	keys, keyErr := batv.LoadKeys(keyFile)
	if keyErr != nil {
		keyErr = fmt.Errorf("keys: %w", keyErr)
	}
	next := &settings{cfg: loaded.Config, from: loaded.From, keys: keys, keyFile: keyFile}
	var finderErr error
	if err == nil {
		next.finder, finderErr = d.known.Finder(loaded.Config)
	}
	if err := errors.Join(err, keyErr, finderErr); err != nil {
		return nil, nil, err
	}
	judge, err := d.prepare(next)
	return next, judge, err
}
