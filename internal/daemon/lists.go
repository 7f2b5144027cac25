package daemon

import (
	"context"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/dnsbl"
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
	"github.com/backscatter-milter/backscatter-milter/internal/metrics"
)

const (
	ownEvery = 24 * time.Hour   // our own addresses are looked up
	ownRetry = 10 * time.Minute // where a zone has no opinion
	oldLists = time.Minute      // longer than a zone may take: for those who are waiting
)

// lists are the DNS lists that the daemon asks: a client of dnsbl for the zones
// in force, replaced when a reload changes them.
type lists struct {
	live    *maillog.Live
	metrics *metrics.Metrics
	now     func() time.Time
	ctx     context.Context // ends with close
	end     context.CancelFunc
	working sync.WaitGroup

	client  atomic.Pointer[dnsbl.Client]
	mu      sync.Mutex
	zones   []config.Zone
	servers []string // of the system, when the client was made
	own     []netip.Addr
	opinion map[listing]bool // the last that a zone had of an address of ours; true: it lists it
	restart chan struct{}    // zones or own addresses have changed
}

func newLists(cfg *config.Config, live *maillog.Live, m *metrics.Metrics, now func() time.Time) *lists {
	l := &lists{live: live, metrics: m, now: now, opinion: map[listing]bool{}, restart: make(chan struct{}, 1)}
	l.ctx, l.end = context.WithCancel(context.Background())
	l.take(cfg)
	l.working.Add(1)
	go func() {
		defer l.working.Done()
		live.Survive(l.ctx, "own addresses on DNS lists", func(context.Context) { l.watchOwn() })
	}()
	return l
}

// take brings the zones of the settings, and the system's DNS servers, into force.
func (l *lists) take(cfg *config.Config) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.own = cfg.PublicAddresses
	servers := l.resolvers()
	if l.client.Load() == nil || !reflect.DeepEqual(l.zones, cfg.DNSBL) || !slices.Equal(l.servers, servers) {
		l.zones, l.servers = cfg.DNSBL, servers
		client := dnsbl.New(l.options(cfg.DNSBL, servers))
		if old := l.client.Swap(client); old != nil {
			time.AfterFunc(oldLists, old.Close)
		}
		l.working.Add(1)
		go func() {
			defer l.working.Done()
			client.Run(l.ctx)
		}()
	}
	select {
	case l.restart <- struct{}{}:
	default:
	}
}

func (l *lists) options(zones []config.Zone, servers []string) dnsbl.Options {
	return dnsbl.Options{
		Zones: Zones(zones), Resolvers: servers, Now: l.now,
		Asked:    func(zone string, s dnsbl.Status) { l.metrics.LookedUp(zone, s.String()) },
		Changed:  l.changed,
		Panicked: func(v any, stack []byte) { l.metrics.Panicked(); l.live.Log().Panicked("dnsbl", v, stack) },
	}
}

// resolvers are those of the system.
func (l *lists) resolvers() []string {
	list, err := dnsbl.SystemResolvers(dnsbl.ResolvConf)
	if err != nil {
		l.live.Log().Warn("DNS servers", "error", err)
	}
	return list
}

// Zones are the zones of a configuration as they are asked.
func Zones(zones []config.Zone) []dnsbl.Zone {
	var all []dnsbl.Zone
	for _, z := range zones {
		all = append(all, dnsbl.Zone{Name: z.Name, Codes: z.Codes, Resolvers: z.Resolvers, Timeout: z.Timeout, IPv6: z.IPv6})
	}
	return all
}

func (l *lists) changed(s dnsbl.ZoneState) {
	if s.Healthy {
		l.live.Log().Info("DNS list is used", "zone", s.Zone)
		return
	}
	l.live.Log().Warn("DNS list is not used: it has no say until a check of it passes", "zone", s.Zone, "error", s.Why, "next", s.Due.UTC().Format(time.RFC3339))
}

// Start begins to ask the zones in force about a client.
func (l *lists) Start(client netip.Addr) dnsbl.Question { return l.client.Load().Start(client) }

func (l *lists) close() {
	l.end()
	l.client.Load().Close()
	l.working.Wait()
}

// watchOwn looks our own addresses up daily, and soon after each restart.
func (l *lists) watchOwn() {
	for wait := ownEvery; ; {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			wait = ownEvery
			if !l.lookUpOwn() {
				wait = ownRetry
			}
		case <-l.restart:
			wait = time.Second // zones are checked first
		case <-l.ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// listing is an address of ours and a zone that may list it.
type listing struct {
	addr netip.Addr
	zone string
}

// lookUpOwn looks every address of ours up in every zone that is in use, and
// reports whether all could be. Of a zone that has no opinion at the moment the
// last one stands: that DNS fails takes no address off a list.
func (l *lists) lookUpOwn() (all bool) {
	l.mu.Lock()
	own, before, client := l.own, l.opinion, l.client.Load()
	l.mu.Unlock()
	opinion, all := map[listing]bool{}, true
	for _, z := range client.Zones() {
		for _, addr := range own {
			if was, had := before[listing{addr, z.Zone}]; had {
				opinion[listing{addr, z.Zone}] = was
			}
		}
		all = all && (z.Healthy || len(own) == 0)
	}
	for _, addr := range own {
		for _, a := range client.Start(addr).Wait(l.ctx).Answers {
			if a.Status.Opinion() {
				opinion[listing{addr, a.Zone}] = a.Status == dnsbl.Listed
			}
			if a.Status == dnsbl.Listed {
				l.live.Log().Warn(OwnListed, "address", addr.String(), "zone", a.Zone)
			}
			all = all && (a.Status.Opinion() || a.Status == dnsbl.NotAsked)
		}
	}
	l.mu.Lock()
	l.opinion = opinion
	l.mu.Unlock()
	return all
}

// OwnListed says what to do where a zone lists an address of ours.
const OwnListed = "an address of ours is on a DNS list of hosts that send backscatter: find what here answers to forged senders " +
	"(bounces after acceptance, auto-replies, sender callouts); see the zone's web site for how it ends"

// ownListings counts our own listed addresses by zone.
func (l *lists) ownListings() map[string]int {
	listed := map[string]int{}
	for _, z := range l.client.Load().Zones() {
		listed[z.Zone] = 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for of, yes := range l.opinion {
		if _, asked := listed[of.zone]; asked && yes {
			listed[of.zone]++
		}
	}
	return listed
}

// status tells how the zones fare.
func (l *lists) status() []control.Zone {
	own, zones := l.ownListings(), []control.Zone{}
	for _, s := range l.client.Load().Zones() {
		z := control.Zone{Zone: s.Zone, Healthy: s.Healthy, Since: s.Since.UTC(), Asked: map[string]int64{}, Own: own[s.Zone]}
		if s.Why != nil {
			z.Why = s.Why.Error()
		}
		for outcome, n := range s.Asked {
			z.Asked[outcome.String()] = n
		}
		zones = append(zones, z)
	}
	return zones
}
