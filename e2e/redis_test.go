//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/matrix"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/redis"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/smtp"
)

// hosts are two hosts of one site, each a Postfix with a daemon of its own.
type hosts struct {
	*testing.T
	a, b   *desk
	server *redis.Server
}

// hostsCase is something that two hosts and a store must be seen to do.
type hostsCase struct {
	name    string
	url     string   // of the store; "": the server's
	options []string // of the server
	tables  string
	prepare func(dir string) error // of a daemon's folder
	run     func(*hosts)
}

const sharedFlood = "[flood]\nthreshold = 20\nsurge = 20\nrecipient_threshold = 100000\nblock = \"15m\"\n"

func hostsCases() []hostsCase {
	return []hostsCase{
		{name: "proven-on-the-other", run: provenOnTheOther},
		{name: "one-flood", tables: sharedFlood, run: oneFlood},
		{name: "killed-in-flood", tables: sharedFlood, options: []string{"--appendonly", "yes", "--appendfsync", "always"}, run: killedInFlood(false)},
		{name: "killed-data-lost", tables: sharedFlood, run: killedInFlood(true)},
		{name: "paused", run: storePaused},
		{name: "wrong-password", url: "redis://user:hunter22@192.0.2.79:6379/0", run: wrongPassword},
		{name: "wrong-type", run: wrongType},
		{name: "memory-full", run: memoryFull},
		{name: "emptied", run: emptied},
		{name: "replica", run: becomesReplica},
	}
}

var storeAt = netip.MustParseAddrPort("192.0.2.79:6379")

// fleet are the servers of the cases.
type fleet struct {
	*testing.T
	store *box.Box
	sites [2]*site
	keys  string // a key file for both hosts
}

func runHosts(t *testing.T, results *scoreboard) {
	const name = "redis"
	storeBox, err := box.New(name, here.Packages[name])
	if err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(t.TempDir(), "keys.toml")
	if _, err := batv.CreateKeyFile(keys, time.Now()); err != nil {
		t.Fatal(err)
	}
	f := &fleet{t, storeBox, [2]*site{openSite(t, "postfix-a"), openSite(t, "postfix-b")}, keys}
	for _, c := range hostsCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Cleanup(func() { results.record(matrix.Cell{MTA: name, Case: c.name}, t) })
			server, err := redis.Start(storeBox, storeAt, c.options...)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(server.Kill)
			url := c.url
			if url == "" {
				url = server.URL()
			}
			f.run(t, c, url, server)
		})
	}
	for _, c := range f.others() {
		t.Run(c.name, func(t *testing.T) {
			t.Cleanup(func() { results.record(matrix.Cell{MTA: name, Case: c.name}, t) })
			c.run(t)
		})
	}
}

// run runs a case with two hosts.
func (f *fleet) run(t *testing.T, c hostsCase, url string, server *redis.Server) {
	with := settings{top: fmt.Sprintf("store = %q\n", url), tables: c.tables, prepare: func(t *testing.T, state string) {
		content, err := os.ReadFile(f.keys)
		if err == nil {
			err = os.WriteFile(filepath.Join(state, "keys.toml"), content, 0o600)
		}
		if err == nil && c.prepare != nil {
			err = c.prepare(filepath.Dir(state))
		}
		if err != nil {
			t.Fatal(err)
		}
	}}
	c.run(&hosts{T: t, a: f.sites[0].openDesk(t, with), b: f.sites[1].openDesk(t, with), server: server})
}

// wantStatus waits until both daemons' status has a text.
func (h *hosts) wantStatus(text string) {
	h.Helper()
	for _, d := range []*desk{h.a, h.b} {
		status := ""
		for deadline := time.Now().Add(15 * time.Second); !strings.Contains(status, text); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				h.Fatalf("no %q in the status:\n%s", text, status)
			}
			status, _ = d.daemon.Status()
		}
	}
}

// together waits until the two have heard of each other.
func (h *hosts) together() {
	h.Helper()
	h.wantStatus("heard of until")
}

