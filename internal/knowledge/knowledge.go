// Package knowledge is what is known of the site that a daemon serves: its own
// domains, how steadily they sign, what its MTA takes, and what it has sent. The
// daemon opens it and has it learn; a command opens it to read, where no daemon
// runs. With a shared store several hosts know the same.
//
// It judges no mail: it answers the policy and those who ask for origins.
package knowledge

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/grace"
	"github.com/backscatter-milter/backscatter-milter/internal/ledger"
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
	"github.com/backscatter-milter/backscatter-milter/internal/probe"
	"github.com/backscatter-milter/backscatter-milter/internal/shared"
	"github.com/backscatter-milter/backscatter-milter/internal/store"
)

// Site is what the daemon finds out about the site and remembers: its own
// domains, how steadily they sign, what the MTA takes. It answers the policy
// and learns from what the milter tells. Where the store cannot be had it works
// from memory, and nothing becomes strict that was not in the meantime.
type Site struct {
	live       *maillog.Live
	now        func() time.Time
	store      *store.Store // nil: memory only
	grace      *grace.Grace
	ledger     *ledger.Ledger // what was sent
	prober     *probe.Prober
	cfg        atomic.Pointer[config.Config]
	keys       atomic.Pointer[batv.Keyring]
	failed     func(what string, err error)
	ledgerLost atomic.Int64   // entries of the ledger, when it was last looked at
	lost       atomic.Bool    // tags are abroad whose key is gone
	lifetime   atomic.Int64   // of tags, when it was last looked at; 0 before
	reread     chan struct{}  // SPF records are to be read anew
	working    sync.WaitGroup // goroutines of run
}

// Buckets of the store.
const (
	graceBucket = "grace"
	probeBucket = "probe"
	siteBucket  = "site"
)

// Options are what a site is opened with.
type Options struct {
	Config   *config.Config
	State    string // the folder of a store with a relative name; it is made
	ReadOnly bool   // by a command, beside no daemon: nothing is made
	Log      *maillog.Live
	Now      func() time.Time             // by which mail is judged and remembered
	RealTime func() time.Time             // for time limits and names of files
	Failed   func(what string, err error) // is told what goes wrong, and is in the log where it matters
}

// Open opens the store and reads what it remembers. It never fails: what goes
// wrong is logged, and mail goes on.
func Open(o Options) *Site {
	cfg, failed := o.Config, o.Failed
	k := &Site{live: o.Log, now: o.Now, failed: failed, reread: make(chan struct{}, 1)}
	k.cfg.Store(cfg)
	if db, err := k.openStore(o); err != nil {
		k.live.Log().Error("the store cannot be used: what is learned is lost at a restart, and no domain becomes strict meanwhile", "error", err)
		failed("open store", err)
	} else {
		k.store = db
		k.live.HashWith(k.hashKey(o.ReadOnly))
	}
	var graceStore grace.Store
	var probeStore probe.Store
	if k.store != nil {
		graceStore, probeStore = k.store.Bucket(graceBucket), k.store.Bucket(probeBucket)
	}
	var err error
	if k.grace, err = grace.New(graceStore, k.rules(cfg), k.now()); err != nil {
		failed("read store", err)
	}
	k.ledger = k.openLedger(cfg)
	k.prober, err = probe.NewProber(probe.Options{
		Target: probe.Target{Dialer: probeDialer{k}, Helo: HostName(), Now: o.RealTime},
		Query:  k.query,
		Report: k.probed,
		Store:  probeStore,
	})
	if err != nil {
		failed("read store", err)
	}
	return k
}

func (k *Site) openStore(o Options) (*store.Store, error) {
	path := o.Config.Store
	if shared.Is(path) {
		path = localStore
	}
	if !filepath.IsAbs(path) {
		if o.State == "" {
			return nil, errors.New("no state folder is known")
		}
		if !o.ReadOnly {
			if err := os.MkdirAll(o.State, 0o700); err != nil {
				return nil, err
			}
		}
		path = filepath.Join(o.State, path)
	}
	return store.Open(path, store.Options{Now: o.RealTime, ReadOnly: o.ReadOnly, Report: func(err error) { k.failed("store", err) }})
}

// Store is where the site is remembered, nil where that cannot be had.
func (k *Site) Store() *store.Store { return k.store }

// HostName is the name of this host, "localhost" where it has none.
func HostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return name
}

func (k *Site) rules(cfg *config.Config) grace.Rules {
	by := make(map[string]bool)
	for _, d := range cfg.DomainSettings {
		if d.AllMailHere != nil {
			by[config.FoldDomain(d.Name)] = *d.AllMailHere
		}
	}
	return grace.Rules{
		Lifetime: cfg.BATV.Lifetime,
		AllMailHere: func(domain string) bool {
			if set, own := by[domain]; own {
				return set
			}
			return cfg.AllMailHere
		},
	}
}

// Reload takes new settings and keys into account.
func (k *Site) Reload(cfg *config.Config, keys *batv.Keyring) {
	before := k.cfg.Swap(cfg)
	k.Take(keys)
	if b, a := before.BATV, cfg.BATV; b.Sign != a.Sign || b.Probe != a.Probe || b.Layout != a.Layout || b.Delimiter != a.Delimiter {
		k.prober.Restart()
	}
	select {
	case k.reread <- struct{}{}:
	default:
	}
}

