//go:build linux

package e2e

import (
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/mta"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/smtp"
)

func trafficCases() []testCase {
	return []testCase{
		{name: "restart-in-traffic", run: restartInTraffic},
		{name: "restart-beside-idle", run: restartBesideIdle},
		{name: "reload-storm", run: reloadStorm},
		{name: "rotation-in-traffic", run: rotationInTraffic},
	}
}

const (
	senders    = 20 // clients at once
	perSession = 4  // messages that a client brings before it connects anew
)

// parcel is one message of the traffic: how it is sent, and how it must arrive.
type parcel struct {
	client, from, to string
	deliveredFrom    string // "" is the null sender, signed any valid tag of alice's
	deliveredTo      string
	mark             string // begins X-Backscatter; "" for none
	bounce           bool   // else ordinary mail
	refusable        bool   // 550 5.7.1 is right, too: then it must not arrive
}

const signed = "(signed)"

// The kinds of mail.
func ordinaryParcel() parcel {
	return parcel{client: outsideClient, from: stranger, to: alice, deliveredFrom: stranger, deliveredTo: alice}
}

func outboundParcel() parcel {
	return parcel{client: ownClient, from: alice, to: stranger, deliveredFrom: signed, deliveredTo: stranger}
}

func bounceParcel(tagged string) parcel {
	return parcel{client: outsideClient, to: tagged, deliveredTo: alice, mark: "accept; reason=tag-valid", bounce: true}
}

func untaggedParcel() parcel {
	return parcel{client: outsideClient, to: alice, deliveredTo: alice, mark: "mark; reason=tag-missing", bounce: true, refusable: true}
}

// traffic is many clients that bring mail at once.
type traffic struct {
	*desk
	next func(i int) parcel // the i-th message, from 0; called by many at once

	mu      sync.Mutex
	parcels map[int]parcel // those that have been accepted
	wrong   int            // replies that should not have been
	begun   atomic.Int64   // messages
	total   atomic.Int64   // that are to be sent
	wait    sync.WaitGroup
}

// openTraffic begins to send total messages, or fewer if end is called.
func (d *desk) openTraffic(total int, next func(i int) parcel) *traffic {
	t := &traffic{desk: d, next: next, parcels: make(map[int]parcel)}
	t.total.Store(int64(total))
	for range senders {
		t.wait.Go(func() {
			for t.session() {
			}
		})
	}
	return t
}

// end has no more messages sent.
func (t *traffic) end() { t.total.Store(0) }

// reach waits until so many messages have begun.
func (t *traffic) reach(count int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); t.begun.Load() < int64(count); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d messages have begun in a minute, want %d", t.begun.Load(), count)
		}
	}
}

// session brings some messages on one connection, all from one kind of client,
// and reports whether there are more to bring.
func (t *traffic) session() bool {
	var client *smtp.Client
	var said smtp.Transcript // not of interest but for the one reply
	at := ""
	defer func() {
		if client != nil {
			client.Close()
		}
	}()
	for range perSession {
		i := int(t.begun.Add(1)) - 1
		if int64(i) >= t.total.Load() {
			return false
		}
		p := t.next(i)
		if at != p.client {
			if client != nil {
				client.Close()
			}
			var err error
			if client, err = smtp.Dial(p.client, t.mta.Door(mta.Front), &said); err != nil {
				client = nil
				t.complain("message %d: %v", i, err)
				return true
			}
			at = p.client
			if reply := client.Hello(); !reply.Is("250") {
				t.complain("message %d: EHLO: %q", i, reply)
				return true
			}
		}
		if !t.bring(client, i, p) {
			return true
		}
	}
	return true
}

// bring sends one message and reports whether the connection is still of use.
func (t *traffic) bring(client *smtp.Client, i int, p parcel) bool {
	message := t.ordinary(p.from, p.to)
	if p.bounce {
		message = t.desk.bounce()
	}
	reply := firstRefusal(client, p.from, p.to, "X-Parcel: "+strconv.Itoa(i)+"\r\n"+message)
	switch {
	case reply.Is("250"):
		t.mu.Lock()
		t.parcels[i] = p
		t.mu.Unlock()
		return true
	case p.refusable && reply.Is("550 5.7.1"):
		return client.Do("RSET").Is("250")
	}
	t.complain("message %d from <%s> to <%s>: %q", i, p.from, p.to, reply)
	return false
}

