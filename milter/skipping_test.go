package milter

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

func rawFrame(code byte, payload string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(1+len(payload)))
	return append(append(b, code), payload...)
}

// What of a body that nobody reads an MTA sends all the same is answered each
// time, however it comes; and the next message's body is read.
func TestBodyAfterSkip(t *testing.T) {
	b := start(t, "[batv]\nsign = true\n")
	c := b.dial(t, mtatest.PostfixOffer())
	begin := func() {
		t.Helper()
		c.Connect("client", mtatest.FamilyInet, 40000, "198.51.100.7")
		c.Mail("alice@example.com", nil)
		c.Rcpt("bob@example.net", nil)
		c.Header("Subject", "hello")
		if r, err := c.EndOfHeaders(); err != nil || r.Action != mtatest.Continue {
			t.Fatalf("end of headers: %v, %v", r, err)
		}
	}
	answered := func(what string, want byte) {
		t.Helper()
		if code, data, err := c.Receive(); err != nil || code != want || len(data) != 0 {
			t.Fatalf("%s: %q %q, %v", what, code, data, err)
		}
	}
	chunks := map[string][]byte{
		"empty": rawFrame('B', ""),
		"short": rawFrame('B', "\x00\x00\x00\x01s"),
		"long":  rawFrame('B', strings.Repeat("N", 300_000)),
		"macro": append(rawFrame('D', "Bi\x00Q1\x00"), rawFrame('B', "x")...),
	}
	for range 2 {
		begin()
		for what, chunk := range chunks {
			if err := c.SendRaw(chunk); err != nil {
				t.Fatal(err)
			}
			answered(what, 's')
		}
		for _, part := range []string{"\x00\x00", "\x00\x0bB", "01234", "56789"} {
			if err := c.SendRaw([]byte(part)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Millisecond)
		}
		answered("in pieces", 's')
		r, mods, err := c.EndOfMessage()
		if err != nil || r.Action != mtatest.Accept || len(mods) != 1 || mods[0].Kind != mtatest.ChangeFrom {
			t.Fatalf("end: %v, %v, %v", r, mods, err)
		}
	}
	for _, leave := range []func() error{c.Abort, c.QuitNewConnection} {
		begin()
		if err := leave(); err != nil {
			t.Fatal(err)
		}
		tx := mtatest.SampleBounce("alice@example.com", "alice@example.com")
		tx.Client = "192.0.2.25"
		if r := play(t, c, tx); !strings.HasPrefix(mark(r), "mark; reason=tag-missing; class=dsn; ") {
			t.Errorf("%v, header %q", r.Reply, mark(r))
		}
	}
	begin()
	_ = c.SendRaw(rawFrame('B', strings.Repeat("x", 1<<20))) // the server does not wait for its end
	if code, _, err := c.Receive(); err == nil {
		t.Errorf("a frame too long was answered with %q", code)
	}
	if b.count("frame-too-long") != 1 {
		t.Errorf("%v", b.rejected)
	}
}

// A client that goes on to DATA is no callout.
func TestRefusalAtDataIsNoCallout(t *testing.T) {
	b := start(t, "stage = \"data\"\n[policy]\ntag-missing = \"reject\"\n")
	c := b.dial(t, mtatest.PostfixOffer())
	r := play(t, c, bounce("alice@example.com"))
	if r.Stage != mtatest.StageData {
		t.Fatalf("%v at %v", r.Reply, r.Stage)
	}
	play(t, c, mtatest.SampleOrdinary("bob@example.net", "alice@example.com"))
	if n := b.calledOut(); n != 0 {
		t.Errorf("%d callouts", n)
	}
}
