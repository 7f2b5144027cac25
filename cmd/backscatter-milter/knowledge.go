package main

import (
	"context"
	"crypto/rand"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/decided"
	"github.com/backscatter-milter/backscatter-milter/internal/grace"
	"github.com/backscatter-milter/backscatter-milter/internal/ledger"
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
	"github.com/backscatter-milter/backscatter-milter/internal/probe"
	"github.com/backscatter-milter/backscatter-milter/internal/shared"
	"github.com/backscatter-milter/backscatter-milter/internal/store"
)

// knowledge is what the daemon finds out about the site and remembers: its own
// domains, how steadily they sign, what the MTA takes. It answers the policy
// and learns from what the milter tells. Where the store cannot be had it works
// from memory, and nothing becomes strict that was not in the meantime.
type knowledge struct {
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

// access is what the store is opened for.
type access bool

const (
	readWrite access = false
	readOnly  access = true // by a command, beside no daemon
)

func (a access) makeFolder(dir string) error {
	if a == readOnly {
		return nil
	}
	return os.MkdirAll(dir, 0o700)
}

// openKnowledge opens the store and reads what it remembers. It never fails:
// what goes wrong is logged, and mail goes on.
func openKnowledge(s *site, cfg *config.Config, live *maillog.Live, now func() time.Time, failed func(string, error), use access) *knowledge {
	k := &knowledge{live: live, now: now, failed: failed, reread: make(chan struct{}, 1)}
	k.cfg.Store(cfg)
	if db, err := k.openStore(s, cfg, use); err != nil {
		live.Log().Error("the store cannot be used: what is learned is lost at a restart, and no domain becomes strict meanwhile", "error", err)
		failed("open store", err)
	} else {
		k.store = db
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
		Target: probe.Target{Dialer: probeDialer{k}, Helo: hostName(), Now: time.Now},
		Query:  k.query,
		Report: k.probed,
		Store:  probeStore,
	})
	if err != nil {
		failed("read store", err)
	}
	return k
}

func (k *knowledge) openStore(s *site, cfg *config.Config, use access) (*store.Store, error) {
	path := cfg.Store
	if shared.Is(path) {
		path = localStore
	}
	if !filepath.IsAbs(path) {
		dir, err := s.state()
		if err != nil {
			return nil, err
		}
		if err := use.makeFolder(dir); err != nil {
			return nil, err
		}
		path = filepath.Join(dir, path)
	}
	return store.Open(path, store.Options{Now: time.Now, ReadOnly: use == readOnly, Report: func(err error) { k.failed("store", err) }})
}

// openDecided opens the journal of decisions.
func (k *knowledge) openDecided(use access) *decided.Journal {
	return decided.Open(decided.Options{Store: k.store, ReadOnly: use == readOnly, Now: k.now, Failed: k.failed})
}

func hostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return name
}

func (k *knowledge) rules(cfg *config.Config) grace.Rules {
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

// reload takes new settings and keys into account.
func (k *knowledge) reload(cfg *config.Config, keys *batv.Keyring) {
	before := k.cfg.Swap(cfg)
	k.take(keys)
	if b, a := before.BATV, cfg.BATV; b.Sign != a.Sign || b.Probe != a.Probe || b.Layout != a.Layout || b.Delimiter != a.Delimiter {
		k.prober.Restart()
	}
	select {
	case k.reread <- struct{}{}:
	default:
	}
}

// take takes the keys, and with them the settings, into account.
func (k *knowledge) take(keys *batv.Keyring) {
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

// run keeps the record and asks the MTA until ctx ends.
func (k *knowledge) run(ctx context.Context) {
	for _, work := range []func(context.Context){k.prober.Run, k.watchSPF, k.beat} {
		k.working.Add(1)
		go func() {
			defer k.working.Done()
			k.live.Survive(ctx, "background", work)
		}()
	}
}

func (k *knowledge) beat(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			k.everyMinute()
		case <-ctx.Done():
			k.grace.Heartbeat(k.now())
			return
		}
	}
}

// everyMinute notes that the daemon runs, and what keeps its record from being
// complete.
func (k *knowledge) everyMinute() {
	k.lossy()
	k.grace.Heartbeat(k.now())
	k.lost.Store(k.lostKeys(k.keys.Load(), k.now()))
	k.unsteady()
}

// close waits for the goroutines of run, whose context has ended, and writes
// what is still to be written.
func (k *knowledge) close() error {
	k.working.Wait()
	k.ledger.Close()
	if k.store == nil {
		return nil
	}
	return k.store.Close()
}

