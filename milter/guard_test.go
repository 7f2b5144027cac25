package milter

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// negotiated is a connection on which the offer has been answered.
func (b *bench) negotiated(t *testing.T) *mtatest.Client {
	t.Helper()
	return b.dial(t, mtatest.PostfixOffer())
}

// alive fails unless the server answers another MTA.
func (b *bench) alive(t *testing.T) {
	t.Helper()
	if r := b.run(t, mtatest.SampleOrdinary("bob@example.net", "alice@example.com")); !r.Accepted() {
		t.Errorf("ordinary mail afterwards: %v", r.Reply)
	}
}

// cutOff waits until the peer is disconnected.
func cutOff(t *testing.T, c net.Conn, what string) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%s: the peer was not cut off", what)
	}
}

// Every one of these ends the process or lets it grow when go-milter gets it.
func TestMalformedFrames(t *testing.T) {
	frames := []struct {
		name  string
		bytes string
		why   string
	}{
		{"empty frame", "\x00\x00\x00\x00", "empty-frame"},
		{"length of 512 MB", "\x20\x00\x00\x00O", "frame-too-long"},
		{"length of 4 GB", "\xff\xff\xff\xffB", "frame-too-long"},
		{"connect without NUL", string(mtatest.Frame('C', "host")), "malformed-connect"},
		{"connect without family", string(mtatest.Frame('C', "host\x00")), "malformed-connect"},
		{"connect without port", string(mtatest.Frame('C', "host\x004")), "malformed-connect"},
		{"connect without address end", string(mtatest.Frame('C', "host\x004\x00\x19192.0.2.1")), "malformed-connect"},
		{"connect of unknown family", string(mtatest.Frame('C', "host\x00X\x00\x19192.0.2.1\x00")), "malformed-connect"},
		{"empty connect", string(mtatest.Frame('C')), "malformed-connect"},
		{"empty helo", string(mtatest.Frame('H')), "malformed-text"},
		{"mail without NUL", string(mtatest.Frame('M', "<a@example.com>")), "malformed-address"},
		{"empty mail", string(mtatest.Frame('M')), "malformed-address"},
		{"rcpt without NUL", string(mtatest.Frame('R', "<a@example.com>")), "malformed-address"},
		{"empty rcpt", string(mtatest.Frame('R')), "malformed-address"},
		{"empty macro", string(mtatest.Frame('D')), "malformed-macro"},
		{"header without value", string(mtatest.Frame('L', "Subject\x00")), "malformed-header"},
		{"empty header", string(mtatest.Frame('L')), "malformed-header"},
		{"unknown command without NUL", string(mtatest.Frame('U', "NOOP")), "malformed-text"},
		{"no command of the protocol", string(mtatest.Frame('?', "x")), "unknown-command"},
		{"macro of 100 KiB", string(mtatest.Frame('D', "M"+strings.Repeat("x", 100<<10))), "frame-too-long"},
		{"macros without end", string(mtatest.Frame('D', "M"+strings.Repeat("x\x00", 5000))), "malformed-macro"},
		{"rcpt of 60 KiB", string(mtatest.Frame('R', strings.Repeat("x", 60<<10)+"\x00")), "frame-too-long"},
	}
	b := start(t, "")
	for _, f := range frames {
		t.Run(f.name, func(t *testing.T) {
			before := b.count(f.why)
			c, err := net.Dial("tcp", b.address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Write(append(mtatest.PostfixOffer().Frame(), f.bytes...)); err != nil {
				t.Fatal(err)
			}
			cutOff(t, c, f.name)
			if got := b.count(f.why); got != before+1 {
				t.Errorf("counted %d times as %q: %v", got-before, f.why, b.rejected)
			}
			b.alive(t)
		})
	}
}

// The same before the negotiation, and commands in place of it.
func TestMalformedNegotiation(t *testing.T) {
	b := start(t, "")
	for name, raw := range map[string]string{
		"empty frame":       "\x00\x00\x00\x00",
		"length of 512 MB":  "\x20\x00\x00\x00O",
		"short negotiation": string(mtatest.Frame('O', "\x00\x00\x00\x06")),
		"mail at once":      string(mtatest.Frame('M', "<>\x00")),
		"an SMTP client":    "EHLO client.example.net\r\n",
		"an HTTP client":    "GET / HTTP/1.1\r\nHost: example.net\r\n\r\n",
	} {
		c, err := net.Dial("tcp", b.address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte(raw)); err != nil {
			t.Fatal(err)
		}
		cutOff(t, c, name)
		c.Close()
		b.alive(t)
	}
}

// Garbage of any kind on many connections neither ends the process nor makes
// it grow.
func TestRandomConnections(t *testing.T) {
	b := start(t, "")
	random := rand.New(rand.NewPCG(1, 2))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	codes := "OCDHMRTLNBEAUQK?"
	for i := range 600 {
		c, err := net.Dial("tcp", b.address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		var out []byte
		if i%3 > 0 {
			out = mtatest.PostfixOffer().Frame()
		}
		for range random.IntN(8) {
			payload := make([]byte, random.IntN(200))
			for i := range payload {
				payload[i] = byte(random.Uint32())
			}
			frame := mtatest.Frame(codes[random.IntN(len(codes))], string(payload))
			if random.IntN(4) == 0 { // announce more than comes
				binary.BigEndian.PutUint32(frame, 1+random.Uint32N(1<<20))
			}
			out = append(out, frame...)
		}
		_, _ = c.Write(out) // the server may have cut it off already
	}
	b.alive(t)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 50<<20 {
		t.Errorf("%d MiB more in use", grown>>20)
	}
	if len(b.panics) > 0 {
		t.Errorf("panics: %v", b.panics)
	}
}

// A peer that announces a megabyte and sends five octets of it costs a buffer,
// not a megabyte.
func TestAnnouncedLengthIsNotAllocated(t *testing.T) {
	b := start(t, "")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 100 {
		c, err := net.Dial("tcp", b.address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		raw := append(mtatest.PostfixOffer().Frame(), 0, 0x10, 0, 0, 'B', 'x')
		if _, err := c.Write(raw); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 17)); err != nil { // the answer to the negotiation
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 20<<20 {
		t.Errorf("%d MiB for 100 half-open peers", grown>>20)
	}
	b.alive(t)
}

// The library gives an MTA one second to negotiate; one that opens thousands
// of connections at once takes longer.
func TestSlowNegotiation(t *testing.T) {
	b := start(t, "")
	conn, err := net.Dial("tcp", b.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	time.Sleep(1200 * time.Millisecond)
	c, err := mtatest.NewClient(conn, mtatest.PostfixOffer())
	if err != nil {
		t.Fatal(err)
	}
	if r := play(t, c, bounce(b.tagged(t, "alice@example.com"))); !r.Accepted() {
		t.Errorf("%v", r.Reply)
	}
}

func TestLongFrame(t *testing.T) {
	b := start(t, "")
	tx := mtatest.SampleOrdinary("bob@example.net", "alice@example.com")
	tx.Headers = append(tx.Headers, mtatest.Header{Name: "X-Long", Value: strings.Repeat("long ", 100<<10)})
	if r := b.run(t, tx); !r.Accepted() {
		t.Errorf("%v", r.Reply)
	}
}

// A callback that panics costs nobody a message: it goes on as the reason
// "error" says, and the tag still comes off.
func TestPanicInCallback(t *testing.T) {
	b := start(t, "[policy]\ntag-forged = \"reject\"\n")
	tagged := b.tagged(t, "alice@example.com")
	b.run(t, bounce(tagged)) // the key proves itself
	b.onVerdict = func(r policy.Record) {
		if r.Verdict.Reason == policy.TagForged {
			panic("test")
		}
	}
	tx := bounce(forge(tagged))
	r := b.run(t, tx)
	if !r.Accepted() {
		t.Errorf("refused: %v", r.Reply)
	}
	if len(b.panics) != 1 || b.panics[0] != "rcpt" {
		t.Errorf("panics %v", b.panics)
	}
	b.onVerdict = nil
	b.alive(t)
}

func TestPanicCanRefuse(t *testing.T) {
	b := start(t, "stage = \"rcpt\"\n[policy]\ntag-missing = \"reject\"\nerror = \"tempfail\"\n")
	b.onVerdict = func(policy.Record) { panic("test") }
	wantReply(t, "error", b.run(t, bounce("alice@example.com")).Reply, 451, "4.7.1")
}

// A listener that fails is tried again until it works.
type failingListener struct {
	net.Listener
	failures int
}

func (l *failingListener) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

func TestAcceptOutlivesEMFILE(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{}
	b := startOn(t, "", &failingListener{l, 4}, w, 16, nil)
	b.alive(t)
	if got := w.count("accept-failed"); got != 4 {
		t.Errorf("counted %d failures", got)
	}
}

// Beyond max_connections a peer waits for its turn; it is not turned away.
func TestMaxConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{}
	b := startOn(t, "", l, w, 2, nil)
	one, two := b.negotiated(t), b.negotiated(t)
	answered := make(chan error, 1)
	go func() {
		c, err := mtatest.Dial("tcp", b.address, mtatest.PostfixOffer())
		if err == nil {
			err = c.Close()
		}
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Fatalf("a third connection was served: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := one.Quit(); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Errorf("waiting connection: %v", err)
	}
	if w.count("max-connections") == 0 {
		t.Error("not counted")
	}
	if r := play(t, two, mtatest.SampleOrdinary("bob@example.net", "alice@example.com")); !r.Accepted() {
		t.Errorf("%v", r.Reply)
	}
}
