package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/admin"
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
	"github.com/backscatter-milter/backscatter-milter/internal/metrics"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
	"github.com/backscatter-milter/backscatter-milter/milter"
)

func newServeCommand(s *site) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the milter",
		Long: "Run the milter in the foreground until SIGTERM or SIGINT. At a signal no new\n" +
			"connection is taken, and messages that are under way are finished.",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			return serve(ctx, s, cmd.ErrOrStderr())
		},
	}
}

// serve runs the daemon until ctx ends.
func serve(ctx context.Context, s *site, stderr io.Writer) error {
	cfg, from, err := s.config()
	if err != nil {
		return err
	}
	buffer := maillog.NewBuffer(stderr)
	defer buffer.Close()
	log := newLog(cfg, buffer)
	log.Info("starting", "version", version, "config", from)

	milter.LogLibrary(func(warning string) { log.Debug("milter library", "warning", warning) })
	d, err := newDaemon(s, cfg, log)
	if err != nil {
		return err
	}
	return d.run(ctx)
}

func newLog(cfg *config.Config, w io.Writer) *maillog.Log {
	key := make([]byte, 32)
	rand.Read(key)
	return maillog.New(w, maillog.Options{Log: cfg.Log, OmitTime: os.Getenv("JOURNAL_STREAM") != "", HashKey: key})
}

// daemon is a running milter with all that belongs to it.
type daemon struct {
	cfg     *config.Config
	log     *maillog.Log
	metrics *metrics.Metrics
	server  *milter.Server
	admin   *http.Server
	mail    []net.Listener
	pages   net.Listener // nil without admin.listen
}

// newDaemon opens everything that can be refused before mail is served.
func newDaemon(s *site, cfg *config.Config, log *maillog.Log) (*daemon, error) {
	keys, err := openKeys(s, cfg, log)
	if err != nil {
		return nil, err
	}
	settings, err := milter.NewSettings(policy.NewSettings(cfg, keys, &policy.Unknown{}))
	if err != nil {
		return nil, err
	}
	d := &daemon{cfg: cfg, log: log, metrics: metrics.New(version)}
	d.server = milter.NewServer(milter.Options{
		Settings:       settings,
		Observer:       observer{log, d.metrics},
		Now:            time.Now,
		MaxConnections: cfg.MaxConnections,
	})
	d.admin = admin.NewServer(admin.Source{Metrics: d.metrics.Handler(), Ready: d.ready, Token: cfg.Admin.Token})
	if d.mail, err = milter.Listen(cfg); err != nil {
		return nil, err
	}
	if d.pages, err = listenAdmin(cfg.Admin); err != nil {
		for _, l := range d.mail {
			err = errors.Join(err, l.Close())
		}
		return nil, fmt.Errorf("admin: %w", err)
	}
	return d, nil
}

// openKeys loads the key file, making it at the first start.
func openKeys(s *site, cfg *config.Config, log *maillog.Log) (*batv.Keyring, error) {
	path, err := s.keyPath(cfg)
	if err != nil {
		return nil, err
	}
	keys, err := batv.LoadKeys(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	keys, err = s.createKeys(path, time.Now())
	if errors.Is(err, fs.ErrExist) { // another daemon has just made it
		return batv.LoadKeys(path)
	}
	if err != nil {
		return nil, hintError{fmt.Errorf("cannot make a key file: %w", err), "name another folder with --state"}
	}
	log.Info("made a key file, keep it: bounces to mail signed with a lost key cannot be told from forgeries", "file", path)
	return keys, nil
}

// listenAdmin opens the admin listener, nil where there is to be none. A unix
// socket is for the daemon's own user.
func listenAdmin(a config.Admin) (net.Listener, error) {
	want, ok := a.Listener()
	switch {
	case !ok:
		return nil, nil
	case want.Network == "unix":
		return milter.ListenUnix(want.Address, 0o600, "")
	}
	return net.Listen(want.Network, want.Address)
}

func (d *daemon) ready() error {
	if d.server.Stopping() {
		return errors.New("stopping")
	}
	return nil
}

// run serves mail until ctx ends or a listener fails.
func (d *daemon) run(ctx context.Context) error {
	failed := make(chan error, 2)
	go func() { failed <- d.server.Serve(d.mail...) }()
	if d.pages != nil {
		go func() {
			if err := d.admin.Serve(d.pages); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("admin: %w", err)
			}
		}()
	}
	for _, l := range d.mail {
		d.log.Info("listening", "address", mtaAddress(l.Addr()))
	}
	d.introduce()
	var err error
	select {
	case <-ctx.Done():
		d.log.Info("stopping: messages that are under way are finished")
	case err = <-failed:
	}
	return errors.Join(err, d.stop())
}

func (d *daemon) stop() error {
	err := d.server.Stop(context.Background())
	if d.pages != nil {
		err = errors.Join(err, d.admin.Close())
	}
	d.log.Info("stopped")
	return err
}
