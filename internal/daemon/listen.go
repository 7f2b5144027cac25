package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/problem"
	"github.com/backscatter-milter/backscatter-milter/milter"
)

// listen opens the listeners: those for mail, for the pages, for commands. Without
// the last it goes on where the disk takes no socket.
func (d *daemon) listen(start Loaded) (err error) {
	if d.mail, err = milter.Listen(start.Config); err != nil {
		return err
	}
	if d.pages, err = listenAdmin(start.Config.Admin); err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	d.socket, err = listenControl(start.Control)
	if diskFailed(err) {
		d.live.Log().Error("no control socket: commands do not reach this daemon", "error", err)
		return nil
	}
	return err
}

// diskFailed reports whether an error is the disk's, not a mistake: mail goes on.
func diskFailed(err error) bool {
	for _, e := range []syscall.Errno{syscall.EROFS, syscall.ENOSPC, syscall.EDQUOT, syscall.EIO} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// listenControl opens the control socket, making the folder it is in.
func listenControl(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, problem.WithHint(fmt.Errorf("control socket: %w", err), "name another folder with --state, or another path under [admin] control")
	}
	l, err := control.Listen(path)
	if errors.Is(err, control.ErrInUse) {
		err = problem.WithHint(err, "a second daemon needs a state folder of its own: name one with --state")
	}
	return l, err
}

// listenAdmin opens the admin listener, nil where there is to be none. A unix
// socket is for the daemon's own user.
func listenAdmin(a config.Admin) (net.Listener, error) {
	want, ok := a.Listener()
	switch {
	case !ok:
		return nil, nil
	case want.Network == "unix":
		return milter.ListenUnix(want.Address, 0o600, "")
	}
	return net.Listen(want.Network, want.Address)
}

// reachable is where an MTA on this machine finds a listener that is bound to
// every address.
func reachable(a net.Addr) net.Addr {
	t, ok := a.(*net.TCPAddr)
	if !ok || !t.IP.IsUnspecified() {
		return a
	}
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: t.Port}
}

// mtaAddress writes a listener's address as Postfix names milters.
func mtaAddress(a net.Addr) string {
	if a.Network() == "unix" {
		return "unix:" + a.String()
	}
	return "inet:" + a.String()
}
