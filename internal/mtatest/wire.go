package mtatest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// maxFrame bounds what is read for one frame from a milter: 1 MiB, the largest data size of the protocol.
const maxFrame = 1 << 20

// maxHeld is how much is held back for a shared write before it is sent anyhow.
const maxHeld = 64 << 10

// maxBody is the most body data that a chunk may carry (MILTER_CHUNK_SIZE).
const maxBody = 65535

// errUnasked is the error for a milter that answers twice, or what it had said it would not answer; it is noticed when
// the answers arrive together.
var errUnasked = errors.New("milter answered without being asked")

// Frame builds a frame: its length in four bytes, the command, and the data strung together. The length counts the
// command and the data; for frames that lie about it, change the bytes.
func Frame(code byte, data ...string) []byte {
	b := []byte{0, 0, 0, 0, code}
	for _, d := range data {
		b = append(b, d...)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// open starts a frame in the write buffer; shut ends it. What is appended to c.w between them is the frame's data.
func (c *Client) open(code byte) (start int) {
	start = len(c.w)
	c.w = append(c.w, 0, 0, 0, 0, code)
	return start
}

func (c *Client) shut(start int) {
	binary.BigEndian.PutUint32(c.w[start:], uint32(len(c.w)-start-4))
	if c.eager || len(c.w) > maxHeld {
		c.flush()
	}
}

// str appends a string and the NUL that ends it.
func (c *Client) str(s string) {
	c.w = append(c.w, s...)
	c.w = append(c.w, 0)
}

// path appends an address in angle brackets and the NUL that ends it.
func (c *Client) path(addr string) {
	c.w = append(c.w, '<')
	c.w = append(c.w, addr...)
	c.w = append(c.w, '>', 0)
}

// flush writes what is held back. The first error of a connection stays: every later event returns it.
func (c *Client) flush() {
	if len(c.w) == 0 || c.err != nil {
		return
	}
	if c.bound(); c.err == nil {
		_, c.err = c.conn.Write(c.w)
	}
	c.w = c.w[:0]
}

// SendRaw writes bytes as they are, after anything held back: for frames that no MTA would send.
func (c *Client) SendRaw(b []byte) error {
	c.w = append(c.w, b...)
	c.flush()
	return c.err
}

// Receive reads the next frame, whatever it is. The data is good until the next call of any method.
func (c *Client) Receive() (code byte, data []byte, err error) {
	if len(c.w) > 0 {
		c.flush()
	} else {
		c.bound()
	}
	if c.err != nil {
		return 0, nil, c.err
	}
	return c.readFrame()
}

// bound starts the Timeout anew.
func (c *Client) bound() {
	if c.Timeout > 0 && c.err == nil {
		c.err = c.conn.SetDeadline(time.Now().Add(c.Timeout))
	}
}

func (c *Client) readFrame() (byte, []byte, error) {
	if !c.fill(4) {
		return 0, nil, c.err
	}
	n := binary.BigEndian.Uint32(c.r[c.start:])
	if n < 1 || n > maxFrame {
		c.err = fmt.Errorf("milter sent a frame of length %d, allowed is 1 to %d", n, maxFrame)
		return 0, nil, c.err
	}
	if !c.fill(4 + int(n)) {
		return 0, nil, c.err
	}
	f := c.r[c.start+4 : c.start+4+int(n)]
	c.start += 4 + int(n)
	return f[0], f[1:], nil
}

// fill reads until n bytes are there; false leaves the reason in c.err.
func (c *Client) fill(n int) bool {
	if c.start == c.end || c.start+n > len(c.r) {
		c.end = copy(c.r, c.r[c.start:c.end])
		c.start = 0
	}
	if n > len(c.r) {
		c.r = append(c.r, make([]byte, n-len(c.r))...)
	}
	for c.end-c.start < n && c.err == nil {
		var m int
		m, c.err = c.conn.Read(c.r[c.end:])
		c.end += m
	}
	return c.end-c.start >= n
}
