package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

const root = "github.com/backscatter-milter/backscatter-milter"

// programs are the two binaries that are compared.
type programs struct {
	daemon, stock string
	lean          bool
}

// binaries builds what was not given.
func binaries(ctx context.Context, o options, dir string) (programs, error) {
	bin := programs{daemon: o.daemon, stock: o.stock, lean: o.lean}
	if bin.daemon == "" {
		top, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", root).Output()
		if err != nil {
			return bin, fmt.Errorf("run load in the e2e folder, or give -daemon and -stock: %w", err)
		}
		bin.daemon = filepath.Join(dir, "backscatter-milter")
		if err := build(ctx, strings.TrimSpace(string(top)), bin.daemon, root+"/cmd/backscatter-milter"); err != nil {
			return bin, err
		}
	}
	if bin.stock == "" {
		bin.stock = filepath.Join(dir, "stock")
		if err := build(ctx, "", bin.stock, root+"/e2e/stock"); err != nil {
			return bin, err
		}
	}
	return bin, nil
}

func build(ctx context.Context, in, out, pkg string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, pkg)
	cmd.Dir = in
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, text)
	}
	return nil
}

// goVersion is the version of Go that a binary was built with.
func goVersion(binary string) string {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return "unknown Go version"
	}
	return info.GoVersion
}

// server is one of the two, running.
type server struct {
	name   string
	cmd    *exec.Cmd
	stderr string // file
	tcp    string // HOST:PORT
	unix   string // path
	tagged string // user's address with a tag of the daemon's; the plain one for stock
}

// address is where to dial on a network.
func (s *server) address(network string) string {
	if network == "unix" {
		return s.unix
	}
	return s.tcp
}

// config refuses untagged bounces before their data and signs, with no grace: what the daemon is for, at its dearest.
const config = `
listen  = ["inet:%s", "unix:%s"]
domains = ["example.com"]
stage   = "rcpt"
[batv]
sign = true
[policy]
tag-missing = "reject"
flood = "reject"
[admin]
listen = ""
`

// startDaemon starts the daemon with a fresh state folder in dir.
func (bin programs) startDaemon(ctx context.Context, dir string) (*server, error) {
	s, err := newServer("daemon", dir)
	if err != nil {
		return nil, err
	}
	return s, bin.serve(ctx, s, dir, config)
}

// serve starts the daemon with a configuration, whose verbs are the two addresses.
func (bin programs) serve(ctx context.Context, s *server, dir, config string) error {
	file, state := filepath.Join(dir, "config.toml"), filepath.Join(dir, "state")
	if err := os.WriteFile(file, fmt.Appendf(nil, config, s.tcp, s.unix), 0o600); err != nil {
		return err
	}
	if err := os.Mkdir(state, 0o700); err != nil {
		return err
	}
	if err := s.start(ctx, bin.daemon, "serve", "--config", file, "--state", state); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, bin.daemon, "sign", "--config", file, "--keys", filepath.Join(state, "keys.toml"), user).Output()
	if err != nil {
		return errors.Join(fmt.Errorf("signing %s: %w", user, err), s.stop())
	}
	s.tagged = strings.TrimSpace(string(out))
	return nil
}

// startStock starts the yardstick.
func (bin programs) startStock(ctx context.Context, dir string) (*server, error) {
	s, err := newServer("stock", dir)
	if err != nil {
		return nil, err
	}
	args := []string{"-listen", "inet:" + s.tcp, "-listen", "unix:" + s.unix, "-refuse", user}
	if bin.lean {
		args = append(args, "-lean")
	}
	s.tagged = "prvs=0000000000=" + user
	return s, s.start(ctx, bin.stock, args...)
}

// newServer finds a free port and a socket path.
func newServer(name, dir string) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return &server{
		name:   name,
		tcp:    l.Addr().String(),
		unix:   filepath.Join(dir, "milter.sock"),
		stderr: filepath.Join(dir, "stderr"),
	}, nil
}

// start runs the program until it takes milter connections.
func (s *server) start(ctx context.Context, binary string, args ...string) error {
	out, err := os.Create(s.stderr)
	if err != nil {
		return err
	}
	defer out.Close()
	s.cmd = exec.CommandContext(ctx, binary, args...)
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if err := s.cmd.Start(); err != nil {
		return err
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err = errors.Join(greet("tcp", s.tcp), greet("unix", s.unix))
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return errors.Join(fmt.Errorf("%s does not answer: %w", s.name, err), s.stop())
		}
	}
}

func greet(network, address string) error {
	c, err := mtatest.Dial(network, address, mtatest.PostfixOffer())
	if err != nil {
		return err
	}
	return c.Quit()
}

// stop ends the program, and tells what it had to say if it did not end well.
func (s *server) stop() error {
	err := s.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(10*time.Second, func() { err = errors.Join(errors.New("killed"), s.cmd.Process.Kill()) })
	ended := s.cmd.Wait()
	late.Stop()
	var exit *exec.ExitError
	if s.name == "stock" && errors.As(ended, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGTERM {
		ended = nil // it does not handle the signal
	}
	if err = errors.Join(err, ended); err == nil {
		return nil
	}
	said, _ := os.ReadFile(s.stderr)
	if lines := bytes.Split(said, []byte("\n")); len(lines) > 20 {
		said = bytes.Join(lines[len(lines)-20:], []byte("\n"))
	}
	return fmt.Errorf("%s: %w; it said last:\n%s", s.name, err, said)
}
