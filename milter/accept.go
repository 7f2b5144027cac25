package milter

import (
	"errors"
	"net"
	"sync"
	"time"
)

// gate is a listener that outlives failures of Accept, holds the number of
// connections under the daemon's limit, and hands on guarded connections.
type gate struct {
	net.Listener
	server *Server
	once   sync.Once
	closed chan struct{}
}

func newGate(l net.Listener, s *Server) *gate {
	return &gate{Listener: l, server: s, closed: make(chan struct{})}
}

// Accept waits for a connection, then for a free place: a peer beyond the limit
// waits for its negotiation, and those after it in the listen queue. It fails
// only once the gate is closed; any other failure, running out of file
// descriptors above all, is retried.
func (g *gate) Accept() (net.Conn, error) {
	for pause := time.Duration(0); ; {
		conn, err := g.Listener.Accept()
		if err == nil {
			if err = g.admit(); err == nil {
				return g.server.register(conn), nil
			}
			return nil, errors.Join(err, conn.Close())
		}
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		g.server.observer.Rejected("accept-failed")
		g.server.observer.Failed("accept", err)
		if !g.wait(pause) {
			return nil, net.ErrClosed
		}
	}
}

// admit takes a place under the connection limit, waiting for one.
func (g *gate) admit() error {
	select {
	case g.server.places <- struct{}{}:
		return nil
	default:
	}
	g.server.observer.Rejected("max-connections")
	select {
	case g.server.places <- struct{}{}:
		return nil
	case <-g.closed:
		return net.ErrClosed
	}
}

func (g *gate) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-g.closed:
		return false
	}
}

// Close stops Accept. Closing again does nothing.
func (g *gate) Close() (err error) {
	g.once.Do(func() {
		close(g.closed)
		err = g.Listener.Close()
	})
	return err
}
