package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// start serves verbs at a new socket.
func start(t *testing.T, verbs map[string]Handler) (*Server, Client) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "control.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(Options{Verbs: verbs, Now: time.Now, Failed: func(what string, err error) { t.Logf("%s: %v", what, err) }})
	s.io, s.worked = 200*time.Millisecond, 300*time.Millisecond
	done := make(chan struct{})
	go func() { s.Serve(l); close(done) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		<-done
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket stays behind: %v", err)
		}
	})
	return s, Client{Path: path, Now: time.Now}
}

func echo(_ context.Context, args json.RawMessage) (any, error) { return args, nil }

func TestCall(t *testing.T) {
	_, c := start(t, map[string]Handler{
		"echo": echo,
		"fail": func(context.Context, json.RawMessage) (any, error) {
			return nil, fmt.Errorf("both: %w", errors.Join(errors.New("one"), errors.New("two\nlines")))
		},
		"join": func(context.Context, json.RawMessage) (any, error) {
			return nil, errors.Join(errors.New("one"), errors.New("two"))
		},
		"panic": func(context.Context, json.RawMessage) (any, error) { panic("oh") },
		"huge":  func(context.Context, json.RawMessage) (any, error) { return strings.Repeat("x", maxAnswer), nil },
	})
	var got map[string]int
	if err := c.Call(t.Context(), "echo", map[string]int{"a": 7}, &got); err != nil || got["a"] != 7 {
		t.Errorf("%v, %v", got, err)
	}
	for verb, want := range map[string]string{
		"join":  "one\ntwo",
		"fail":  "both: one\ntwo\nlines",
		"panic": "internal error: oh",
		"huge":  fmt.Sprintf("the answer has %d octets: too long", maxAnswer+2),
		"what":  `unknown request "what": is the daemon of another version?`,
	} {
		err := c.Call(t.Context(), verb, nil, &got)
		var f DaemonErrors
		if !errors.As(err, &f) || err.Error() != want {
			t.Errorf("%s: %v", verb, err)
		}
	}
	if got := len(messages(errors.Join(errors.New("one"), errors.New("two")))); got != 2 {
		t.Errorf("%d messages", got)
	}
}

// raw sends octets and returns what comes back until the server ends it.
func raw(t *testing.T, c Client, octets []byte) string {
	t.Helper()
	conn, err := net.Dial("unix", c.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(octets); err != nil && !strings.Contains(err.Error(), "broken pipe") && !strings.Contains(err.Error(), "reset") {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%.20q: the server does not end it", octets)
	}
	return string(answer)
}

func TestBadRequests(t *testing.T) {
	_, c := start(t, map[string]Handler{"echo": echo})
	for _, bad := range []string{"\n", "no json\n", "[]\n", `{"verb":7}` + "\n", "{\"verb\":\"echo\"", "\x00\xff\n"} {
		if got := raw(t, c, []byte(bad)); !strings.HasPrefix(got, `{"errors":["request: `) {
			t.Errorf("%q: answer %q", bad, got)
		}
	}
	raw(t, c, bytes.Repeat([]byte("x"), maxRequest+1))
	if got := raw(t, c, bytes.Repeat([]byte("x"), maxRequest)); got != "{\"errors\":[\"request: over 8388608 octets\"]}\n" {
		t.Errorf("a long line: %q", got)
	}
	var got json.RawMessage
	if err := c.Call(t.Context(), "echo", 1, &got); err != nil {
		t.Errorf("after all that: %v", err)
	}
}

// Clients that connect and say nothing are cut off, and then others are served.
func TestStuckClients(t *testing.T) {
	_, c := start(t, map[string]Handler{"echo": echo})
	for range 3 * maxClients {
		conn, err := net.Dial("unix", c.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		var got int
		err := c.Call(t.Context(), "echo", 5, &got)
		if err == nil && got == 5 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not served: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A handler that hangs is answered for, and keeps its place until it ends.
func TestHangingHandler(t *testing.T) {
	release := make(chan struct{})
	s, c := start(t, map[string]Handler{"hang": func(context.Context, json.RawMessage) (any, error) { <-release; return 1, nil }})
	var got int
	if err := c.Call(t.Context(), "hang", nil, &got); err == nil || err.Error() != "no answer: context deadline exceeded" {
		t.Errorf("%v", err)
	}
	if len(s.places) != 1 {
		t.Errorf("%d places are taken", len(s.places))
	}
	close(release)
}

func TestClientErrors(t *testing.T) {
	dir := t.TempDir()
	c := Client{Path: filepath.Join(dir, "none"), Now: time.Now}
	if err := c.Call(t.Context(), "echo", nil, nil); !errors.Is(err, ErrNoDaemon) || err.Error() != c.Path+": no daemon answers" {
		t.Errorf("no socket: %v", err)
	}
	c.Path = abandoned(t, dir)
	if err := c.Call(t.Context(), "echo", nil, nil); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("a stale socket: %v", err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "mute"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c.Path = l.Addr().String()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := c.Call(ctx, "echo", nil, nil); err == nil || !strings.Contains(err.Error(), "the daemon gave no answer") {
		t.Errorf("a mute server: %v", err)
	}
}

// abandoned makes a socket that nobody listens on any more.
func abandoned(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "stale")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestListen(t *testing.T) {
	dir := t.TempDir()
	stale := abandoned(t, dir)
	l, err := Listen(stale)
	if err != nil {
		t.Fatalf("a stale socket: %v", err)
	}
	defer l.Close()
	if info, err := os.Stat(stale); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := Listen(stale); !errors.Is(err, ErrInUse) || err.Error() != "control socket "+stale+": another daemon is using it" {
		t.Errorf("in use: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(file); err == nil || !strings.HasSuffix(err.Error(), "a file that is no socket is in the way") {
		t.Errorf("a file: %v", err)
	}
	long := filepath.Join(dir, strings.Repeat("x", 120))
	if _, err := Listen(long); err == nil || !strings.Contains(err.Error(), "no more than 107 for a socket") {
		t.Errorf("a long path: %v", err)
	}
	if _, err := Listen(filepath.Join(dir, "no", "socket")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}