// abroad tells until when tags may come home that keys remembered by the store
// have made; zero where there are none.
func (k *knowledge) abroad(now time.Time) time.Time {
	var last time.Time
	for _, key := range k.grace.Keys() {
		if key.Abroad.After(now) && key.Abroad.After(last) {
			last = key.Abroad
		}
	}
	return last
}

// Ours reports whether a domain has been learned.
func (k *knowledge) Ours(domain string) bool { return k.grace.Ours(domain) }

// Strict reports whether a missing tag means something for a domain.
func (k *knowledge) Strict(domain string) bool { return k.grace.Strict(domain, k.now()) }

// Layout tells in which of the layouts that are allowed tagged recipients of a
// domain come home.
func (k *knowledge) Layout(domain string) batv.Layout {
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
func (k *knowledge) Prove(key batv.KeyID) { k.grace.Prove(grace.KeyID(key), k.now()) }

// Proven reports whether it has. While tags of a lost key are abroad no
// signature is called wrong: it may be that key's.
func (k *knowledge) Proven(key batv.KeyID) bool {
	return !k.lost.Load() && k.grace.Proven(grace.KeyID(key))
}

// Probing reports whether the recipient is one that the MTA is being asked for.
func (k *knowledge) Probing(recipient string) bool { return k.prober.IsOwn(recipient) }

// accepted learns from a recipient that outside mail was accepted for.
func (k *knowledge) accepted(recipient string) {
	if k.cfg.Load().Domains.Empty() && !k.prober.IsOwn(recipient) {
		k.grace.SawAccepted(domainOf(recipient), k.now())
	}
}

// sent learns from a message of a trusted client.
func (k *knowledge) sent(s policy.Sent) {
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

// signsAuto reports whether the domain is signed for as the MTA is found to take
// it.
func (k *knowledge) signsAuto(domain string) bool {
	cfg := k.cfg.Load()
	for _, d := range cfg.DomainSettings {
		if d.BATV.Sign != "" && config.FoldDomain(d.Name) == config.FoldDomain(domain) {
			return d.BATV.Sign == config.SignAuto
		}
	}
	return cfg.BATV.Sign == config.SignAuto
}

// tagRefused stops signing for a domain whose genuine bounces the MTA refuses,
// until the MTA has been asked again, and reports whether that is news: our own
// probe asks for such users, too.
func (k *knowledge) tagRefused(recipient string) bool {
	domain := config.FoldDomain(domainOf(recipient))
	if k.prober.IsOwn(recipient) || !k.prober.Layout(domain).Signs() && k.signsAuto(domain) {
		return false
	}
	k.prober.Refused(domain, "a genuine bounce was refused as for an unknown user")
	return true
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// probeDialer calls the MTA that is to be asked by the settings now in force.
type probeDialer struct{ *knowledge }

func (k probeDialer) DialContext(ctx context.Context, network, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, k.cfg.Load().BATV.Probe)
}

// query makes the question whether tagged forms of a sender come home, in the
// layouts that the configuration leaves open. They are signed as of tomorrow:
// valid today, by the day of skew, but on no message in the world.
func (k *knowledge) query(sender string, now time.Time) (probe.Query, bool) {
	cfg := k.cfg.Load()
	scheme := policy.Scheme(cfg, k.keys.Load())
	random := "nobody-" + strings.ToLower(rand.Text()[:12]) + "@" + domainOf(sender)
	sign := func(layout batv.Layout, address string) string {
		if cfg.BATV.Layout != config.LayoutAuto && scheme.Layout != layout {
			return ""
		}
		s := scheme
		s.Layout = layout
		tagged, err := s.Sign(address, now.AddDate(0, 0, 1))
		if err != nil {
			return ""
		}
		return tagged
	}
	q := probe.Query{
		PRVS: sign(batv.LayoutPRVS, sender), Subaddress: sign(batv.LayoutSubaddress, sender),
		RandomPRVS: sign(batv.LayoutPRVS, random), RandomSubaddress: sign(batv.LayoutSubaddress, random),
		Plain: sender,
	}
	return q, q.PRVS != "" || q.Subaddress != ""
}

// probed logs an answer of the MTA.
func (k *knowledge) probed(domain string, r probe.Result) {
	log := k.live.Log()
	switch {
	case r.Err != nil:
		log.Warn("could not find out whether tagged recipients come home", "domain", domain, "error", r.Err)
	case !r.Layout.Signs():
		log.Warn("the MTA refuses tagged recipients: nothing is signed", "domain", domain, "reply", r.Reply)
	default:
		log.Info("tagged recipients come home", "domain", domain, "layout", r.Layout.String(), "catch-all", r.CatchAll)
	}
}
