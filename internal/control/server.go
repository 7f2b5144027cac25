package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	maxRequest  = 8 << 20 // octets; one may bring a message
	maxAnswer   = 4 << 20 // octets
	maxClients  = 16      // served at once
	ioTimeout   = 5 * time.Second
	workTimeout = 30 * time.Second
	retryAfter  = 100 * time.Millisecond // of a failed accept
)

// Handler answers a verb. args is what the client gave with it, nil for
// nothing; the result is turned into JSON. What errors.Join has joined arrives
// as several errors. ctx ends when the daemon stops waiting for the answer.
type Handler func(ctx context.Context, args json.RawMessage) (result any, err error)

// Options are what a Server is made of; every field is needed.
type Options struct {
	Verbs  map[string]Handler
	Now    func() time.Time           // the real time: deadlines are set by it
	Failed func(what string, e error) // told of what goes wrong without a client to tell
}

// Server answers clients of the control socket.
type Server struct {
	o      Options
	places chan struct{}
	ctx    context.Context
	cancel context.CancelFunc
	io     time.Duration // ioTimeout, but in tests
	worked time.Duration // workTimeout, but in tests

	mu       sync.Mutex
	listener net.Listener
	closed   bool
}

// NewServer makes a Server that does not listen yet.
func NewServer(o Options) *Server {
	s := &Server{o: o, places: make(chan struct{}, maxClients), io: ioTimeout, worked: workTimeout}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Serve answers on l until Close, and outlives failures of accepting. It
// returns once l is closed.
func (s *Server) Serve(l net.Listener) {
	s.mu.Lock()
	if s.closed {
		_ = l.Close()
	}
	s.listener = l
	s.mu.Unlock()
	for {
		conn, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			s.o.Failed("control accept", err)
			select {
			case <-time.After(retryAfter):
			case <-s.ctx.Done():
			}
			continue
		}
		select {
		case s.places <- struct{}{}:
			go func() {
				s.client(conn)
				<-s.places
			}()
		default:
			_ = conn.Close() // so many at once are no commands
		}
	}
}

// Close ends the server: it accepts no more, and what is being answered is no
// longer waited for. The socket is removed.
func (s *Server) Close() error {
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.listener == nil {
		return nil
	}
	return s.listener.Close()
}

type request struct {
	Verb string          `json:"verb"`
	Args json.RawMessage `json:"args,omitempty"`
}

type answer struct {
	Result json.RawMessage `json:"result,omitempty"`
	Errors []string        `json:"errors,omitempty"`
}

// client serves one connection. It returns when the verb's handler has, too,
// so that handlers that hang are no more than maxClients.
func (s *Server) client(conn net.Conn) {
	defer conn.Close()
	if conn.SetReadDeadline(s.o.Now().Add(s.io)) != nil {
		return
	}
	var req request
	line, err := readLine(conn, maxRequest)
	if err == nil {
		err = json.Unmarshal(line, &req)
	}
	if err != nil {
		s.reply(conn, nil, fmt.Errorf("request: %w", err))
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.worked)
	defer cancel()
	done := s.work(ctx, req)
	select {
	case o := <-done:
		s.reply(conn, o.result, o.err)
	case <-ctx.Done():
		s.reply(conn, nil, fmt.Errorf("no answer: %w", context.Cause(ctx)))
		_ = conn.Close()
		<-done
	}
}

// reply writes an answer; a client that has gone needs none.
func (s *Server) reply(conn net.Conn, result any, err error) {
	line := encode(result, err) // whose time is not the client's
	if conn.SetWriteDeadline(s.o.Now().Add(s.io)) == nil {
		_, _ = conn.Write(line)
	}
}

// outcome is what a handler returned.
type outcome struct {
	result any
	err    error
}

// work runs a verb's handler.
func (s *Server) work(ctx context.Context, req request) <-chan outcome {
	done := make(chan outcome, 1)
	handler := s.o.Verbs[req.Verb]
	if handler == nil {
		done <- outcome{err: fmt.Errorf("unknown request %q: is the daemon of another version?", req.Verb)}
		return done
	}
	go func() {
		var o outcome
		defer func() {
			if p := recover(); p != nil {
				o = outcome{err: fmt.Errorf("internal error: %v", p)}
				s.o.Failed("control "+req.Verb, o.err)
			}
			done <- o
		}()
		o.result, o.err = handler(ctx, req.Args)
	}()
	return done
}

// encode writes an answer as one line.
func encode(result any, err error) []byte {
	var a answer
	if err == nil {
		a.Result, err = json.Marshal(result)
	}
	if err == nil && len(a.Result) > maxAnswer/2 {
		err = fmt.Errorf("the answer has %d octets: too long", len(a.Result))
	}
	if err != nil {
		a = answer{Errors: messages(err)}
	}
	line, err := json.Marshal(a)
	if err != nil {
		line = []byte(`{"errors":["internal error"]}`)
	}
	return append(line, '\n')
}

const maxMessages = 200 // errors of one answer

// messages lists the texts of errors that were joined into one.
func messages(err error) []string {
	var all []string
	var walk func(error)
	walk = func(err error) {
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range many.Unwrap() {
				walk(e)
			}
			return
		}
		if len(all) < maxMessages {
			all = append(all, err.Error())
		}
	}
	walk(err)
	return all
}

// readLine reads one line of at most limit octets, its end included.
func readLine(r io.Reader, limit int64) ([]byte, error) {
	b := bufio.NewReader(io.LimitReader(r, limit))
	line, err := b.ReadBytes('\n')
	switch {
	case err == nil:
		return line, nil
	case errors.Is(err, io.EOF) && int64(len(line)) == limit:
		return nil, fmt.Errorf("over %d octets", limit)
	case errors.Is(err, io.EOF):
		return nil, io.ErrUnexpectedEOF
	}
	return nil, err
}
