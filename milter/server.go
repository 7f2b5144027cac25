package milter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/d--j/go-milter"
)

// How long Stop waits for a connection at the most.
const (
	stopIdle = 10 * time.Second // for an MTA to end one that carries no transaction
	stopBusy = 30 * time.Second // for a transaction to end
	stopPoll = 20 * time.Millisecond
)

// Options are what a Server is made of; every field is needed.
type Options struct {
	Settings       *Settings // in force until Reload
	Observer       Observer
	Now            func() time.Time
	MaxConnections int
}

// Server serves the milter protocol on any number of listeners.
type Server struct {
	observer Observer
	now      func() time.Time
	places   chan struct{} // one element for each connection that is open
	ids      idSource
	settings atomic.Pointer[Settings]
	stopping atomic.Bool
	library  *milter.Server

	mu    sync.Mutex
	conns map[*guardedConn]struct{}
	gates []*gate
}

// NewServer makes a Server that does not listen yet.
func NewServer(o Options) *Server {
	s := &Server{
		observer: o.Observer,
		now:      o.Now,
		places:   make(chan struct{}, o.MaxConnections),
		ids:      newIDSource(o.Now()),
		conns:    make(map[*guardedConn]struct{}),
	}
	s.settings.Store(o.Settings)
	s.library = milter.NewServer(append(macroRequests(),
		milter.WithNegotiationCallback(s.negotiate),
		milter.WithDynamicMilter(s.newSession),
	)...)
	return s
}

// LogLibrary has the warnings of the milter library, which it keeps for the
// whole process, go to log. They tell of peers, not of mail. Call it once,
// before the first server is made.
func LogLibrary(log func(warning string)) {
	milter.LogWarning = func(format string, v ...any) { log(fmt.Sprintf(format, v...)) }
}

// Reload puts new settings in force: a message that has begun is judged to its
// end by the settings it began with.
func (s *Server) Reload(settings *Settings) { s.settings.Store(settings) }

// Serve answers on the listeners until Stop, and closes them. It returns nil
// after Stop.
func (s *Server) Serve(listeners ...net.Listener) error {
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		g := newGate(l, s)
		s.mu.Lock()
		s.gates = append(s.gates, g)
		s.mu.Unlock()
		go func() { failed <- s.library.Serve(g) }()
	}
	var all error
	for range listeners {
		if err := <-failed; err != nil && !errors.Is(err, net.ErrClosed) {
			all = errors.Join(all, err)
		}
	}
	return all
}

// Stop ends the server gracefully: listeners are closed at once, connections
// that carry a transaction may end it, idle ones are given some time to be
// closed by the MTA, and what is left after that is cut. A context that ends
// earlier cuts everything then.
func (s *Server) Stop(ctx context.Context) error {
	begun := s.now()
	s.stopping.Store(true)
	s.mu.Lock()
	var closed error
	for _, g := range s.gates {
		closed = errors.Join(closed, g.Close())
	}
	s.mu.Unlock()
	tick := time.NewTicker(stopPoll)
	defer tick.Stop()
	for s.Connections() > 0 {
		waited := s.now().Sub(begun)
		s.cut(waited >= stopIdle, waited >= stopBusy || ctx.Err() != nil)
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.cut(true, true)
		}
	}
	return closed
}

// Stopping reports whether Stop has been called.
func (s *Server) Stopping() bool { return s.stopping.Load() }

// cut closes connections: idle ones, or all of them.
func (s *Server) cut(idle, all bool) {
	if !idle && !all {
		return
	}
	s.mu.Lock()
	var victims []*guardedConn
	for c := range s.conns {
		if all || !c.busy.Load() {
			victims = append(victims, c)
		}
	}
	s.mu.Unlock()
	for _, c := range victims {
		if err := c.Close(); err != nil {
			s.observer.Failed("close", err)
		}
	}
}

// Connections is the number of connections that are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// register guards an accepted connection and keeps account of it.
func (s *Server) register(conn net.Conn) (net.Conn, error) {
	var c *guardedConn
	c, err := guard(conn, s.now, s.observer.Rejected, func() { s.forget(c) })
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	s.observer.Connections(1)
	return c, nil
}

func (s *Server) forget(c *guardedConn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.observer.Connections(-1)
	s.release()
}

func (s *Server) release() { <-s.places }
