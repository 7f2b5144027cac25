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

// timing is how long peers may take.
type timing struct {
	negotiate time.Duration // from the connection to the whole negotiation packet
	frame     time.Duration // from the first octet of a frame to its last
	idle      time.Duration // from one frame to the next
	write     time.Duration // for the peer to take what is sent
	stopIdle  time.Duration // at Stop, for an MTA to end a connection without transaction
	stopBusy  time.Duration // at Stop, for a transaction to end
}

// defaultTiming gives an MTA a second thirty times over where go-milter gives
// it one, and between events as long as libmilter does. Idle connections hold up
// a stop for less than the 5 s after which Sendmail gives up on a milter as the
// README sets it up: clients that come meanwhile wait in an inherited socket for
// the next daemon.
func defaultTiming() timing {
	return timing{
		negotiate: 30 * time.Second,
		frame:     30 * time.Second,
		idle:      7210 * time.Second,
		write:     10 * time.Second,
		stopIdle:  3 * time.Second,
		stopBusy:  30 * time.Second,
	}
}

const stopPoll = 20 * time.Millisecond

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
	timing   timing
	settings atomic.Pointer[Settings]
	library  *milter.Server
	serving  sync.WaitGroup // listeners

	mu       sync.Mutex
	stopping bool
	conns    map[*guardedConn]struct{}
	gates    []*gate
}

// NewServer makes a Server that does not listen yet.
func NewServer(o Options) *Server {
	s := &Server{
		observer: o.Observer,
		now:      o.Now,
		places:   make(chan struct{}, o.MaxConnections),
		ids:      newIDSource(o.Now()),
		timing:   defaultTiming(),
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
		if !s.open(g) {
			failed <- g.Close()
			continue
		}
		go func() {
			defer s.serving.Done()
			failed <- s.library.Serve(g)
		}()
	}
	var all error
	for range listeners {
		if err := <-failed; err != nil && !errors.Is(err, net.ErrClosed) {
			all = errors.Join(all, err)
		}
	}
	return all
}

// open notes a gate for Stop to close, unless Stop has come first.
func (s *Server) open(g *gate) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	s.gates = append(s.gates, g)
	s.serving.Add(1)
	return true
}

// Stop ends the server gracefully: listeners are closed at once, connections
// that carry a transaction may end it, idle ones are given some time to be
// closed by the MTA, and what is left after that is cut. A context that ends
// earlier cuts everything then.
func (s *Server) Stop(ctx context.Context) error {
	begun := s.now()
	closed := s.close()
	tick := time.NewTicker(stopPoll)
	defer tick.Stop()
	for s.Connections() > 0 {
		waited := s.now().Sub(begun)
		s.cut(waited >= s.timing.stopIdle, waited >= s.timing.stopBusy || ctx.Err() != nil)
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.cut(true, true)
		}
	}
	return closed
}

// close closes the listeners and waits until none of them hands on another
// connection.
func (s *Server) close() error {
	s.mu.Lock()
	s.stopping = true
	var all error
	for _, g := range s.gates {
		all = errors.Join(all, g.Close())
	}
	s.mu.Unlock()
	s.serving.Wait()
	return all
}

// Stopping reports whether Stop has been called.
func (s *Server) Stopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

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
func (s *Server) register(conn net.Conn) net.Conn {
	c := &guardedConn{
		Conn: conn, now: s.now, timing: s.timing, in: make([]byte, readBuffer),
		onReject: s.observer.Rejected,
	}
	c.onClose = func() { s.forget(c) }
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	s.observer.Connections(1)
	return c
}

func (s *Server) forget(c *guardedConn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.observer.Connections(-1)
	<-s.places
}
