package mtatest

import (
	"net"
	"sync"
	"time"
)

// Memory is a listener whose connections are made in this process. A milter's end of them has no time limits: so it can
// be run by a clock that lets days go by.
type Memory struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// NewMemory makes one for milter.Server.Serve.
func NewMemory() *Memory {
	return &Memory{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Dial opens a connection, when the milter accepts it, and negotiates. The error is net.ErrClosed where it does not
// listen any more.
func (l *Memory) Dial(offer Offer) (*Client, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- timeless{theirs}:
		return NewClient(ours, offer)
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Accept is net.Listener's.
func (l *Memory) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close is net.Listener's.
func (l *Memory) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr is net.Listener's, and names nothing.
func (l *Memory) Addr() net.Addr { return &net.UnixAddr{Net: "unix"} }

// timeless is a connection without time limits.
type timeless struct{ net.Conn }

func (timeless) SetDeadline(time.Time) error      { return nil }
func (timeless) SetReadDeadline(time.Time) error  { return nil }
func (timeless) SetWriteDeadline(time.Time) error { return nil }
