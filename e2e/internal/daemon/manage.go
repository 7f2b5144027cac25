//go:build linux

package daemon

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Inherit has the daemon take its mail from a listening socket of the caller's,
// at every start, as under systemd's socket activation (sd_listen_fds(3)). The
// caller keeps the socket open: what connects while no daemon runs waits in it.
func (d *Daemon) Inherit(socket *os.File) { d.inherited = socket }

// serve prepares `backscatter-milter serve`. A shell puts in the number of its
// own process, which becomes the daemon's: an inherited socket is meant for that
// one process.
func (d *Daemon) serve() *exec.Cmd {
	args := []string{d.program, "serve", "--config", d.config(), "--state", d.State()}
	if d.inherited == nil {
		return d.resolving(unprivileged(args)...)
	}
	args = append([]string{"/bin/sh", "-c", `LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"`, "sh"}, args...)
	cmd := d.resolving(unprivileged(args)...)
	cmd.ExtraFiles = []*os.File{d.inherited} // number 3
	return cmd
}

// Configure puts another configuration in the place of the present one, at
// once, as editors do; it is read at the next reload.
func (d *Daemon) Configure(config string) error {
	next := d.config() + ".next"
	if err := os.WriteFile(next, []byte(config), 0o644); err != nil {
		return err
	}
	return os.Rename(next, d.config())
}

// Hangup sends SIGHUP and does not wait for what comes of it.
func (d *Daemon) Hangup() error { return d.cmd.Process.Signal(syscall.SIGHUP) }

// Reload is `backscatter-milter reload`; the error tells what it printed.
func (d *Daemon) Reload() error {
	cmd := exec.Command(d.program, "reload", "--config", d.config(), "--state", d.State())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("reload: %w\n%s", err, out)
	}
	return nil
}

// RotateKeys is `backscatter-milter keys rotate`, run by root. options: "--now".
func (d *Daemon) RotateKeys(options ...string) error {
	args := append([]string{"keys", "rotate", "--config", d.config(), "--state", d.State()}, options...)
	if out, err := exec.Command(d.program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("keys rotate: %w\n%s", err, out)
	}
	return nil
}

// Report is what "backscatter-milter report" prints, with options.
func (d *Daemon) Report(options ...string) (string, error) {
	args := append([]string{"report", "--config", d.config(), "--state", d.State()}, options...)
	out, err := exec.Command(d.program, args...).CombinedOutput()
	return string(out), err
}

// PID is its process.
func (d *Daemon) PID() int { return d.cmd.Process.Pid }

// PeakMemory is the most memory that the daemon has had at once, in octets.
func (d *Daemon) PeakMemory() (int64, error) { return d.memory("VmHWM:") }

// Memory is what the daemon has now.
func (d *Daemon) Memory() (int64, error) { return d.memory("VmRSS:") }

func (d *Daemon) memory(field string) (int64, error) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(d.cmd.Process.Pid), "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, field); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no %s in %q", field, status)
}

// Explanation is what `backscatter-milter explain --json` says of a message
// with one recipient.
type Explanation struct {
	Class      string `json:"class"`
	Recipients []struct {
		ByRecord bool `json:"strict_by_record"`
		Origin   struct {
			Evidence string `json:"evidence"`
			Why      string `json:"why"`
		} `json:"origin"`
		Rows []struct {
			Reason  string `json:"reason"`
			Action  string `json:"action"`
			Decides bool   `json:"decides"`
		} `json:"rows"`
		Verdict ExplainedVerdict `json:"verdict"`
	} `json:"recipients"`
	Verdict ExplainedVerdict `json:"verdict"`
}

// ExplainedVerdict is what becomes of a recipient or a message.
type ExplainedVerdict struct {
	Stage  string `json:"stage"`
	Action string `json:"action"`
	Reason string `json:"reason"`
	Reply  string `json:"reply"`
	Header string `json:"header"` // X-Backscatter but for its id
}

// Explain asks the running daemon to explain a message.
func (d *Daemon) Explain(client, from, to, message string) (Explanation, error) {
	cmd := exec.Command(d.program, "explain", "--json", "--config", d.config(), "--state", d.State(), "--client", client, "--from", from, "--rcpt", to, "-")
	cmd.Stdin = strings.NewReader(message)
	var says strings.Builder
	cmd.Stderr = &says
	out, err := cmd.Output()
	if err != nil || !strings.Contains(says.String(), "explained by the running daemon") {
		return Explanation{}, fmt.Errorf("explain: %w\n%s", err, says.String())
	}
	var x Explanation
	if err := json.Unmarshal(out, &x); err != nil {
		return Explanation{}, fmt.Errorf("explain --json printed %q: %w", out, err)
	}
	return x, nil
}

// Keep writes a file that the daemon may read, and returns its path.
func (d *Daemon) Keep(name, content string) (path string, err error) {
	path = filepath.Join(d.dir, name)
	return path, os.WriteFile(path, []byte(content), 0o644)
}
