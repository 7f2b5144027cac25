package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/admin"
	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/decided"
	"github.com/backscatter-milter/backscatter-milter/internal/flood"
	"github.com/backscatter-milter/backscatter-milter/internal/knowledge"
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
	"github.com/backscatter-milter/backscatter-milter/internal/metrics"
	"github.com/backscatter-milter/backscatter-milter/internal/origin"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
	"github.com/backscatter-milter/backscatter-milter/internal/problem"
	"github.com/backscatter-milter/backscatter-milter/milter"
)

func newServeCommand(s *site) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the milter",
		Long: "Run the milter in the foreground until SIGTERM or SIGINT. At such a signal no new\n" +
			"connection is taken, and messages that are under way are finished. SIGHUP loads\n" +
			"configuration and keys anew, as the command reload does.",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			hangup := make(chan os.Signal, 1)
			signal.Notify(hangup, syscall.SIGHUP)
			defer signal.Stop(hangup)
			return serve(ctx, s, hangup, cmd.ErrOrStderr())
		},
	}
}

// serve runs the daemon until ctx ends; at each hangup it loads its settings
// anew.
func serve(ctx context.Context, s *site, hangup <-chan os.Signal, stderr io.Writer) error {
	cfg, from, err := s.config()
	if err != nil {
		return err
	}
	buffer := maillog.NewBuffer(stderr)
	defer buffer.Close()
	live := maillog.NewLive(buffer, cfg.Log)
	live.Log().Info("starting", "version", version, "config", from)

	milter.LogLibrary(func(warning string) { live.Log().Debug("milter library", "warning", warning) })
	d, err := newDaemon(s, cfg, from, live, time.Now)
	if err != nil {
		return err
	}
	return d.run(ctx, hangup)
}

// daemon is a running milter with all that belongs to it.
type daemon struct {
	site    *site
	now     func() time.Time
	started time.Time
	begun   *config.Config // with which it was started
	live    *maillog.Live
	metrics *metrics.Metrics
	known   *knowledge.Site  // of the site; outlives reloads
	lists   *lists           // DNS lists
	decided *decided.Journal // the journal of decisions
	floods  *flood.Flood
	sharing *knowledge.Sharing // with other hosts
	server  *milter.Server
	admin   *http.Server
	control *control.Server
	mail    []net.Listener
	pages   net.Listener // nil without admin.listen
	socket  net.Listener // of control

	reloading sync.Mutex // held by the one reload that is under way
	inForce   atomic.Pointer[settings]
	reloaded  atomic.Pointer[control.Reload] // the last one; nil before the first
}

// settings are what a reload replaces.
type settings struct {
	cfg     *config.Config
	from    string // the file, or theDefaults
	keys    *batv.Keyring
	keyFile string
	finder  *origin.Finder
	policy  *policy.Settings
}

func (d *daemon) current() *settings { return d.inForce.Load() }

