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

const (
	readBuffer  = 2048     // octets; grows for one longer frame at a time
	eagerGrowth = 16 << 10 // octets that it grows by for a frame that is announced
	heldWrites  = 1 << 20  // octets of replies held before they are sent in any case
)

// guardedConn stands between go-milter and the peer. It hands on only whole
// frames that are well formed, so that no packet can make the library read
// past its end or allocate what was never sent; it reads through a buffer; and
// it holds written replies back until the next read has to wait, so that a
// transaction costs two system calls and the changes made at end of message
// reach the MTA together with the final reply or not at all. The session's
// answer "skip" at the end of headers says that nobody will read the body: what
// the MTA sends of it all the same is dropped here.
//
// It sets its own deadlines and ignores the library's, whose first is a fixed
// second: too short when an MTA opens thousands of connections at once.
type guardedConn struct {
	net.Conn
	now      func() time.Time
	timing   timing
	onReject func(why string) // told why the peer is cut off
	onClose  func()           // told once that the connection has ended

	in         []byte // buffered octets are in[start:end]
	start, end int
	deliver    int       // octets of the current, checked frame still to be handed on
	negotiated bool      // the first frame has come
	last       byte      // code of the last command handed on
	by         time.Time // deadline of the frame that has begun
	unread     bool      // nobody will read the body that follows

	mu     sync.Mutex // guards what follows: Close may come from elsewhere
	out    []byte     // replies held back
	final  bool       // a reply that ends the transaction is held
	closed bool

	busy atomic.Bool // a transaction is under way whose final reply is not sent yet
}

// frameError is a frame that is not handed on; why is its label in metrics.
type frameError struct{ why string }

func (e *frameError) Error() string { return "milter: bad packet: " + e.why }

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

// nextFrame brings a whole checked frame into the buffer, passing over those
// that nobody will read.
func (c *guardedConn) nextFrame() error {
	for {
		code, n, err := c.announced()
		if err != nil {
			return err
		}
		if code != codeBody || !c.unread {
			return c.whole(code, n)
		}
		if err := c.skipBody(n); err != nil {
			return err
		}
	}
}

// announced reads the head of a frame: its code, and its length in all. What
// command it is and how long it may be is looked at before the rest of it is
// waited for.
func (c *guardedConn) announced() (code byte, n int, err error) {
	c.shrink()
	if err := c.fill(4); err != nil {
		return 0, 0, err
	}
	size := binary.BigEndian.Uint32(c.in[c.start:])
	if size == 0 {
		return 0, 0, &frameError{"empty-frame"}
	}
	if err := c.fill(5); err != nil {
		return 0, 0, err
	}
	code = c.in[c.start+4]
	if why := c.unwanted(code, size); why != "" {
		return 0, 0, &frameError{why}
	}
	return code, 4 + int(size), nil
}

// whole brings the rest of a frame, checks it and has it delivered.
func (c *guardedConn) whole(code byte, n int) error {
	if err := c.fill(n); err != nil {
		return err
	}
	payload := c.in[c.start+5 : c.start+n]
	if why := malformed(code, payload); why != "" {
		return &frameError{why}
	}
	c.begin(code)
	c.deliver = n
	return nil
}

// skipBody drops a chunk of a body that nobody will read, and answers for it:
// the library would copy the chunk only to have it dropped.
func (c *guardedConn) skipBody(n int) error {
	buffered := min(n, c.end-c.start)
	c.start += buffered
	if err := c.drop(n - buffered); err != nil {
		return err
	}
	c.by, c.last = time.Time{}, codeBody
	_, err := c.Write([]byte{0, 0, 0, 1, replySkip})
	return err
}

// drop reads n octets of the frame that has begun and forgets them.
func (c *guardedConn) drop(n int) error {
	if n == 0 {
		return nil
	}
	if err := c.Conn.SetReadDeadline(c.now().Add(c.timing.frame)); err != nil {
		return err
	}
	scratch := scratches.Get().(*[64 << 10]byte)
	defer scratches.Put(scratch)
	for n > 0 {
		m, err := c.Conn.Read(scratch[:min(n, len(scratch))])
		n -= m
		switch {
		case n == 0 || err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			return &frameError{"frame-timeout"}
		default:
			return err
		}
	}
	return nil
}

