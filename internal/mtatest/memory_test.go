package mtatest

import (
	"errors"
	"net"
	"testing"
	"time"
)

// A milter that listens in memory may set time limits by whatever clock it has.
func TestMemory(t *testing.T) {
	l := NewMemory()
	f := &fake{agreed: agree(6, 0, 0), answer: goOn}
	go func() {
		conn, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		if err := conn.SetDeadline(time.Unix(0, 0)); err != nil {
			t.Error(err)
		}
		out := make(chan []byte)
		go func() {
			for b := range out {
				if _, err := conn.Write(b); err != nil {
					t.Error(err)
				}
			}
		}()
		f.serve(conn, out)
		close(out)
	}()
	c, err := l.Dial(PostfixOffer())
	if err != nil {
		t.Fatal(err)
	}
	c.Timeout = 10 * time.Second
	if r, err := c.Helo("mx.example.net"); err != nil || r.Refuses() {
		t.Errorf("%v, %v", r, err)
	}
	if err := errors.Join(c.Close(), l.Close(), l.Close()); err != nil {
		t.Error(err)
	}
	if _, err := l.Dial(PostfixOffer()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("dial: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v", err)
	}
}
