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

// Accept waits for a free place, then for a connection: a peer beyond the
// limit waits in the listen queue. It fails only once the gate is closed; any
// other failure, running out of file descriptors above all, is retried.
func (g *gate) Accept() (net.Conn, error) {
	if !g.acquire() {
		return nil, net.ErrClosed
	}
	for pause := time.Duration(0); ; {
		conn, err := g.Listener.Accept()
		if err == nil {
			c, err := g.server.register(conn)
			if err == nil {
				return c, nil
			}
			err = errors.Join(err, conn.Close())
			g.server.observer.Failed("accept", err)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			g.server.release()
			return nil, err
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		g.server.observer.Rejected("accept-failed")
		g.server.observer.Failed("accept", err)
		if !g.wait(pause) {
			g.server.release()
			return nil, net.ErrClosed
		}
	}
}

// acquire takes a place under the connection limit, waiting for one.
func (g *gate) acquire() bool {
	select {
	case g.server.places <- struct{}{}:
		return true
	default:
	}
	g.server.observer.Rejected("max-connections")
	select {
	case g.server.places <- struct{}{}:
		return true
	case <-g.closed:
		return false
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
