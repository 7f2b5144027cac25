//go:build linux

// Package daemon runs the built backscatter-milter as a process of its own, as
// a site does: a configuration file, a state folder, an unprivileged user. It
// looks at nothing but what a site can see: exit status, log, metrics, and the
// commands of the same program.
package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout = 10 * time.Second
	nobody       = 65534 // the user that the daemon runs as
)

// Daemon is one installation of backscatter-milter. It can be started again
// after it was stopped or killed, on the same configuration and state.
type Daemon struct {
	program string
	dir     string
	admin   netip.AddrPort
	log     buffer

	inherited *os.File // nil where the daemon listens by itself
	etc       string   // holds a resolv.conf; "" where the machine's is used

	cmd   *exec.Cmd
	ended chan struct{} // closed unless cmd runs
}

// Install writes a configuration into dir, where the state will be, too. admin
// is where the configuration has the admin listener.
func Install(program, dir, config string, admin netip.AddrPort) (*Daemon, error) {
	d := &Daemon{program: program, dir: dir, admin: admin, ended: make(chan struct{})}
	close(d.ended)
	if err := os.WriteFile(d.config(), []byte(config), 0o644); err != nil {
		return nil, err
	}
	if err := os.Mkdir(d.State(), 0o700); err != nil {
		return nil, err
	}
	return d, os.Chown(d.State(), nobody, nobody)
}

// Start runs `backscatter-milter serve` and returns once it says it is ready.
func (d *Daemon) Start() error {
	cmd := d.serve()
	cmd.Stdout, cmd.Stderr = &d.log, &d.log
	cmd.Dir = "/"
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its result is kept in cmd
		close(ended)
	}()
	d.cmd, d.ended = cmd, ended
	return d.awaitReady()
}

func (d *Daemon) awaitReady() error {
	deadline := time.Now().Add(startTimeout)
	for {
		_, err := d.Get("/readyz")
		switch {
		case err == nil:
			return nil
		case !d.Running():
			return fmt.Errorf("the daemon ended at once: %v\n%s", d.cmd.ProcessState, d.Log())
		case time.Now().After(deadline):
			return errors.Join(fmt.Errorf("not ready within %v: %w", startTimeout, err), d.Kill())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Running reports whether the daemon was started and has not ended since.
func (d *Daemon) Running() bool {
	select {
	case <-d.ended:
		return false
	default:
		return true
	}
}

// Terminate asks the daemon to stop (SIGTERM) and does not wait for it.
func (d *Daemon) Terminate() error { return d.cmd.Process.Signal(syscall.SIGTERM) }

// Wait waits for the daemon to end; the error is nil if it exited with 0.
func (d *Daemon) Wait(limit time.Duration) error {
	select {
	case <-d.ended:
	case <-time.After(limit):
		return fmt.Errorf("the daemon still runs after %v", limit)
	}
	if !d.cmd.ProcessState.Success() {
		return fmt.Errorf("the daemon ended with %v", d.cmd.ProcessState)
	}
	return nil
}

// Kill ends the daemon at once (SIGKILL).
func (d *Daemon) Kill() error {
	if err := d.cmd.Process.Kill(); err != nil {
		return err
	}
	<-d.ended
	return nil
}

// Log is everything that the daemon has printed so far, at every start.
func (d *Daemon) Log() string { return d.log.String() }

// Get asks the admin listener and returns the body of an answer of 200.
func (d *Daemon) Get(path string) (string, error) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + d.admin.String() + path)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s: %s", path, response.Status, bytes.TrimSpace(body))
	}
	return string(body), nil
}

// Metric is the value of one sample of /metrics, named as it stands there with
// its labels: `backscatter_signed_total{result="signed"}`. Absent is 0.
func (d *Daemon) Metric(sample string) (float64, error) {
	metrics, err := d.Get("/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(metrics) {
		if value, ok := strings.CutPrefix(line, sample+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, nil
}

// Verdict is one line of the log that says how a recipient or a message was
// judged.
type Verdict struct {
	Message  string `json:"msg"`
	ID       string `json:"id"`
	QueueID  string `json:"qid"`
	Client   string `json:"client"`
	From     string `json:"from"`
	To       string `json:"to"`
	Stage    string `json:"stage"`
	Action   string `json:"action"`
	Reason   string `json:"reason"`
	Class    string `json:"class"`
	Origin   string `json:"origin"`
	Enforced bool   `json:"enforced"`
}

// Verdicts are the verdict lines of the log. Every line of it must be JSON.
func (d *Daemon) Verdicts() ([]Verdict, error) {
	var verdicts []Verdict
	for line := range strings.Lines(d.Log()) {
		var v Verdict
		if !strings.HasSuffix(line, "\n") {
			continue // not yet written to its end
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			return nil, fmt.Errorf("log line %q: %w", line, err)
		}
		if v.Message == "verdict" {
			verdicts = append(verdicts, v)
		}
	}
	return verdicts, nil
}

// Sign is what `backscatter-milter sign` makes of an address with the daemon's
// keys. options: "--at", "2026-01-01".
func (d *Daemon) Sign(address string, options ...string) (string, error) {
	out, _, err := d.tool("sign", append(options, address)...)
	return strings.TrimSpace(out), err
}

// Verification is what `backscatter-milter verify --json` says of an address.
type Verification struct {
	Result string `json:"result"` // valid, expired, forged, missing, foreign
	Bare   string `json:"bare"`
	Layout string `json:"layout"`
}

// Verify is what `backscatter-milter verify` says with the daemon's keys.
func (d *Daemon) Verify(address string) (Verification, error) {
	out, exit, err := d.tool("verify", "--json", address)
	if err != nil && exit != 1 { // 1: not valid
		return Verification{}, err
	}
	var v Verification
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		return Verification{}, fmt.Errorf("verify --json printed %q: %w", out, err)
	}
	return v, nil
}

// Own gives what is in the state folder to the user that the daemon runs as.
func (d *Daemon) Own() error {
	entries, err := os.ReadDir(d.State())
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(d.State(), e.Name())
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if s, ok := info.Sys().(*syscall.Stat_t); ok && s.Uid == nobody {
			continue // maybe on a disk that takes no change
		}
		if err := os.Chown(path, nobody, nobody); err != nil {
			return err
		}
	}
	return nil
}

// Status is what `backscatter-milter status` prints.
func (d *Daemon) Status() (string, error) {
	cmd := exec.Command(d.program, "status", "--config", d.config(), "--state", d.State())
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Setup is what "setup" prints for a server, with further options.
func (d *Daemon) Setup(server string, options ...string) (string, error) {
	cmd := exec.Command(d.program, append([]string{"setup", server, "--config", d.config()}, options...)...)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return string(out), nil
}

// tool runs a subcommand to its end.
func (d *Daemon) tool(subcommand string, args ...string) (out string, exit int, err error) {
	args = append([]string{subcommand, "--config", d.config(), "--keys", filepath.Join(d.State(), "keys.toml")}, args...)
	cmd := exec.Command(d.program, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), cmd.ProcessState.ExitCode(), fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, stderr.String())
	}
	return stdout.String(), 0, nil
}

func (d *Daemon) config() string { return filepath.Join(d.dir, "config.toml") }

// State is the state folder. What is put there must be given to Own.
func (d *Daemon) State() string { return filepath.Join(d.dir, "state") }

// buffer is a bytes.Buffer that can be read while a process writes to it.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
