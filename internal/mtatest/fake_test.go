package mtatest

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake is a milter in miniature at the other end of a pipe: it answers the negotiation with agreed, every other frame
// but macros, aborts and quits with what answer says ("" is no answer), and notes each write of the client.
type fake struct {
	agreed []byte
	answer func(code byte, data string) []byte

	mu     sync.Mutex
	writes []string // one a write, frames separated by a space
}

// macros is a list of names for the stage of that number.
type macros struct {
	stage uint32
	names string
}

// agree is the data of a negotiation answer.
func agree(version, actions, protocol uint32, lists ...macros) []byte {
	b := binary.BigEndian.AppendUint32(nil, version)
	b = binary.BigEndian.AppendUint32(b, actions)
	b = binary.BigEndian.AppendUint32(b, protocol)
	for _, l := range lists {
		b = binary.BigEndian.AppendUint32(b, l.stage)
		b = append(b, l.names+"\x00"...)
	}
	return b
}

// sent takes the answer to an event that must not fail.
func sent(t *testing.T) func(Reply, error) {
	return func(_ Reply, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

func complete(t *testing.T, c *Client) {
	t.Helper()
	r, _, err := c.EndOfMessage()
	sent(t)(r, err)
}

func quit(t *testing.T, c *Client) {
	t.Helper()
	if err := c.Quit(); err != nil {
		t.Fatal(err)
	}
}

func goOn(byte, string) []byte { return Frame('c') }

// start serves one connection and returns the client's end of it.
func (f *fake) start(t testing.TB) net.Conn {
	t.Helper()
	mine, theirs := net.Pipe()
	t.Cleanup(func() { mine.Close(); theirs.Close() })
	out := make(chan []byte, 1000)
	go func() {
		for b := range out {
			if _, err := mine.Write(b); err != nil {
				return
			}
		}
	}()
	go func() {
		defer close(out)
		f.serve(mine, out)
	}()
	return theirs
}

func (f *fake) serve(conn net.Conn, out chan<- []byte) {
	var buf []byte
	chunk := make([]byte, 256<<10)
	for {
		n, err := conn.Read(chunk)
		if err != nil {
			return
		}
		buf = append(buf, chunk[:n]...)
		var frames []string
		for len(buf) >= 4 {
			n := 4 + int(binary.BigEndian.Uint32(buf))
			if len(buf) < n {
				break
			}
			frames = append(frames, string(buf[4:n]))
			buf = buf[n:]
		}
		f.mu.Lock()
		f.writes = append(f.writes, show(frames))
		f.mu.Unlock()
		for _, fr := range frames {
			switch code := fr[0]; code {
			case 'O':
				out <- Frame('O', string(f.agreed))
			case 'D', 'A', 'Q', 'K':
			default:
				if b := f.answer(code, fr[1:]); len(b) > 0 {
					out <- b
				}
			}
		}
	}
}

// show makes frames readable: NUL is a bar, a line's end a tilde, a space an underscore; long ones are cut.
func show(frames []string) string {
	var s []string
	for _, f := range frames {
		f = strings.NewReplacer("\x00", "|", "\r\n", "~", "\n", "~", "\t", "", " ", "_").Replace(f)
		if len(f) > 200 {
			f = fmt.Sprintf("%s…%d", f[:20], len(f))
		}
		s = append(s, f)
	}
	return strings.Join(s, " ")
}

// seen returns what came after the negotiation, once nothing more comes.
func (f *fake) seen() []string {
	time.Sleep(20 * time.Millisecond)
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.writes[1:]...)
}

func (f *fake) client(t testing.TB, o Offer) *Client {
	t.Helper()
	c, err := NewClient(f.start(t), o)
	if err != nil {
		t.Fatal(err)
	}
	c.Timeout = 5 * time.Second
	return c
}

// canned is a connection whose reads return the same answers again and again and whose writes go nowhere: for
// counting allocations.
type canned struct {
	net.Conn
	answers [][]byte
	next    int
	rest    []byte
}

func (c *canned) Write(b []byte) (int, error)   { return len(b), nil }
func (c *canned) SetDeadline(t time.Time) error { return nil }
func (c *canned) Close() error                  { return nil }

func (c *canned) Read(b []byte) (int, error) {
	if len(c.rest) == 0 {
		c.rest = c.answers[c.next%len(c.answers)]
		c.next++
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}
