package dnsbl

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// observed is a Client that runs, with what it says of its zones' health.
type observed struct {
	*Client
	clock *clock
	news  chan ZoneState
}

func run(t *testing.T, zones ...Zone) observed {
	t.Helper()
	o := observed{clock: &clock{}, news: make(chan ZoneState, 100)}
	o.Client = New(Options{Zones: zones, Now: o.clock.now, Changed: func(s ZoneState) { o.news <- s }})
	t.Cleanup(o.Close)
	return o
}

func (o observed) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { o.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
}

// later moves the clock, of which timers know nothing.
func (o observed) later(d time.Duration) {
	o.clock.move(d)
	for _, z := range o.zones {
		z.wake <- struct{}{}
	}
}

func (o observed) next(t *testing.T) ZoneState {
	t.Helper()
	select {
	case s := <-o.news:
		return s
	case <-time.After(20 * time.Second):
		t.Fatal("no news")
		return ZoneState{}
	}
}

func (o observed) nothing(t *testing.T) {
	t.Helper()
	select {
	case s := <-o.news:
		t.Errorf("news: %+v", s)
	default:
	}
}

// checked waits for so many checks, of two questions each, to be over.
func checked(t *testing.T, o observed, d *mtatest.DNS, questions int) {
	t.Helper()
	over := false
	for range 1000 {
		o.mu.Lock()
		over = o.zones[0].checked.Equal(o.clock.now())
		o.mu.Unlock()
		if over && d.Counts().Questions >= questions {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := d.Counts().Questions; n != questions || !over {
		t.Errorf("%d questions, want %d; now: %v", n, questions, over)
	}
}

func TestHealth(t *testing.T) {
	d := serve(t, "list.example")
	d.List("192.0.2.1")
	o := run(t, zoneAt(d, "list.example"))
	if got := asks(t, o.Client, "192.0.2.1"); got != "unhealthy: unhealthy" {
		t.Errorf("before the first check: %s", got)
	}
	if s := o.Zones()[0]; s.Healthy || s.Why == nil || !strings.Contains(s.Why.Error(), "not checked") || !s.Checked.IsZero() {
		t.Errorf("before the first check: %+v", s)
	}
	o.start(t)
	begin := o.clock.now()
	s := o.next(t)
	if !s.Healthy || s.Why != nil || !s.Since.Equal(begin) || !s.Checked.Equal(begin) || !s.Due.Equal(begin.Add(checkEvery)) ||
		s.Zone != "list.example" || !slices.Equal(s.Resolvers, []string{d.Addr()}) {
		t.Errorf("%+v", s)
	}
	if got := asks(t, o.Client, "192.0.2.1"); got != "listed: listed[127.0.0.2]" {
		t.Error(got)
	}

	d.SetFault(mtatest.ListsAll)
	o.later(checkEvery - time.Second)
	if got := asks(t, o.Client, "192.0.2.2"); got != "unhealthy: unhealthy" { // the first it lists brings about a check
		t.Errorf("now that it lists everything: %s", got)
	}
	s = o.next(t)
	if s.Healthy || !strings.Contains(fmt.Sprint(s.Why), "lists 127.0.0.1") || !s.Since.Equal(o.clock.now()) {
		t.Errorf("%+v", s)
	}
	for _, addr := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"} { // not even what is remembered
		if _, ok := o.Cached(ip(addr)); ok && addr != "192.0.2.3" {
			t.Errorf("%s is remembered", addr)
		}
		if got := asks(t, o.Client, addr); got != "unhealthy: unhealthy" {
			t.Errorf("%s: %s", addr, got)
		}
	}
	if n := o.Zones()[0].Asked[Unhealthy]; n != 5 {
		t.Errorf("%d times not asked", n)
	}

	questions := d.Counts().Questions
	for _, pause := range []int{10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600} { // seconds
		if due := o.Zones()[0].Due.Sub(o.clock.now()); due != time.Duration(pause)*time.Second {
			t.Errorf("checked again after %v, want %d s", due, pause)
		}
		o.later(time.Duration(pause)*time.Second - 1)
		o.later(1)
		questions += 2
		checked(t, o, d, questions)
	}
	o.nothing(t)
	d.SetFault(mtatest.NoFault)
	o.later(checkEvery)
	if s = o.next(t); !s.Healthy || s.Why != nil {
		t.Errorf("%+v", s)
	}
	if got := asks(t, o.Client, "192.0.2.2"); got != "not-listed: not-listed" {
		t.Error(got)
	}
	o.clock.moved.Store(-int64(48 * time.Hour)) // a clock set back
	o.later(0)
	checked(t, o, d, questions+3+2)
}

func TestUnhealthyZones(t *testing.T) {
	for f, want := range map[mtatest.Fault]string{
		mtatest.Silent: "deadline exceeded", mtatest.ServFail: "SERVFAIL", mtatest.ListsAll: "lists 127.0.0.1",
		mtatest.OverQuota: "127.255.255.254", mtatest.Parked: "203.0.113.7", mtatest.ParkedAmong: "203.0.113.7", mtatest.Referral: "referral",
		mtatest.AliasLoop: "aliases",
	} {
		d := serve(t, "list.example")
		d.SetFault(f)
		z := zoneAt(d, "list.example")
		z.Timeout = 300 * time.Millisecond
		c, clk := open(t, Options{Zones: []Zone{z}})
		s := c.Zones()[0]
		if s.Healthy || !strings.Contains(fmt.Sprint(s.Why), want) || !s.Due.Equal(clk.now().Add(recheckFirst)) {
			t.Errorf("%s: %+v", f, s)
		}
	}
}

func TestTestPoints(t *testing.T) {
	d := serve(t, "list.example")
	health := func(z Zone) string {
		c, _ := open(t, Options{Zones: []Zone{z}})
		return fmt.Sprint(c.Zones()[0].Healthy, c.Zones()[0].Why)
	}
	is := func(z Zone, want string) {
		t.Helper()
		if got := health(z); !strings.HasPrefix(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	z := zoneAt(d, "list.example")
	z6 := z
	z6.IPv6 = true
	z.Codes = addrs("127.0.0.99") // a zone may list its test entry with another code
	is(z, "true")
	is(z6, "true")
	if n := d.Counts().Questions; n != 2+4 {
		t.Errorf("%d questions", n)
	}
	d.List("::ffff:7f00:1")
	is(z, "true")
	is(z6, "false it lists ::ffff:7f00:1")
	d.Unlist("::ffff:7f00:1")
	d.Unlist("::ffff:7f00:2")
	is(z6, "false it does not list ::ffff:7f00:2")
	d.Unlist("127.0.0.2")
	is(z, "false it does not list 127.0.0.2")
}

// TestSuspicion: a zone that stops answering costs nobody its time a second
// time, and is used again when it is back.
func TestSuspicion(t *testing.T) {
	d := serve(t, "list.example")
	d.List("192.0.2.1")
	z := zoneAt(d, "list.example")
	z.Timeout = 400 * time.Millisecond
	o := run(t, z)
	o.start(t)
	o.next(t)
	if got := asks(t, o.Client, "192.0.2.1"); got != "listed: listed[127.0.0.2]" {
		t.Error(got)
	}
	d.SetFault(mtatest.Silent)
	o.clock.move(2 * suspectPause)
	if got := asks(t, o.Client, "192.0.2.2"); got != "timeout: timeout" {
		t.Error(got)
	}
	for _, addr := range []string{"192.0.2.3", "192.0.2.1"} {
		begun := time.Now()
		if got := asks(t, o.Client, addr); got != "unhealthy: unhealthy" {
			t.Errorf("%s: %s", addr, got)
		}
		if took := time.Since(begun); took > z.Timeout/2 {
			t.Errorf("%s took %v", addr, took)
		}
	}
	if s := o.next(t); s.Healthy || d.Asked("192.0.2.3") != 0 {
		t.Errorf("%+v", s)
	}
	for _, pause := range []int{10, 20, 40, 80, 160, 300} { // seconds
		o.later(time.Duration(pause) * time.Second)
		checkedAt(t, o)
	}
	if s := o.Zones()[0]; !s.Due.Equal(o.clock.now().Add(recheckMost)) {
		t.Errorf("%+v", s)
	}
	d.SetFault(mtatest.NoFault)
	o.later(recheckMost)
	if s := o.next(t); !s.Healthy {
		t.Errorf("%+v", s)
	}
	if got := asks(t, o.Client, "192.0.2.2"); got != "not-listed: not-listed" {
		t.Error(got)
	}
}

// checkedAt waits for a check at the present time.
func checkedAt(t *testing.T, o observed) {
	t.Helper()
	for range 1000 {
		if o.Zones()[0].Checked.Equal(o.clock.now()) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("no check")
}

// TestFalseSuspicion: a question that fails alone is no news, and harms the
// zone for as long as a check takes.
func TestFalseSuspicion(t *testing.T) {
	d := serve(t, "list.example")
	o := run(t, zoneAt(d, "list.example"))
	o.start(t)
	o.next(t)
	o.clock.move(time.Minute)
	d.List("192.0.2.1", "203.0.113.1")
	if got := asks(t, o.Client, "192.0.2.1"); got != "invalid: invalid[203.0.113.1]" {
		t.Error(got)
	}
	checkedAt(t, o)
	if got := asks(t, o.Client, "192.0.2.2"); got != "not-listed: not-listed" {
		t.Error(got)
	}
	o.nothing(t)
	if s := o.Zones()[0]; !s.Healthy || s.Since.Equal(s.Checked) || s.Asked[Invalid] != 1 {
		t.Errorf("%+v", s)
	}
}

// TestFailedMeanwhile: an answer of a zone that failed its check before the
// answer was complete does not count.
func TestFailedMeanwhile(t *testing.T) {
	d := serve(t, "list.example")
	c, _ := open(t, Options{Zones: []Zone{zoneAt(d, "list.example")}})
	d.SetDelay(300 * time.Millisecond)
	q := c.Start(ip("192.0.2.1"))
	c.mu.Lock()
	c.settle(c.zones[0], true, context.Canceled)
	c.mu.Unlock()
	if got := says(q.Wait(t.Context())); got != "unhealthy: unhealthy" {
		t.Error(got)
	}
}

// An honest list that has somebody after a while is checked once, by however many
// learn of it together, and believed.
func TestListingIsConfirmed(t *testing.T) {
	d := serve(t, "list.example")
	c, clk := open(t, Options{Zones: []Zone{zoneAt(d, "list.example")}})
	var addrs []netip.Addr
	for i := range 20 {
		addrs = append(addrs, ip(fmt.Sprintf("192.0.2.%d", i+1)))
		d.List(addrs[i].String())
	}
	clk.move(trustFor)
	before := d.Counts().Questions
	var questions []Question
	for _, a := range addrs {
		questions = append(questions, c.Start(a))
	}
	for i, q := range questions {
		if r := q.Wait(t.Context()); r.Status != Listed {
			t.Errorf("%s: %+v", addrs[i], r)
		}
	}
	if n := d.Counts().Questions - before; n != len(addrs)+2 {
		t.Errorf("%d questions, want %d and one check", n, len(addrs))
	}
}
