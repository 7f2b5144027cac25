package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/daemon"
	"github.com/backscatter-milter/backscatter-milter/internal/knowledge"
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
	"github.com/backscatter-milter/backscatter-milter/internal/problem"
)

const (
	defaultConfig = "/etc/backscatter-milter/config.toml"
	systemState   = "/var/lib/backscatter-milter"
)

// site is where this installation keeps its files.
type site struct {
	configPath string // --config
	stateDir   string // --state
}

// config loads the configuration: --config, else $BACKSCATTER_MILTER_CONFIG,
// else the system's file, else the defaults. from names what was loaded.
func (s *site) config() (cfg *config.Config, from string, err error) {
	path, named := s.configPath, true
	if path == "" {
		path = os.Getenv("BACKSCATTER_MILTER_CONFIG")
	}
	if path == "" {
		path, named = defaultConfig, false
	}
	cfg, err = config.Load(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return config.Default(), daemon.Defaults, nil
	}
	return cfg, path, err
}

// load loads the configuration and names the files that go with it.
func (s *site) load() (daemon.Loaded, error) {
	cfg, from, err := s.config()
	if err != nil {
		return daemon.Loaded{}, err
	}
	keys, err := s.keyPath(cfg)
	if err != nil {
		return daemon.Loaded{}, err
	}
	socket, err := s.controlPath(cfg)
	if err != nil {
		return daemon.Loaded{}, err
	}
	state, _ := s.state() // which only a relative name needs
	return daemon.Loaded{Config: cfg, From: from, State: state, Keys: keys, Control: socket}, nil
}

// state names the folder for keys and records.
func (s *site) state() (string, error) {
	switch {
	case s.stateDir != "":
		return s.stateDir, nil
	case os.Getenv("STATE_DIRECTORY") != "":
		return filepath.SplitList(os.Getenv("STATE_DIRECTORY"))[0], nil
	case os.Geteuid() == 0:
		return systemState, nil
	case os.Getenv("XDG_STATE_HOME") != "":
		return filepath.Join(os.Getenv("XDG_STATE_HOME"), "backscatter-milter"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", problem.WithHint(fmt.Errorf("no folder for keys: %w", err), "name one with --state")
	}
	return filepath.Join(home, ".local", "state", "backscatter-milter"), nil
}

// keyPath names the key file of the configuration.
func (s *site) keyPath(cfg *config.Config) (string, error) { return s.inState(cfg.BATV.Keys) }

// controlPath names the control socket of the configuration.
func (s *site) controlPath(cfg *config.Config) (string, error) { return s.inState(cfg.Admin.Control) }

// inState names a file; a relative name is in the state folder.
func (s *site) inState(name string) (string, error) {
	if filepath.IsAbs(name) {
		return name, nil
	}
	dir, err := s.state()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, name), nil
}

// keys loads the key file.
func (s *site) keys(path string) (*batv.Keyring, error) {
	ring, err := batv.LoadKeys(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, problem.WithHint(err, "make a key file with: backscatter-milter keys init")
	}
	return ring, err
}

// recall opens what is known of the site, to be read where no daemon runs. failed
// is told what goes wrong.
func (s *site) recall(cfg *config.Config, failed func(what string, err error)) *knowledge.Site {
	dir, _ := s.state() // which only a relative name needs
	return knowledge.Open(knowledge.Options{
		Config: cfg, State: dir, ReadOnly: true, Log: maillog.NewLive(io.Discard, cfg.Log),
		Now: time.Now, RealTime: time.Now, Failed: failed,
	})
}

// createKeys makes the key file and the folder it is in.
func (s *site) createKeys(path string, now time.Time) (*batv.Keyring, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return batv.CreateKeyFile(path, now)
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
