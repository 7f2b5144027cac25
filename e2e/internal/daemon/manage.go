//go:build linux

package daemon

import (
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
		return exec.Command(args[0], args[1:]...)
	}
	cmd := exec.Command("/bin/sh", append([]string{"-c", `LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"`, "sh"}, args...)...)
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

// PeakMemory is the most memory that the daemon has had at once, in octets.
func (d *Daemon) PeakMemory() (int64, error) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(d.cmd.Process.Pid), "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no VmHWM in %q", status)
}
