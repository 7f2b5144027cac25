package milter

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

const (
	short = 150 * time.Millisecond
	long  = time.Minute
)

func unhurried() timing {
	return timing{negotiate: long, frame: long, idle: long, write: long, stopIdle: long, stopBusy: long}
}

// A peer is cut off that does not negotiate, does not end a frame however it
// spreads its octets, or has nothing more to say.
func TestSlowPeersAreCutOff(t *testing.T) {
	offer := mtatest.PostfixOffer().Frame()
	for _, tc := range []struct {
		why     string
		shorten func(*timing)
		send    []byte
	}{
		{"negotiation-timeout", func(l *timing) { l.negotiate = short }, offer[:len(offer)-1]},
		{"frame-timeout", func(l *timing) { l.frame = short }, append(offer, mtatest.Frame('M', "<a@example.net>\x00")[:9]...)},
		{"idle-timeout", func(l *timing) { l.idle = short }, offer},
	} {
		t.Run(tc.why, func(t *testing.T) {
			limits := unhurried()
			tc.shorten(&limits)
			b := hurried(t, limits)
			c, err := net.Dial("tcp", b.address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for i := range tc.send { // octet by octet
				if _, err := c.Write(tc.send[i : i+1]); err != nil {
					break // cut off before the end: the count tells whether rightly so
				}
				time.Sleep(short / 40)
			}
			cutOff(t, c, tc.why)
			if b.count(tc.why) != 1 {
				t.Errorf("counted %v", b.rejected)
			}
		})
	}
}

// At Stop the guard knows from the frames which connection carries a
// transaction: that one outlives the time that idle ones are given.
func TestStopTellsIdleFromBusy(t *testing.T) {
	limits := unhurried()
	limits.stopIdle = short
	b := hurried(t, limits)
	busy, idle := b.dial(t, mtatest.PostfixOffer()), b.dial(t, mtatest.PostfixOffer())
	if r := play(t, idle, bounce(b.tagged(t, "alice@example.com"))); !r.Accepted() { // one that is over
		t.Fatal(r.Reply)
	}
	steps(t,
		func() (mtatest.Reply, error) { return busy.Connect("mx.example.net", '4', 40000, "192.0.2.25") },
		func() (mtatest.Reply, error) { return busy.Mail("", nil) },
		func() (mtatest.Reply, error) { return busy.Rcpt(b.tagged(t, "alice@example.com"), nil) })
	stopped := make(chan error, 1)
	go func() { stopped <- b.server.Stop(context.Background()) }()
	time.Sleep(3 * short)
	if _, err := idle.Run(bounce("alice@example.com")); err == nil {
		t.Error("the idle connection was not closed")
	}
	steps(t, c2(busy.EndOfHeaders))
	r, mods, err := busy.EndOfMessage()
	if err != nil || r.Action != mtatest.Accept || len(mods) != 3 {
		t.Errorf("the busy one: %v, changes %v, %v", r, mods, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// pipe is a guarded end of a connection, with the peer's end.
func pipe(t *testing.T) (*guardedConn, net.Conn) {
	t.Helper()
	s := &Server{observer: &witness{}, now: time.Now, timing: unhurried(), conns: map[*guardedConn]struct{}{}, places: make(chan struct{}, 1)}
	s.settings.Store(testSettings(t, baseConfig, nil))
	s.places <- struct{}{}
	near, far := net.Pipe()
	t.Cleanup(func() { far.Close() })
	return s.register(near).(*guardedConn), far
}

// Chunks of body without end, after a message that nobody reads, are dropped
// one after the other: nothing grows.
func TestEndlessBody(t *testing.T) {
	b := start(t, "")
	c, err := net.Dial("tcp", b.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() { _, _ = io.Copy(io.Discard, c) }()
	if _, err := c.Write(append(mtatest.PostfixOffer().Frame(), mtatest.Frame('M', "<bob@example.net>\x00")...)); err != nil {
		t.Fatal(err)
	}
	chunks := bytes.Repeat(mtatest.Frame('B'), 100_000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 30 {
		if _, err := c.Write(chunks); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.StackInuse) - int64(before.StackInuse); grown > 8<<20 {
		t.Errorf("%d MiB more of stack", grown>>20)
	}
	b.alive(t)
}

// What a long frame, or a long answer, took is given back.
func TestBuffersAreGivenBack(t *testing.T) {
	c, peer := pipe(t)
	long := mtatest.Frame('B', strings.Repeat("x", 500<<10))
	go func() {
		_, _ = peer.Write(append(mtatest.PostfixOffer().Frame(), long...))
		_, _ = peer.Write(mtatest.Frame('A'))
	}()
	p := make([]byte, 64<<10)
	for got := 0; got < len(long)+17+5; {
		n, err := c.Read(p)
		if err != nil {
			t.Fatal(err)
		}
		got += n
	}
	if len(c.in) != readBuffer {
		t.Errorf("%d octets of buffer after a long frame", len(c.in))
	}
	go func() { _, _ = peer.Read(p) }()
	if _, err := c.Write(p[:40<<10]); err != nil {
		t.Fatal(err)
	}
	if err := c.flush(); err != nil {
		t.Fatal(err)
	}
	if cap(c.out) > readBuffer {
		t.Errorf("%d octets of buffer after a long answer", cap(c.out))
	}
}

// More than a megabyte of replies is not held.
func TestHeldRepliesAreBounded(t *testing.T) {
	c, peer := pipe(t)
	received := make(chan int)
	go func() {
		p := make([]byte, 2*heldWrites)
		n, _ := peer.Read(p)
		received <- n
	}()
	for range heldWrites/1000 + 2 {
		if _, err := c.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if n := <-received; n < heldWrites {
		t.Errorf("%d octets were sent", n)
	}
}

// An MTA that goes on without the milter must not have got the first part of
// a message's changes.
func TestCloseSendsNoHalfTransaction(t *testing.T) {
	for _, tc := range []struct {
		name  string
		final byte
		want  int
	}{{"changes alone", 'i', 0}, {"with the final reply", 'a', 10}} {
		c, peer := pipe(t)
		received := make(chan int)
		go func() {
			n, _ := peer.Read(make([]byte, 100))
			received <- n
		}()
		c.begin(codeMail)
		c.begin(codeEOM)
		for _, code := range []byte{'-', tc.final} {
			if _, err := c.Write([]byte{0, 0, 0, 1, code}); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if n := <-received; n != tc.want {
			t.Errorf("%s: %d octets were sent, want %d", tc.name, n, tc.want)
		}
	}
}

// What is held of one transaction is bounded however many recipients come.
func TestHeldRecipientsAreBounded(t *testing.T) {
	b := start(t, "")
	c := b.dial(t, mtatest.PostfixOffer())
	steps(t,
		func() (mtatest.Reply, error) { return c.Connect("mx.example.net", '4', 40000, "192.0.2.25") },
		func() (mtatest.Reply, error) { return c.Mail("", nil) })
	for i := range maxHeld / 7000 {
		r, err := c.Rcpt(fmt.Sprintf("%s%d@example.com", strings.Repeat("x", 7000), i), nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Action != mtatest.Continue {
			wantReply(t, "too many", r, 452, "4.5.3")
			return
		}
	}
	t.Error("no end was put to it")
}

func TestTooManyVerdictHeaders(t *testing.T) {
	b := start(t, "")
	tx := mtatest.SampleOrdinary("bob@example.net", "alice@example.com")
	for range maxBrought + 100 {
		tx.Headers = append(tx.Headers, mtatest.Header{Name: policy.HeaderName, Value: "x"})
	}
	r := b.run(t, tx)
	if !r.Accepted() || len(r.Mods) != maxBrought+1 || len(b.failures) != 1 {
		t.Fatalf("%v, %d changes, failures %v", r.Reply, len(r.Mods), b.failures)
	}
	if last := r.Mods[maxBrought]; last.Kind != mtatest.InsertHeader || last.Index != 1 || last.Name != policy.HeaderName || last.Value != policy.HeaderUnknown {
		t.Errorf("on top of what is left: %+v", last)
	}
}

// Each listener gets its turn, however few connections there may be.
func TestListenersShareTheLimit(t *testing.T) {
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := startOn(t, "", first, &witness{}, 1, nil)
	second, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.server.Serve(second) }()
	t.Cleanup(func() {
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		if err := b.server.close(); err != nil {
			t.Error(err)
		}
	})
	for range 3 {
		for _, l := range []net.Listener{first, second} {
			b.address = l.Addr().String()
			c := b.dial(t, mtatest.PostfixOffer())
			if r := play(t, c, mtatest.SampleOrdinary("bob@example.net", "alice@example.com")); !r.Accepted() {
				t.Error(r.Reply)
			}
			if err := c.Quit(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestServeAfterStop(t *testing.T) {
	b := start(t, "")
	if err := b.server.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.server.Serve(l); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("still listening")
	}
}

// A daemon that is too busy to answer at once still owns its socket.
func TestBusySocketIsNotTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "milter.sock")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unix", path) // fills the queue
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := removeStale(path); err == nil {
		t.Error("the socket of a busy daemon was removed")
	}
}