// sends has a message leave through one host.
func (d *desk) sends(id string) original {
	d.Helper()
	sent := original{from: alice, to: stranger, id: id + "-" + d.token + "@example.com", date: time.Now()}
	d.send(d.connect(ownClient), alice, stranger, sent.message())
	d.claimFor(stranger)
	return sent
}

// proven wants a host to prove, within a second, what left through another.
func (d *desk) proven(sent original) {
	d.Helper()
	client := d.connect(outsideClient)
	time.Sleep(time.Second)
	d.wantMarked(client, "", alice, d.bounceOf(sent), "accept", "origin-proven", "ledger")
}

func provenOnTheOther(h *hosts) {
	h.together()
	h.b.proven(h.a.sends("one"))
	h.a.proven(h.b.sends("two"))
	for _, d := range []*desk{h.a, h.b} { // nothing is foreign that the other may have sent
		d.wantMarked(d.connect(outsideClient), "", alice, d.bounceOf(d.forgery()), "mark", "tag-missing", "unknown")
		out, exit, err := d.daemon.Asking("check")
		if err != nil || exit != 0 && !strings.Contains(out, "version 7") {
			h.Errorf("check: %d, %v\n%s", exit, err, out)
		}
	}
}

// unproven brings so many bounces without proof to a host, and counts those
// that are refused at RCPT.
func (d *desk) unproven(n int) (refused int) {
	d.Helper()
	client := d.connect(outsideClient)
	for range n {
		d.want(client.Mail(""), "250")
		reply := client.Rcpt(bob)
		if reply.Is("250") {
			d.want(client.Data(d.bounce()), "250")
			d.claimFor(bob)
			continue
		}
		d.want(reply, "451")
		refused++
		d.want(client.Do("RSET"), "250")
	}
	return refused
}

// wantBlocked waits until a host refuses such bounces at RCPT.
func (d *desk) wantBlocked(client *smtp.Client, within time.Duration) {
	d.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
		d.want(client.Mail(""), "250")
		reply := client.Rcpt(bob)
		d.want(client.Do("RSET"), "250")
		if reply.Is("451") {
			return
		}
		if time.Now().After(deadline) {
			d.Fatalf("not blocked after %v: %q", within, reply)
		}
	}
}

func oneFlood(h *hosts) {
	h.together()
	if n := h.a.unproven(12); n > 0 {
		h.Errorf("%d of the first 12 refused", n)
	}
	time.Sleep(500 * time.Millisecond)
	if n := h.b.unproven(14); n == 0 || n > 10 {
		h.Errorf("%d of 12 and 14 refused, at a threshold of 20", n)
	}
	h.a.wantBlocked(h.a.connect(outsideClient), time.Second)
	for _, d := range []*desk{h.a, h.b} { // what is proven passes, and so do others
		d.send(d.connect(outsideClient), "", d.tag(alice), d.bounce())
		d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
		d.send(d.connect("198.51.100.25"), alice, stranger, d.ordinary(alice, stranger))
		d.claimFor(stranger)
	}
}

// The store dies in mid flood and traffic. Nothing is lost or refused because of
// it; the hosts act alone, and find together again.
func killedInFlood(lost bool) func(*hosts) {
	return func(h *hosts) {
		h.together()
		before := h.a.sends("before")
		h.a.unproven(12)
		h.server.Kill()
		h.wantStatus("away")
		a, b := h.a.sends("a-alone"), h.b.sends("b-alone")
		h.b.wantMarked(h.b.connect(outsideClient), "", alice, h.b.bounceOf(before), "accept", "origin-proven", "ledger")
		h.b.wantMarked(h.b.connect(outsideClient), "", alice, h.b.bounceOf(a), "mark", "tag-missing", "unknown")
		if n := h.b.unproven(4); n > 0 {
			h.Errorf("b refuses %d of 6 that came to it", n)
		}
		if n := h.a.unproven(12); n == 0 {
			h.Error("a alone does not cut off 24")
		}
		if lost {
			if err := os.RemoveAll(filepath.Join(h.server.Folder(), "appendonlydir")); err != nil {
				h.Fatal(err)
			}
		}
		if err := h.server.Restart(); err != nil {
			h.Fatal(err)
		}
		h.b.wantBlocked(h.b.connect(outsideClient), 10*time.Second)
		h.together()
		time.Sleep(time.Second)
		const other = "192.0.2.201" // no part of the flood
		h.b.wantMarked(h.b.connect(other), "", alice, h.b.bounceOf(a), "accept", "origin-proven", "ledger")
		h.a.wantMarked(h.a.connect(other), "", alice, h.a.bounceOf(b), "accept", "origin-proven", "ledger")
	}
}