// complain fails the case, but does not fill the screen.
func (t *traffic) complain(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wrong++; t.wrong <= 10 {
		t.Errorf(format, args...)
	}
}

// finish waits until all is sent, and wants everything that was accepted to
// have arrived, once, as it should. It returns the signed reverse-paths.
func (t *traffic) finish() (reversePaths []string) {
	t.Helper()
	t.wait.Wait()
	if t.wrong > 0 {
		t.Errorf("%d messages in all were refused", t.wrong)
	}
	seen := map[string]bool{}
	for range len(t.parcels) {
		delivery := t.claim()
		number := delivery.Fields("X-Parcel")
		if len(number) != 1 {
			t.Fatalf("X-Parcel: %q", number)
		}
		i, err := strconv.Atoi(number[0])
		p, ok := t.parcels[i]
		if err != nil || !ok {
			t.Fatalf("message %q arrived twice, or was refused", number[0])
		}
		delete(t.parcels, i)
		if from := delivery.From.Address; p.deliveredFrom == signed {
			seen[from] = true
		} else if from != p.deliveredFrom {
			t.Errorf("message %d: reverse-path <%s>, want <%s>", i, from, p.deliveredFrom)
		}
		if len(delivery.To) != 1 || delivery.To[0].Address != p.deliveredTo {
			t.Errorf("message %d: delivered to %v, want <%s>", i, delivery.To, p.deliveredTo)
		}
		if got := strings.Join(delivery.Fields("X-Backscatter"), " + "); (got == "") != (p.mark == "") || !strings.HasPrefix(got, p.mark) {
			t.Errorf("message %d: X-Backscatter %q, want %q", i, got, p.mark)
		}
	}
	for address := range seen {
		v, err := t.daemon.Verify(address)
		if err != nil || v.Result != "valid" || v.Bare != alice {
			t.Errorf("reverse-path <%s>: verify says %+v, %v", address, v, err)
		}
		reversePaths = append(reversePaths, address)
	}
	return reversePaths
}

// mixed is ordinary mail, our own mail and bounces of it in turn. A client that
// sends for us keeps to that for a whole session.
func mixed(tagged string) func(i int) parcel {
	return func(i int) parcel {
		switch i % 3 {
		case 0:
			return ordinaryParcel()
		case 1:
			return bounceParcel(tagged)
		}
		return outboundParcel()
	}
}

// Under systemd's socket activation a restart in the midst of traffic loses
// nothing and refuses nothing: the old daemon ends what it has begun, clients
// that come meanwhile wait in the socket for the new one.
func restartInTraffic(d *desk) {
	d.holdSocket()
	const total = 1000
	t := d.openTraffic(total, mixed(d.tag(alice)))
	for _, moment := range []int{total / 4, total / 2, total * 3 / 4} {
		t.reach(moment)
		began := time.Now()
		d.stop()
		stopped := time.Now()
		d.restart()
		d.Logf("stopped in %v, started in %v", stopped.Sub(began), time.Since(stopped))
	}
	t.finish()
}

// A client that keeps its connection and says nothing does not hold up a
// restart for so long that others are refused.
func restartBesideIdle(d *desk) {
	d.holdSocket()
	idle := d.connect(outsideClient)
	d.send(idle, stranger, alice, d.ordinary(stranger, alice))
	d.claimFor(alice)
	t := d.openTraffic(120, mixed(d.tag(alice)))
	t.reach(40)
	d.stop()
	d.restart()
	t.finish()
}

// holdSocket starts the daemon anew, on a socket that outlives it.
func (d *desk) holdSocket() {
	d.Helper()
	d.stop()
	listener, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(d.milter))
	if err != nil {
		d.Fatal(err)
	}
	socket, err := listener.File()
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() {
		_ = listener.Close()
		_ = socket.Close()
	})
	d.daemon.Inherit(socket)
	d.restart()
}

// stop asks the daemon to stop and waits until it has.
func (d *desk) stop() {
	d.Helper()
	if err := d.daemon.Terminate(); err != nil {
		d.Fatal(err)
	}
	if err := d.daemon.Wait(20 * time.Second); err != nil {
		d.Fatal(err)
	}
}

// While configurations come and go every few milliseconds, broken ones among
// them, each message is judged by one of them: nothing is lost, nothing refused
// that none of them refuses, and a refusal is one for sender and recipient.
func reloadStorm(d *desk) {
	good := d.config(settings{})
	configs := []string{
		good,
		d.config(refuseAtRcpt),
		"domains = [",
		d.config(refuseAtEnd),
		d.config(settings{top: `nonsense = true`}),
		d.config(settings{top: "stage = \"data\"\nnull_like = [\"mailer-daemon\"]", tables: refuseMissing}),
		d.config(settings{tables: "[[domain]]\nname = \"example.com\"\nall_mail_here = true\n"}),
		d.config(settings{top: `mode = "wrong"`}),
	}
	tagged := d.tag(alice)
	t := d.openTraffic(360, func(i int) parcel {
		if i%6 == 5 {
			return untaggedParcel()
		}
		return mixed(tagged)(i)
	})
	done := make(chan struct{})
	go func() {
		t.wait.Wait()
		close(done)
	}()
	for i := 0; ; i++ {
		select {
		case <-done:
			d.endStorm(t, good, i)
			return
		case <-time.After(3 * time.Millisecond):
		}
		if err := d.daemon.Configure(configs[i%len(configs)]); err != nil {
			d.Fatal(err)
		}
		if err := d.daemon.Hangup(); err != nil {
			d.Fatal(err)
		}
	}
}

func (d *desk) endStorm(t *traffic, good string, hangups int) {
	d.Helper()
	if err := d.daemon.Configure(good); err != nil {
		d.Fatal(err)
	}
	if err := d.daemon.Reload(); err != nil {
		d.Error(err)
	}
	t.finish()
	log := d.daemon.Log()
	loaded, refused := strings.Count(log, `"msg":"reloaded"`), strings.Count(log, `"msg":"not reloaded`)
	d.Logf("%d hangups: %d configurations loaded, %d mistakes told", hangups, loaded, refused)
	if loaded < 10 || refused < 5 {
		d.Errorf("%d configurations loaded, %d mistakes told: that was no storm", loaded, refused)
	}
}

// Keys are rotated while mail flows: the daemon takes each new key at once, and
// what was signed with any of the old ones comes home.
func rotationInTraffic(d *desk) {
	var mu sync.Mutex
	tags := []string{d.tag(alice)}
	t := d.openTraffic(2000, func(i int) parcel {
		mu.Lock()
		defer mu.Unlock()
		if i%3 == 1 {
			return bounceParcel(tags[i/3%len(tags)])
		}
		return mixed("")(i)
	})
	for _, options := range [][]string{{"--now"}, {"--now"}, {}, {"--now"}} {
		t.reach(int(t.begun.Load()) + 2*senders)
		if err := d.daemon.RotateKeys(options...); err != nil {
			d.Error(err)
		}
		if len(options) == 0 {
			continue // it verifies for a day before it signs
		}
		tagged := d.newTag(tags)
		mu.Lock()
		tags = append(tags, tagged)
		mu.Unlock()
	}
	t.reach(int(t.begun.Load()) + 2*senders)
	t.end()
	reversePaths := t.finish()
	if len(reversePaths) != len(tags) {
		d.Errorf("signed as %v, want each of the keys of %v to have been used", reversePaths, tags)
	}
	client := d.connect(outsideClient)
	for _, tagged := range append(reversePaths, tags...) {
		d.send(client, "", tagged, d.bounce())
		d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	}
	d.wantKeysPrivate()
}

// newTag waits for a tag that is none of these: a key signs from a full second.
func (d *desk) newTag(older []string) string {
	d.Helper()
	for deadline := time.Now().Add(3 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		tagged := d.tag(alice)
		if !slices.Contains(older, tagged) {
			return tagged
		}
		if time.Now().After(deadline) {
			d.Fatalf("still signed as <%s>", tagged)
		}
	}
}

// wantKeysPrivate wants the key file to be the daemon's user's, and nobody
// else's.
func (d *desk) wantKeysPrivate() {
	d.Helper()
	var state, keys unix.Stat_t
	if err := errors.Join(unix.Stat(d.daemon.State(), &state), unix.Stat(filepath.Join(d.daemon.State(), "keys.toml"), &keys)); err != nil {
		d.Fatal(err)
	}
	if keys.Uid != state.Uid || keys.Mode&0o777 != 0o600 {
		d.Errorf("keys.toml belongs to user %d and has mode %o, want %d and 600", keys.Uid, keys.Mode&0o777, state.Uid)
	}
}
