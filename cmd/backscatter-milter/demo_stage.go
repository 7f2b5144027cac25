package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/grace"
	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
	"github.com/backscatter-milter/backscatter-milter/milter"
)

// demo is what a demonstration is played on: a milter with a key, a record and
// a clock of its own, all of it in memory. It shows the same each time.
type demo struct {
	page     page
	server   *milter.Server
	served   chan error
	listener *mtatest.Memory
	scheme   batv.Scheme
	record   *grace.Grace
	signed   string // the reverse-path of the first letter

	mu      sync.Mutex
	clock   time.Time
	given   []policy.Record // verdicts not yet shown
	trouble error
}

func newDemo() (*demo, error) {
	d := &demo{
		served:   make(chan error, 1),
		listener: mtatest.NewMemory(),
		clock:    time.Date(2026, 11, 21, 10, 0, 2, 0, time.UTC),
	}
	keys, err := batv.NewKeyring(batv.Key{Number: 0, Secret: []byte("known to all who read this source"), Signing: true})
	if err != nil {
		return nil, err
	}
	cfg := config.Default()
	if d.record, err = grace.New(nil, grace.Rules{Lifetime: cfg.BATV.Lifetime}, d.now()); err != nil {
		return nil, err
	}
	for range grace.Sightings {
		d.record.SawAccepted(demoDomain, d.now())
		d.record.SawSent(demoDomain, d.now())
	}
	d.record.SetSPF(demoDomain, "", d.now()) // nobody else may send as it
	d.scheme = policy.Scheme(cfg, keys)
	settings, err := milter.NewSettings(policy.NewSettings(cfg, keys, policy.Sources{Site: demoSite{d}}))
	if err != nil {
		return nil, err
	}
	d.server = milter.NewServer(milter.Options{Settings: settings, Observer: demoObserver{d}, Now: d.now, MaxConnections: cfg.MaxConnections})
	go func() { d.served <- d.server.Serve(d.listener) }()
	return d, nil
}

// close stops the milter, and tells what went wrong in it.
func (d *demo) close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // nothing is under way
	err := errors.Join(d.server.Stop(ctx), <-d.served)
	d.mu.Lock()
	defer d.mu.Unlock()
	return errors.Join(err, d.trouble)
}

func (d *demo) now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.clock
}

// live lets days go by in which Alice writes every day.
func (d *demo) live(days int) {
	const step = 10 * time.Minute
	key := grace.KeyID(d.scheme.Keys.Keys()[0].ID())
	for range time.Duration(days) * 24 * time.Hour / step {
		d.mu.Lock()
		d.clock = d.clock.Add(step)
		now := d.clock
		d.mu.Unlock()
		d.record.Heartbeat(now)
		d.record.Signed(demoDomain, key, now)
	}
}

// sign makes the address that a letter would leave with now.
func (d *demo) sign(address string) (string, error) { return d.scheme.Sign(address, d.now()) }

// connect has the MTA in miniature open a connection.
func (d *demo) connect() (*mtatest.Client, error) {
	return d.listener.Dial(mtatest.PostfixOffer())
}

// verdicts writes those given since it was last asked.
func (d *demo) verdicts() {
	d.mu.Lock()
	given := d.given
	d.given = nil
	d.mu.Unlock()
	for _, r := range given {
		d.page.field("verdict", fmt.Sprintf("%s at %s, because of %s", r.Verdict.Action, r.Verdict.Stage, r.Verdict.Reason))
	}
	if len(given) == 0 {
		d.page.field("verdict", "none: there is nothing to judge")
	}
}

// demoSite answers the policy from the demonstration's record.
type demoSite struct{ *demo }

func (s demoSite) Ours(domain string) bool     { return s.record.Ours(domain) }
func (s demoSite) Strict(domain string) bool   { return s.record.Strict(domain, s.now()) }
func (demoSite) StrictByRecord(string) bool    { return false }
func (demoSite) Layout(string) batv.Layout     { return batv.LayoutPRVS }
func (s demoSite) Prove(key batv.KeyID)        { s.record.Prove(grace.KeyID(key), s.now()) }
func (s demoSite) Proven(key batv.KeyID) bool  { return s.record.Proven(grace.KeyID(key)) }
func (demoSite) Probing(recipient string) bool { return false }

// demoObserver keeps verdicts and troubles, and has the record know what is
// signed.
type demoObserver struct{ *demo }

func (o demoObserver) Verdict(r policy.Record) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.given = append(o.given, r)
}

func (o demoObserver) Sent(s policy.Sent) {
	if s.Result == policy.Signed {
		o.record.Signed(demoDomain, grace.KeyID(s.Key), o.now())
	}
}

func (o demoObserver) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.trouble = errors.Join(o.trouble, err)
}

func (o demoObserver) Accepted(string)    {}
func (demoObserver) Classified(string)    {}
func (o demoObserver) Callout(netip.Addr) {}
func (o demoObserver) Outscatter(string)  {}

func (o demoObserver) TagRefused(recipient string) {
	o.fail(fmt.Errorf("tag of %q refused", recipient))
}
func (o demoObserver) Connections(int)     {}
func (o demoObserver) Rejected(why string) { o.fail(fmt.Errorf("connection cut off: %s", why)) }
func (o demoObserver) Failed(what string, err error) {
	o.fail(fmt.Errorf("%s: %w", what, err))
}

func (o demoObserver) Panicked(stage string, value any, _ []byte) {
	o.fail(fmt.Errorf("panic at %s: %v", stage, value))
}

// page is text for a terminal of 80 columns.
type page struct{ strings.Builder }

const (
	pageWidth   = 80
	fieldIndent = "             " // beneath the text of a field
)

func (p *page) line(text string) { p.WriteString(text + "\n") }

// paragraph writes words, each line after an indent.
func (p *page) paragraph(indent, text string) { p.wrap(indent, indent, text) }

// field writes a name and, beside it, a text.
func (p *page) field(name, text string) {
	p.wrap(fmt.Sprintf("    %-9s", name), fieldIndent, text)
}

func (p *page) wrap(first, rest, text string) {
	line, empty := first, true
	for _, word := range strings.Fields(text) {
		switch {
		case empty:
			line += word
		case len(line)+1+len(word) <= pageWidth:
			line += " " + word
		default:
			p.line(line)
			line = rest + word
		}
		empty = false
	}
	p.line(line)
}