// newDaemon opens everything that can be refused before mail is served. Mail is
// judged and remembered by the time that now gives.
func newDaemon(s *site, cfg *config.Config, from string, live *maillog.Live, now func() time.Time) (*daemon, error) {
	first := &settings{cfg: cfg, from: from}
	d := &daemon{site: s, now: now, started: now(), begun: cfg, live: live, metrics: metrics.New(version)}
	tell := observer{live: live, metrics: d.metrics}
	dir, _ := s.state() // which only a relative name needs
	d.known = knowledge.Open(knowledge.Options{Config: cfg, State: dir, Log: live, Now: now, RealTime: time.Now, Failed: tell.Failed})
	d.decided = decided.Open(decided.Options{Store: d.known.Store(), Now: now, Failed: tell.Failed})
	tell.known, tell.decided = d.known, d.decided
	tell.out = &outscatter{live: live, metrics: d.metrics, known: d.known, now: now, decided: d.decided}
	d.metrics.Watch(metrics.Known{
		Strict:        func() map[string]bool { return d.known.Strictness(now()) },
		StoreFailures: func() int64 { return d.known.StoreFailures() + d.sharing.Failures() },
		OwnListings:   func() map[string]int { return d.lists.ownListings() },
		Journal:       d.decided.Figures,
		FloodBlocks:   d.floodBlocks,
	})
	d.floods = newFloods(cfg, live, d.metrics, now)
	d.sharing = d.known.Share(d.floods)
	var err error
	if first.keys, first.keyFile, err = openKeys(s, cfg, d.known, now(), live.Log()); err != nil {
		return nil, errors.Join(err, d.forget())
	}
	d.known.Take(first.keys)
	if first.finder, err = d.known.Finder(cfg); err != nil {
		return nil, errors.Join(err, d.forget())
	}
	d.lists = newLists(cfg, live, d.metrics, now)
	judge, err := d.prepare(first)
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	d.inForce.Store(first)
	d.server = milter.NewServer(milter.Options{
		Settings:       judge,
		Observer:       tell,
		Now:            now,
		MaxConnections: cfg.MaxConnections,
	})
	d.admin = admin.NewServer(admin.Source{
		Metrics: d.metrics.Handler(), Ready: d.ready, Token: cfg.Admin.Token, Now: now,
		Status: func() *control.Status { return d.status(now()) }, Decisions: d.decided.Journal, Blocks: d.blocks,
		Denied: func() { tell.Rejected("admin-token") },
	})
	d.control = control.NewServer(control.Options{Verbs: d.verbs(), Now: time.Now, Failed: tell.Failed})
	if err := d.listen(s, cfg); err != nil {
		for _, l := range append(d.mail, d.pages, d.socket) {
			if l != nil {
				err = errors.Join(err, l.Close())
			}
		}
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// prepare makes what mail is judged by under the given settings.
func (d *daemon) prepare(s *settings) (*milter.Settings, error) {
	s.policy = policy.NewSettings(s.cfg, s.keys, policy.Sources{Site: d.known, Lists: d.lists, Origins: s.finder, Floods: d.floods})
	return milter.NewSettings(s.policy)
}

// close ends what is known and asked.
func (d *daemon) close() error {
	d.lists.close()
	return d.forget()
}

// forget ends what is known.
func (d *daemon) forget() error {
	d.decided.Close()
	d.sharing.Close()
	return d.known.Close()
}

// listen opens the listeners: those for mail, for the pages, for commands.
func (d *daemon) listen(s *site, cfg *config.Config) (err error) {
	if d.mail, err = milter.Listen(cfg); err != nil {
		return err
	}
	if d.pages, err = listenAdmin(cfg.Admin); err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	d.socket, err = listenControl(s, cfg)
	return err
}

// listenControl opens the control socket, making the state folder.
func listenControl(s *site, cfg *config.Config) (net.Listener, error) {
	path, err := s.controlPath(cfg)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, problem.WithHint(fmt.Errorf("control socket: %w", err), "name another folder with --state, or another path under [admin] control")
	}
	l, err := control.Listen(path)
	if errors.Is(err, control.ErrInUse) {
		err = problem.WithHint(err, "a second daemon needs a state folder of its own: name one with --state")
	}
	return l, err
}

// openKeys loads the key file, making it at the first start.
func openKeys(s *site, cfg *config.Config, known *knowledge.Site, now time.Time, log *maillog.Log) (keys *batv.Keyring, path string, err error) {
	if path, err = s.keyPath(cfg); err != nil {
		return nil, "", err
	}
	keys, err = batv.LoadKeys(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, path, err
	}
	if until := known.Abroad(now); !until.IsZero() {
		return nil, "", problem.WithHint(
			fmt.Errorf("the key file %s is gone, and mail signed with its keys may bounce until %s: a new file would make forgeries of genuine bounces", path, until.UTC().Format(time.DateOnly)),
			"bring it back from a backup or from another host of this site; to do without: backscatter-milter keys init",
		)
	}
	keys, err = s.createKeys(path, now)
	if errors.Is(err, fs.ErrExist) { // another daemon has just made it
		keys, err = batv.LoadKeys(path)
		return keys, path, err
	}
	if err != nil {
		return nil, "", problem.WithHint(fmt.Errorf("cannot make a key file: %w", err), "name another folder with --state")
	}
	log.Info("made a key file, keep it: bounces to mail signed with a lost key cannot be told from forgeries", "file", path)
	return keys, path, nil
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
func (d *daemon) run(ctx context.Context, hangup <-chan os.Signal) error {
	failed := make(chan error, 2)
	go func() { failed <- d.server.Serve(d.mail...) }()
	if d.pages != nil {
		go func() {
			if err := d.admin.Serve(d.pages); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("admin: %w", err)
			}
		}()
	}
	go d.control.Serve(d.socket)
	log := d.live.Log()
	for _, l := range d.mail {
		log.Info("listening", "address", mtaAddress(l.Addr()))
	}
	background, end := context.WithCancel(context.Background())
	d.known.Run(background)
	go d.sweepFloods(background)
	d.introduce()
	d.tellReady()
	go d.watch(ctx)
	err := d.wait(ctx, hangup, failed)
	d.tellStopping()
	return errors.Join(err, d.stop(end))
}

// wait serves hangups until ctx ends or a listener fails.
func (d *daemon) wait(ctx context.Context, hangup <-chan os.Signal, failed <-chan error) error {
	for {
		select {
		case <-hangup:
			_, _ = d.reload() // has logged what is wrong
		case <-ctx.Done():
			d.live.Log().Info("stopping: messages that are under way are finished")
			return nil
		case err := <-failed:
			return err
		}
	}
}

// stop ends mail first and what is kept account of it after that.
func (d *daemon) stop(background context.CancelFunc) error {
	err := errors.Join(d.control.Close(), d.server.Stop(context.Background()))
	if d.pages != nil {
		err = errors.Join(err, d.admin.Close())
	}
	background()
	err = errors.Join(err, d.close())
	d.live.Log().Info("stopped")
	return err
}
