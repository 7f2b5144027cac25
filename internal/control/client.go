package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"time"
)

// ErrNoDaemon is the error where nobody answers on the socket.
var ErrNoDaemon = errors.New("no daemon answers")

// DaemonErrors is what the daemon answered when it could not do what was asked.
type DaemonErrors []string

// Error gives one message a line.
func (f DaemonErrors) Error() string { return strings.Join(f, "\n") }

// Unwrap gives each message as an error of its own.
func (f DaemonErrors) Unwrap() []error {
	all := make([]error, len(f))
	for i, message := range f {
		all[i] = errors.New(message)
	}
	return all
}

// Client speaks to the daemon that listens at Path.
type Client struct {
	Path string
	Now  func() time.Time // the real time
}

// answerTimeout is how long the daemon may take, and a little for the way.
const answerTimeout = workTimeout + ioTimeout

// Call has the daemon answer a verb and puts the answer into result. args may
// be nil. It returns ErrNoDaemon, fs.ErrPermission where the socket is another
// user's, a DaemonErrors, or what else went wrong on the way.
func (c Client) Call(ctx context.Context, verb string, args, result any) error {
	req := request{Verb: verb}
	if args != nil {
		var err error
		if req.Args, err = json.Marshal(args); err != nil {
			return err
		}
	}
	line, err := json.Marshal(req)
	if err != nil {
		return err
	}
	a, err := c.exchange(ctx, append(line, '\n'))
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", c.Path, err)
	case len(a.Errors) > 0:
		return DaemonErrors(a.Errors)
	}
	return json.Unmarshal(a.Result, result)
}

func (c Client) exchange(ctx context.Context, line []byte) (a answer, err error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "unix", c.Path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return answer{}, ErrNoDaemon
	}
	if err != nil {
		return answer{}, cause(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(c.Now().Add(answerTimeout)); err != nil {
		return answer{}, err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if _, err := conn.Write(line); err != nil {
		return answer{}, fmt.Errorf("the daemon takes no request: %w", cause(err))
	}
	reply, err := readLine(conn, maxAnswer)
	if err != nil {
		return answer{}, fmt.Errorf("the daemon gave no answer: %w", cause(err))
	}
	if err := json.Unmarshal(reply, &a); err != nil {
		return answer{}, fmt.Errorf("the daemon's answer: %w", err)
	}
	return a, nil
}

// cause leaves out the address, which the message has already.
func cause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}
