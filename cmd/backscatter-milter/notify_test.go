package main

import (
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// supervisor stands in for systemd at the other end of NOTIFY_SOCKET.
type supervisor struct{ conn *net.UnixConn }

// cmdSupervise begins to listen, and has daemons that are started later tell it
// what they do: supervise.
func cmdSupervise(ts *testscript.TestScript, _ bool, _ []string) {
	path := ts.MkAbs("notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	ts.Check(err)
	ts.Defer(func() { ts.Check(conn.Close()) })
	ts.Setenv("NOTIFY_SOCKET", path)
	*ts.Value(supervisor{}).(*supervisor) = supervisor{conn}
}

// cmdNotified waits until a daemon tells something that matches an expression,
// after what was waited for before; or, negated, wants it not told for half a
// second: notified EXPRESSION.
func cmdNotified(ts *testscript.TestScript, neg bool, args []string) {
	want := regexp.MustCompile("^" + args[0])
	s := ts.Value(supervisor{}).(*supervisor)
	patience := 10 * time.Second
	if neg {
		patience = 500 * time.Millisecond
	}
	var told []string
	message := make([]byte, 4096)
	for deadline := time.Now().Add(patience); ; {
		ts.Check(s.conn.SetReadDeadline(deadline))
		n, err := s.conn.Read(message)
		if err != nil && neg {
			return
		}
		if err != nil {
			ts.Fatalf("told %q, want %s: %v", told, want, err)
		}
		state := string(message[:n])
		told = append(told, state)
		if !want.MatchString(state) {
			continue
		}
		if neg {
			ts.Fatalf("told %q", state)
		}
		fmt.Fprintln(ts.Stdout(), strings.ReplaceAll(state, "\n", " "))
		return
	}
}

// cmdHold keeps a connection to the milter on a port until the script ends:
// hold PORT.
func cmdHold(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(eventually(func() error {
		c, err := mtatest.Dial("tcp", "127.0.0.1:"+args[0], mtatest.PostfixOffer())
		if err == nil {
			ts.Defer(func() { _ = c.Close() })
		}
		return err
	}))
}