// A store that hangs costs nobody time.
func storePaused(h *hosts) {
	h.together()
	if err := h.server.Pause(); err != nil {
		h.Fatal(err)
	}
	begun := time.Now()
	a := h.a.sends("a-alone")
	h.a.wantMarked(h.a.connect(outsideClient), "", alice, h.a.bounceOf(a), "accept", "origin-proven", "ledger")
	if took := time.Since(begun); took > 3*time.Second {
		h.Errorf("mail took %v", took)
	}
	h.wantStatus("away")
	h.a.wantAway()
	if err := h.server.Resume(); err != nil {
		h.Fatal(err)
	}
	h.together()
	h.b.proven(a)
}

// wantAway wants page and report to say that the shared store is away.
func (d *desk) wantAway() {
	d.Helper()
	page, err := d.daemon.Get("/")
	if err != nil || !strings.Contains(page, "<li>The shared store redis://") || !strings.Contains(page, `<span class="down">away</span> since `) {
		d.Errorf("the page does not say that the store is away: %v\n%s", err, page)
	}
	if out, err := d.daemon.Report(); err != nil || !strings.Contains(out, "  THE SHARED STORE redis://") {
		d.Errorf("the report does not say that the store is away: %v\n%s", err, out)
	}
}

// alone wants the hosts to work each from its memory, and to say why.
func (h *hosts) alone(why string) {
	h.Helper()
	h.wantStatus(why)
	a := h.a.sends("alone")
	h.a.wantMarked(h.a.connect(outsideClient), "", alice, h.a.bounceOf(a), "accept", "origin-proven", "ledger")
	h.b.wantMarked(h.b.connect(outsideClient), "", alice, h.b.bounceOf(a), "mark", "tag-missing", "unknown")
	out, exit, err := h.a.daemon.Asking("check")
	if err != nil || exit != 1 || !strings.Contains(out, why) {
		h.Errorf("check: %d, %v\n%s", exit, err, out)
	}
	if n := strings.Count(h.a.daemon.Log(), "the shared store is away"); n != 1 {
		h.Errorf("logged %d times", n)
	}
}

func wrongPassword(h *hosts) {
	h.alone("user or password is wrong")
	status, err := h.a.daemon.Status()
	check, _, checkErr := h.a.daemon.Asking("check")
	if err != nil || checkErr != nil || strings.Contains(status+check+h.a.daemon.Log(), "hunter22") {
		h.Errorf("the password is shown, or %v, %v", err, checkErr)
	}
}

func wrongType(h *hosts) {
	if _, err := h.server.Ask("del", "{backscatter-milter}:site"); err != nil {
		h.Fatal(err)
	}
	if _, err := h.server.Ask("flushall"); err != nil {
		h.Fatal(err)
	}
	if _, err := h.server.Ask("set", "{backscatter-milter}:live", "something else"); err != nil {
		h.Fatal(err)
	}
	h.wantStatus("a key is taken by something else")
	if _, err := h.server.Ask("flushall"); err != nil {
		h.Fatal(err)
	}
	h.together()
	h.b.proven(h.a.sends("after"))
}

func memoryFull(h *hosts) {
	h.together()
	if _, err := h.server.Ask("config", "set", "maxmemory", "1"); err != nil {
		h.Fatal(err)
	}
	h.alone("its memory is full")
	if _, err := h.server.Ask("config", "set", "maxmemory", "0"); err != nil {
		h.Fatal(err)
	}
	h.together()
	h.b.proven(h.a.sends("after"))
}
