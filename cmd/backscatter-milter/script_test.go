package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"backscatter-milter": main,
	})
}

// TestScripts runs the command as its users do.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("GORACE", "atexit_sleep_ms=0") // under the race detector each command would wait a second
			e.Setenv("STATE_DIRECTORY", e.WorkDir+"/state")
			e.Values[supervisor{}] = &supervisor{}
			e.Setenv("BACKSCATTER_MILTER_CONFIG", e.WorkDir+"/config.toml")
			for _, name := range []string{"MILTER", "ADMIN", "BUSY"} {
				port, err := freePort()
				if err != nil {
					return err
				}
				e.Setenv(name, port)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"abuse":      cmdAbuse,
			"dnslist":    cmdDNSList,
			"memory":     cmdMemory,
			"bounce":     cmdBounce,
			"outbound":   cmdOutbound,
			"mta":        cmdMTA,
			"unknown":    cmdUnknown,
			"get":        cmdGet,
			"occupy":     cmdOccupy,
			"config":     cmdConfig,
			"hangup":     cmdHangup,
			"until":      cmdUntil,
			"eventually": cmdEventually,
			"sleep":      cmdSleep,
			"spoil":      cmdSpoil,

			"supervise": cmdSupervise,
			"notified":  cmdNotified,
			"hold":      cmdHold,
		},
	})
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// cmdConfig writes the configuration of a file to config.toml, with the ports
// of this run for $MILTER and $ADMIN: config FILE.
func cmdConfig(ts *testscript.TestScript, _ bool, args []string) {
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	if !strings.Contains(text, "dnsbl") {
		text = "dnsbl = [] # no public list is asked by tests\n" + text
	}
	ts.Check(os.WriteFile(ts.MkAbs("config.toml"), []byte(text), 0o600))
}

// eventually retries until the daemon, which may be starting, is there.
func eventually(try func() error) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := try()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// cmdBounce brings a null-sender message for an address to the milter on a
// port and prints what became of it: bounce PORT ADDRESS.
func cmdBounce(ts *testscript.TestScript, _ bool, args []string) {
	tx := mtatest.SampleBounce(args[1], "alice@example.com")
	tx.Client = "192.0.2.25"
	playTo(ts, args[0], tx)
}

// cmdOutbound brings a message from one of our users: outbound PORT SENDER.
func cmdOutbound(ts *testscript.TestScript, _ bool, args []string) {
	tx := mtatest.SampleOutbound(args[1], "bob@example.net")
	tx.Client = "127.0.0.1"
	playTo(ts, args[0], tx)
}

func playTo(ts *testscript.TestScript, port string, tx mtatest.Transaction) {
	var c *mtatest.Client
	ts.Check(eventually(func() (err error) {
		c, err = mtatest.Dial("tcp", "127.0.0.1:"+port, mtatest.PostfixOffer())
		return err
	}))
	defer c.Close()
	r, err := c.Run(tx)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%v at %v\n", r.Reply, r.Stage)
	for _, m := range r.Mods {
		fmt.Fprintf(ts.Stdout(), "%v %s %s\n", m.Kind, m.Name, m.Value)
	}
}

// cmdGet prints the answer of the admin listener: get PORT PATH [TOKEN].
func cmdGet(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(eventually(func() error {
		req, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:"+args[0]+args[1], http.NoBody)
		if err != nil {
			return err
		}
		if len(args) > 2 {
			req.Header.Set("Authorization", "Bearer "+args[2])
		}
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = fmt.Fprintf(ts.Stdout(), "%d\n%s", r.StatusCode, body)
		}
		return err
	}))
}

// cmdHangup sends SIGHUP to what runs in the background.
func cmdHangup(ts *testscript.TestScript, _ bool, _ []string) {
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(syscall.SIGHUP))
	}
}

// cmdUntil waits until the status of the daemon at a control socket matches an
// expression: until SOCKET EXPRESSION.
func cmdUntil(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile("(?m)^" + args[1])
	ts.Check(eventually(func() error {
		var status control.Status
		c := control.Client{Path: ts.MkAbs(args[0]), Now: time.Now}
		if err := c.Call(context.Background(), control.VerbStatus, nil, &status); err != nil {
			return err
		}
		var b strings.Builder
		if err := status.Write(&b); err != nil {
			return err
		}
		if !want.MatchString(b.String()) {
			return fmt.Errorf("no %s in\n%s", want, b.String())
		}
		return nil
	}))
}

// cmdOccupy listens on a port until the script ends: occupy PORT.
func cmdOccupy(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:"+args[0])
	ts.Check(err)
	ts.Defer(func() {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			ts.Logf("close: %v", err)
		}
	})
}

// cmdEventually waits until an answer of the admin listener matches an
// expression: eventually PORT PATH EXPRESSION [TOKEN].
func cmdEventually(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile("(?m)" + args[2])
	ts.Check(eventually(func() error {
		req, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:"+args[0]+args[1], http.NoBody)
		if err != nil {
			return err
		}
		if len(args) > 3 {
			req.Header.Set("Authorization", "Bearer "+args[3])
		}
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err == nil && !want.Match(body) {
			err = fmt.Errorf("no %s in\n%s", want, body)
		}
		return err
	}))
}

// cmdSleep waits: sleep SECONDS.
func cmdSleep(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[0] + "s")
	ts.Check(err)
	time.Sleep(d)
}