// Take takes the keys, and with them the settings, into account.
func (k *Site) Take(keys *batv.Keyring) {
	cfg, now := k.cfg.Load(), k.now()
	k.keys.Store(keys)
	k.grace.SetRules(k.rules(cfg), now)
	k.ledger.SetLifetime(cfg.Origin.Ledger)
	k.lost.Store(k.lostKeys(keys, now))
	if k.lifetimeFell(cfg.BATV.Lifetime) {
		k.interrupt(func(string) string { return "the lifetime of tags was shortened: older ones expire early" })
	}
	k.unsteady()
}

// Run keeps the record, asks the MTA and reads SPF records until ctx ends. It
// returns at once; Close waits for the end.
func (k *Site) Run(ctx context.Context) {
	for _, work := range []func(context.Context){k.prober.Run, k.watchSPF, k.beat} {
		k.working.Add(1)
		go func() {
			defer k.working.Done()
			k.live.Survive(ctx, "background", work)
		}()
	}
}

func (k *Site) beat(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			k.Heartbeat()
		case <-ctx.Done():
			k.grace.Heartbeat(k.now())
			return
		}
	}
}

// Heartbeat notes that the daemon runs, and what keeps its record from being
// complete. Run does so every minute.
func (k *Site) Heartbeat() {
	k.lossy()
	k.grace.Heartbeat(k.now())
	k.lost.Store(k.lostKeys(k.keys.Load(), k.now()))
	k.unsteady()
}

// Close waits for the goroutines of run, whose context has ended, and writes
// what is still to be written.
func (k *Site) Close() error {
	k.working.Wait()
	k.ledger.Close()
	if k.store == nil {
		return nil
	}
	return k.store.Close()
}

// Abroad tells until when tags may come home that keys remembered by the store
// have made; zero where there are none.
func (k *Site) Abroad(now time.Time) time.Time {
	var last time.Time
	for _, key := range k.grace.Keys() {
		if key.Abroad.After(now) && key.Abroad.After(last) {
			last = key.Abroad
		}
	}
	return last
}

// AnyOurs reports whether any domain is known to be ours, by name or by what has
// been learned.
func (k *Site) AnyOurs() bool { return !k.cfg.Load().Domains.Empty() || len(k.grace.Domains()) > 0 }

// Ours reports whether a domain has been learned.
func (k *Site) Ours(domain string) bool { return k.grace.Ours(domain) }

// Strict reports whether a missing tag means something for a domain.
func (k *Site) Strict(domain string) bool { return k.grace.Strict(domain, k.now()) }

// Layout tells in which of the layouts that are allowed tagged recipients of a
// domain come home.
func (k *Site) Layout(domain string) batv.Layout {
	found, want := k.prober.Layout(config.FoldDomain(domain)), k.cfg.Load().BATV.Layout
	switch {
	case found == probe.PRVS && want != config.LayoutSubaddress:
		return batv.LayoutPRVS
	case found == probe.Subaddress && want != config.LayoutPRVS:
		return batv.LayoutSubaddress
	}
	return batv.LayoutNone
}

// Prove notes that a key has verified a tag that came back.
func (k *Site) Prove(key batv.KeyID) { k.grace.Prove(grace.KeyID(key), k.now()) }

// Proven reports whether it has. While tags of a lost key are abroad no
// signature is called wrong: it may be that key's.
func (k *Site) Proven(key batv.KeyID) bool {
	return !k.lost.Load() && k.grace.Proven(grace.KeyID(key))
}

// Probing reports whether the recipient is one that the MTA is being asked for.
func (k *Site) Probing(recipient string) bool { return k.prober.IsOwn(recipient) }

// Accepted learns from a recipient that outside mail was accepted for.
func (k *Site) Accepted(recipient string) {
	if k.cfg.Load().Domains.Empty() && !k.prober.IsOwn(recipient) {
		k.grace.SawAccepted(domainOf(recipient), k.now())
	}
}

// Sent learns from a message of a trusted client.
func (k *Site) Sent(s policy.Sent) {
	k.remember(s.Entry)
	now, domain := k.now(), domainOf(s.Sender)
	if k.cfg.Load().Domains.Empty() {
		k.grace.SawSent(domain, now)
	}
	switch s.Result {
	case policy.Signed:
		k.grace.Signed(domain, grace.KeyID(s.Key), now)
	case policy.NotSigning:
		k.grace.Unsigned(domain, "signing was switched off", now)
	case policy.NotHome:
		k.grace.Unsigned(domain, "the MTA did not accept tagged recipients", now)
	case policy.NoKey:
		k.grace.Unsigned(domain, "there was no key", now)
	case policy.NotPossible:
		k.grace.Unsigned(domain, "the MTA does not let the sender be changed", now)
	}
	if k.signsAuto(domain) && (s.Result == policy.Signed || s.Result == policy.NotHome) {
		k.prober.Need(config.FoldDomain(domain), s.Sender, now)
	}
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }
