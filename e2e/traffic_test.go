//go:build linux

package e2e

import (
	"errors"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/mta"
)

func trafficCases() []testCase {
	return []testCase{
		{name: "restart-in-traffic", run: restartInTraffic},
		{name: "restart-beside-idle", run: restartBesideIdle},
		{name: "reload-storm", settings: settings{tables: noFloods}, run: reloadStorm},
		{name: "rotation-in-traffic", run: rotationInTraffic},
	}
}

// Under systemd's socket activation a restart in the midst of traffic loses
// nothing and refuses nothing: the old daemon ends what it has begun, clients
// that come meanwhile wait in the socket for the new one.
func restartInTraffic(d *desk) {
	d.stop()
	d.holdSocket(net.Listen("tcp", d.milter.String()))
	const total = 1000
	t := d.openTraffic(mta.Front, total, mixed(d.tag(alice)))
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
// restart for so long that others are refused. The socket is a Unix one here.
func restartBesideIdle(d *desk) {
	d.stop()
	d.holdSocket(net.Listen("unix", d.socket))
	if err := os.Chmod(d.socket, 0o666); err != nil {
		d.Fatal(err)
	}
	idle := d.connectTo(mta.Socket, outsideClient)
	d.send(idle, stranger, alice, d.ordinary(stranger, alice))
	d.claimFor(alice)
	t := d.openTraffic(mta.Socket, 120, mixed(d.tag(alice)))
	t.reach(40)
	d.stop()
	d.restart()
	t.finish()
	// The idle one has lost its milter, and may have to come again.
	if reply := idle.Mail(stranger); !reply.Is("250") && !strings.HasPrefix(string(reply), "4") {
		d.Errorf("reply %q to the idle client, want 250 or 4xx", reply)
	}
}

// holdSocket starts the daemon anew, on a socket that outlives it. It takes what
// net.Listen returns.
func (d *desk) holdSocket(listener net.Listener, err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() { _ = listener.Close() })
	socket, err := listener.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() { _ = socket.Close() })
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
	good := d.config(settings{tables: noFloods})
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
	for i := range configs[1:] {
		configs[1+i] += noFloods
	}
	tagged := d.tag(alice)
	t := d.openTraffic(mta.Front, 360, func(i int) parcel {
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
	t := d.openTraffic(mta.Front, math.MaxInt32, func(i int) parcel {
		time.Sleep(50 * time.Millisecond) // the keys take seconds: no more mail than is needed
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
