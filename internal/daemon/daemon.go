// Package daemon is the running milter: it has the server of package milter judge
// by what is known of the site, tells log, metrics and journal of it, and answers
// the status page and the commands. What commands without a daemon do as it does
// is exported: how messages are explained, what keys do, what is to be warned of.
//
// It parses no command line and prints nothing: all of its paths, and the two
// clocks, are given to it.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

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
	"github.com/backscatter-milter/backscatter-milter/milter"
)

// Loaded is a configuration, and where the files of the site are that go with it.
type Loaded struct {
	Config  *config.Config
	From    string // the file that was loaded, or Defaults
	State   string // the folder for records; "" where none is known
	Keys    string // the key file; it is made where it is missing
	Control string // the socket for commands; its folder is made
}

// Defaults is what Loaded.From says where no file was loaded.
const Defaults = "the defaults"

// Options are what a daemon is run with.
type Options struct {
	Version  string
	Start    Loaded
	Load     func() (Loaded, error) // anew, for a reload
	Hangup   <-chan os.Signal       // each asks for a reload
	Log      *maillog.Live
	Now      func() time.Time // by which mail is judged and remembered
	RealTime func() time.Time // for time limits
}

// Run serves mail until ctx ends, and then finishes messages that are under way.
// The error says what kept it from starting, a problem.Hint with it where there
// is something to do, or which listener failed.
func Run(ctx context.Context, o Options) error {
	d, err := open(o)
	if err != nil {
		return err
	}
	return d.run(ctx, o.Hangup)
}

// daemon is a running milter with all that belongs to it.
type daemon struct {
	version  string
	load     func() (Loaded, error)
	now      func() time.Time
	realTime func() time.Time

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
	socket  net.Listener // of control; nil where the disk takes none

	reloading sync.Mutex // held by the one reload that is under way
	inForce   atomic.Pointer[settings]
	reloaded  atomic.Pointer[control.Reload] // the last one; nil before the first
}

// settings are what a reload replaces.
type settings struct {
	cfg     *config.Config
	from    string // the file, or Defaults
	keys    *batv.Keyring
	keyFile string
	finder  *origin.Finder
	policy  *policy.Settings
}

func (d *daemon) current() *settings { return d.inForce.Load() }

// open opens everything that can be refused before mail is served.
func open(o Options) (*daemon, error) {
	d := &daemon{
		version: o.Version, load: o.Load, now: o.Now, realTime: o.RealTime, started: o.Now(),
		begun: o.Start.Config, live: o.Log, metrics: metrics.New(o.Version),
	}
	tell := d.remember(o.Start)
	judge, err := d.begin(o.Start)
	if err != nil {
		return nil, err
	}
	d.serve(judge, tell)
	if err := d.listen(o.Start); err != nil {
		for _, l := range append(d.mail, d.pages, d.socket) {
			if l != nil {
				err = errors.Join(err, l.Close())
			}
		}
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// remember opens what is known of the site, and has it, the log and the metrics
// told what the milter reports.
func (d *daemon) remember(start Loaded) observer {
	now := d.now
	tell := observer{live: d.live, metrics: d.metrics}
	d.known = knowledge.Open(knowledge.Options{
		Config: start.Config, State: start.State, Log: d.live, Now: now, RealTime: d.realTime, Failed: tell.Failed,
	})
	d.decided = decided.Open(decided.Options{Store: d.known.Store(), Now: now, Failed: tell.Failed})
	tell.known, tell.decided = d.known, d.decided
	tell.out = &outscatter{live: d.live, metrics: d.metrics, known: d.known, now: now, decided: d.decided}
	d.metrics.Watch(metrics.Known{
		Strict:        func() map[string]bool { return d.known.Strictness(now()) },
		StoreFailures: func() int64 { return d.known.StoreFailures() + d.sharing.Failures() },
		OwnListings:   func() map[string]int { return d.lists.ownListings() },
		Journal:       d.decided.Figures,
		FloodBlocks:   d.floodBlocks,
	})
	d.floods = newFloods(start.Config, d.live, d.metrics, d.decided, now)
	d.sharing = d.known.Share(d.floods)
	return tell
}

// begin brings the first settings into force.
func (d *daemon) begin(start Loaded) (judge *milter.Settings, err error) {
	first := &settings{cfg: start.Config, from: start.From, keyFile: start.Keys}
	if first.keys, err = openKeys(start.Keys, d.known, d.now(), d.live.Log()); err != nil {
		return nil, errors.Join(err, d.forget())
	}
	d.known.Take(first.keys)
	if first.finder, err = d.known.Finder(first.cfg); err != nil {
		return nil, errors.Join(err, d.forget())
	}
	d.lists = newLists(first.cfg, d.live, d.metrics, d.now)
	if judge, err = d.prepare(first); err != nil {
		return nil, errors.Join(err, d.close())
	}
	d.inForce.Store(first)
	return judge, nil
}

// serve makes what answers the MTA, people and commands.
func (d *daemon) serve(judge *milter.Settings, tell observer) {
	d.server = milter.NewServer(milter.Options{
		Settings:       judge,
		Observer:       tell,
		Now:            d.now,
		MaxConnections: d.begun.MaxConnections,
	})
	d.admin = admin.NewServer(admin.Source{
		Metrics: d.metrics.Handler(), Ready: d.ready, Token: d.begun.Admin.Token, Now: d.now,
		Status: func() *control.Status { return d.status(d.now()) }, Decisions: d.decided.Journal, Blocks: d.blocks,
		Denied: tell.denied, Hashed: func() bool { return d.current().cfg.Log.Privacy == config.PrivacyHash },
	})
	d.control = control.NewServer(control.Options{Verbs: d.verbs(), Now: d.realTime, Failed: tell.Failed})
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
	if d.socket != nil {
		go d.control.Serve(d.socket)
	}
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
