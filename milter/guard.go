package milter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// What the guard allows a peer.
const (
	maxFrame      = 1 << 20          // octets of one frame's code and payload
	readBuffer    = 2048             // octets; grows for one longer frame at a time
	heldWrites    = 1 << 20          // octets of replies held before they are sent in any case
	firstDeadline = 30 * time.Second // from the connection to the whole negotiation packet
	frameDeadline = 30 * time.Second // from the first octet of a frame to its last
	writeDeadline = 10 * time.Second // for the peer to take what is sent
)

// guardedConn stands between go-milter and the peer. It hands on only whole
// frames that are well formed, so that no packet can make the library read
// past its end or allocate what was never sent; it reads through a buffer; and
// it holds written replies back until the next read has to wait, so that a
// transaction costs two system calls and the changes made at end of message
// reach the MTA together with the final reply or not at all.
//
// It sets its own deadlines and ignores the library's, whose first is a fixed
// second: too short when an MTA opens thousands of connections at once.
type guardedConn struct {
	net.Conn
	now      func() time.Time
	onReject func(why string) // counts a frame or peer that was refused
	onClose  func()

	in         []byte // buffered octets are in[start:end]
	start, end int
	deliver    int  // octets of the current, checked frame still to be handed on
	negotiated bool // the first frame has come

	mu     sync.Mutex // guards out and closed: Close may come from elsewhere
	out    []byte
	closed bool

	busy atomic.Bool // a transaction is under way whose reply is not sent yet
	last byte        // code of the last command handed on
	done bool        // a final reply for the transaction is held in out
}

// frameError is a frame that is not handed on; Why is its label in metrics.
type frameError struct{ why string }

func (e *frameError) Error() string { return "milter: bad packet: " + e.why }

// guard wraps an accepted connection. onReject is told why a peer was cut
// off, onClose once that the connection has ended.
func guard(c net.Conn, now func() time.Time, onReject func(string), onClose func()) (*guardedConn, error) {
	if err := c.SetReadDeadline(now().Add(firstDeadline)); err != nil {
		return nil, err
	}
	return &guardedConn{Conn: c, now: now, onReject: onReject, onClose: onClose, in: make([]byte, readBuffer)}, nil
}

// Read hands on octets of the current frame, reading and checking the next
// one when it is used up.
func (c *guardedConn) Read(p []byte) (int, error) {
	if !c.negotiated {
		growStack()
	}
	if c.deliver == 0 {
		if err := c.nextFrame(); err != nil {
			var bad *frameError
			if errors.As(err, &bad) {
				c.onReject(bad.why)
			}
			return 0, err
		}
	}
	n := copy(p, c.in[c.start:c.start+min(len(p), c.deliver)])
	c.start += n
	c.deliver -= n
	return n, nil
}

// nextFrame brings a whole checked frame into the buffer.
func (c *guardedConn) nextFrame() error {
	c.shrink()
	if err := c.fill(4); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(c.in[c.start:])
	switch {
	case size == 0:
		return &frameError{"empty-frame"}
	case size > maxFrame:
		return &frameError{"frame-too-long"}
	}
	n := 4 + int(size)
	if err := c.fill(n); err != nil {
		return err
	}
	frame := c.in[c.start+4 : c.start+n]
	if why := malformed(frame[0], frame[1:]); why != "" {
		return &frameError{why}
	}
	if err := c.begin(frame[0]); err != nil {
		return err
	}
	c.deliver = n
	return nil
}

// begin notes the command that a checked frame brings.
func (c *guardedConn) begin(code byte) error {
	if !c.negotiated {
		if code != codeOptNeg {
			return &frameError{"no-negotiation"}
		}
		c.negotiated = true
		if err := c.Conn.SetReadDeadline(time.Time{}); err != nil {
			return err
		}
	}
	switch code {
	case codeMail:
		c.busy.Store(true)
	case codeAbort, codeQuit, codeQuitNewConn:
		c.busy.Store(false)
	}
	if code != codeMacro {
		c.last = code
	}
	return nil
}

// fill reads until n octets are buffered. Before it waits for the peer it
// sends what is held. A frame that has begun must end in time.
func (c *guardedConn) fill(n int) error {
	limited := false
	for c.end-c.start < n {
		if err := c.flush(); err != nil {
			return err
		}
		if c.negotiated && !limited && c.end > c.start {
			limited = true
			if err := c.Conn.SetReadDeadline(c.now().Add(frameDeadline)); err != nil {
				return err
			}
		}
		c.makeRoom(n)
		m, err := c.Conn.Read(c.in[c.end:])
		c.end += m
		if err != nil && c.end-c.start < n {
			return c.readError(err)
		}
	}
	if limited {
		return c.Conn.SetReadDeadline(time.Time{})
	}
	return nil
}

// readError names time-outs, which otherwise end a connection silently.
func (c *guardedConn) readError(err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if !c.negotiated {
		return &frameError{"negotiation-timeout"}
	}
	return &frameError{"frame-timeout"}
}

// makeRoom moves the buffered octets to the front and grows the buffer, never
// by more than has already been received, until n octets fit.
func (c *guardedConn) makeRoom(n int) {
	if c.start > 0 {
		c.end = copy(c.in, c.in[c.start:c.end])
		c.start = 0
	}
	if c.end == len(c.in) {
		c.in = append(c.in, make([]byte, min(len(c.in), n-c.end))...)
	}
}

// shrink gives a long frame's buffer back once it is used up.
func (c *guardedConn) shrink() {
	if c.start == c.end {
		c.start, c.end = 0, 0
		if len(c.in) > readBuffer {
			c.in = make([]byte, readBuffer)
		}
	}
}

// Write holds a reply back until the next read waits, or too much is held.
func (c *guardedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, net.ErrClosed
	}
	if len(p) == 5 && c.busy.Load() && c.final(p[4]) {
		c.done = true
	}
	c.out = append(c.out, p...)
	if len(c.out) > heldWrites {
		if err := c.send(); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// final reports whether a reply with this code ends the transaction.
func (c *guardedConn) final(code byte) bool {
	switch code {
	case replyAccept, replyDiscard:
		return true
	case replyReject, replyTempfail, replyCode:
		return c.last != codeRcpt
	}
	return false
}

func (c *guardedConn) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.send()
}

// send writes what is held; c.mu is held.
func (c *guardedConn) send() error {
	if len(c.out) == 0 {
		return nil
	}
	if err := c.Conn.SetWriteDeadline(c.now().Add(writeDeadline)); err != nil {
		return err
	}
	_, err := c.Conn.Write(c.out)
	c.out = c.out[:0]
	if c.done {
		c.done = false
		c.busy.Store(false)
	}
	if err != nil {
		return fmt.Errorf("milter: reply not sent: %w", err)
	}
	return nil
}

// Close sends what is held and closes the connection, once.
func (c *guardedConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	sent := c.send()
	err := c.Conn.Close()
	c.onClose()
	return errors.Join(sent, err)
}

// SetReadDeadline does nothing: see guardedConn.
func (c *guardedConn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing: see guardedConn.
func (c *guardedConn) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline does nothing: see guardedConn.
func (c *guardedConn) SetDeadline(time.Time) error { return nil }

// growStack makes the goroutine's stack large enough for a whole transaction
// while there is little on it to copy. Without it the stack is doubled, and
// copied, several times on the way down to the first recipient's tag.
//
//go:noinline
func growStack() {
	var room [5 << 10]byte
	runtime.KeepAlive(&room)
}