// scratches are where dropped octets go.
var scratches = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// unwanted tells why a frame is not even read to its end.
func (c *guardedConn) unwanted(code byte, size uint32) string {
	if !c.negotiated && code != codeOptNeg {
		return "no-negotiation"
	}
	limit := maxLength(code)
	switch {
	case limit == 0:
		return "unknown-command"
	case size > limit:
		return "frame-too-long"
	}
	return ""
}

// begin notes the command that a checked frame brings.
func (c *guardedConn) begin(code byte) {
	c.negotiated, c.by = true, time.Time{}
	switch code {
	case codeMail:
		c.mu.Lock()
		c.final = false // of the transaction before
		c.mu.Unlock()
		c.busy.Store(true)
	case codeAbort, codeQuit, codeQuitNewConn:
		c.busy.Store(false)
	}
	if code != codeMacro {
		c.last = code
		c.unread = false
	}
}

// fill reads until n octets are buffered. Before it waits for the peer it
// sends what is held.
func (c *guardedConn) fill(n int) error {
	for c.end-c.start < n {
		if err := c.flush(); err != nil {
			return err
		}
		if err := c.Conn.SetReadDeadline(c.deadline()); err != nil {
			return err
		}
		c.makeRoom(n)
		m, err := c.Conn.Read(c.in[c.end:])
		c.end += m
		if err != nil && c.end-c.start < n {
			return c.readError(err)
		}
	}
	return nil
}

// deadline is the time by which the peer must have sent more. A frame that has
// begun, the negotiation as a whole, must end in time however the peer spreads
// its octets.
func (c *guardedConn) deadline() time.Time {
	begun := c.end > c.start
	switch {
	case begun && !c.by.IsZero():
		return c.by
	case !c.negotiated:
		if c.by.IsZero() {
			c.by = c.now().Add(c.timing.negotiate)
		}
		return c.by
	case begun:
		c.by = c.now().Add(c.timing.frame)
		return c.by
	}
	c.by = time.Time{}
	return c.now().Add(c.timing.idle)
}

// readError names time-outs, which otherwise end a connection silently.
func (c *guardedConn) readError(err error) error {
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case !c.negotiated:
		return &frameError{"negotiation-timeout"}
	case c.end > c.start:
		return &frameError{"frame-timeout"}
	}
	return &frameError{"idle-timeout"}
}

// makeRoom moves the buffered octets to the front and grows the buffer until n
// octets fit: for a chunk of body at once, for a longer frame by no more than
// has already been received.
func (c *guardedConn) makeRoom(n int) {
	if c.start > 0 {
		c.end = copy(c.in, c.in[c.start:c.end])
		c.start = 0
	}
	if c.end == len(c.in) {
		c.in = append(c.in, make([]byte, min(max(len(c.in), eagerGrowth), n-c.end))...)
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
	const header = 5 // of a reply: length and code, which the library writes by themselves
	if len(p) == header && c.busy.Load() && c.ends(p[header-1]) {
		c.final = true
	}
	c.out = append(c.out, p...)
	if c.last == codeEOH && len(p) == header && p[header-1] == replySkip {
		c.unread = true
		c.out[len(c.out)-1] = replyContinue // the protocol has no skip here
	}
	if len(c.out) > heldWrites {
		if err := c.send(); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// ends reports whether a reply with this code ends the transaction.
func (c *guardedConn) ends(code byte) bool {
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
	if err := c.Conn.SetWriteDeadline(c.now().Add(c.timing.write)); err != nil {
		return err
	}
	_, err := c.Conn.Write(c.out)
	c.out = c.out[:0]
	if cap(c.out) > readBuffer {
		c.out = nil
	}
	if c.final {
		c.final = false
		c.busy.Store(false)
	}
	if err != nil {
		return fmt.Errorf("milter: reply not sent: %w", err)
	}
	return nil
}

// Close closes the connection, once. A reply that is held is sent first, but
// not the first part of a transaction's: changes without the reply that ends
// them must not reach an MTA that would go on without the milter.
func (c *guardedConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	var sent error
	if c.final || !c.busy.Load() {
		sent = c.send()
	}
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
