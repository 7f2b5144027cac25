//go:build linux

package daemon

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// NoResolvConf is for Resolve: /etc/resolv.conf is not there.
const NoResolvConf = "\x00"

// Resolve gives the daemon an /etc/resolv.conf of its own, from its next start
// on, and so do the commands that ask DNS.
func (d *Daemon) Resolve(text string) error {
	etc, err := os.MkdirTemp(d.dir, "etc-")
	if err != nil {
		return err
	}
	d.etc = etc
	path := filepath.Join(etc, "resolv.conf")
	if text == NoResolvConf {
		return errors.Join(os.Chmod(etc, 0o755), unix.Mknod(path, unix.S_IFCHR, 0)) // to an overlay: no such file
	}
	return errors.Join(os.Chmod(etc, 0o755), os.WriteFile(path, []byte(text), 0o644))
}

// resolving prepares a program to run with that resolv.conf, which only this
// one process sees: in a mount namespace of its own, where a shell lays the
// folder over /etc and then becomes the program.
func (d *Daemon) resolving(args ...string) *exec.Cmd {
	if d.etc == "" {
		return exec.Command(args[0], args[1:]...)
	}
	const script = `mount -t overlay -o "ro,lowerdir=$1:/etc" etc /etc && shift && exec "$@"`
	cmd := exec.Command("/bin/sh", append([]string{"-c", script, "sh", d.etc}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	return cmd
}

// unprivileged makes of a program's arguments those of one that runs as nobody
// and dies with the test process.
func unprivileged(args []string) []string {
	id := strconv.Itoa(nobody)
	return append([]string{"setpriv", "--reuid", id, "--regid", id, "--clear-groups", "--pdeathsig", "KILL", "--"}, args...)
}

// Asking runs a command that may ask DNS, "lookup" or "check", to its end:
// what it printed, errors included, and its exit status.
func (d *Daemon) Asking(command string, args ...string) (out string, exit int, err error) {
	cmd := d.resolving(append([]string{d.program, command, "--config", d.config(), "--state", d.State()}, args...)...)
	text, err := cmd.CombinedOutput()
	var status *exec.ExitError
	if errors.As(err, &status) {
		return string(text), status.ExitCode(), nil
	}
	if err != nil {
		return "", 0, fmt.Errorf("%s: %w", command, err)
	}
	return string(text), 0, nil
}
