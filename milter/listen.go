package milter

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/activation"

	"github.com/backscatter-milter/backscatter-milter/config"
)

// Listen opens the listeners of the configuration. Sockets inherited from
// systemd (sd_listen_fds(3)) come first: where there are any, they are used
// and the configured ones are not opened. On an error none stays open.
func Listen(cfg *config.Config) ([]net.Listener, error) {
	inherited, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("inherited sockets: %w", err)
	}
	var open []net.Listener
	for _, l := range inherited {
		if l != nil { // a descriptor that is no stream socket
			open = append(open, l)
		}
	}
	if len(open) > 0 {
		return open, nil
	}
	if len(cfg.Listen) == 0 {
		return nil, errors.New("nothing to listen on: listen = [], and no socket was inherited from systemd")
	}
	for _, want := range cfg.Listen {
		l, err := listen(want, cfg.SocketMode, cfg.SocketGroup)
		if err != nil {
			for _, l := range open {
				err = errors.Join(err, l.Close())
			}
			return nil, err
		}
		open = append(open, l)
	}
	return open, nil
}

func listen(want config.Listener, mode fs.FileMode, group string) (net.Listener, error) {
	if want.Network != "unix" {
		return listenTCP(want)
	}
	return ListenUnix(want.Address, mode, group)
}

// listenTCP opens a TCP listener. Connections from this machine are not probed
// for being alive: they cannot be cut without notice, and setting it up costs
// a third of the system calls of a refused bounce.
func listenTCP(want config.Listener) (net.Listener, error) {
	var lc net.ListenConfig
	if at, err := netip.ParseAddrPort(want.Address); err == nil && at.Addr().IsLoopback() {
		lc.KeepAlive = -1
	}
	return lc.Listen(context.Background(), want.Network, want.Address)
}

// ListenUnix opens a unix socket with the given mode and, if one is named,
// group. A socket that a killed daemon left behind is replaced.
func ListenUnix(path string, mode fs.FileMode, group string) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := permit(path, mode, group); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// removeStale removes a socket that a killed daemon has left behind. One that
// somebody answers on, and anything that is no socket, stays.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("listen unix %s: a file that is no socket is in the way", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		return errors.Join(fmt.Errorf("listen unix %s: address already in use", path), c.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) { // a busy daemon, or one that we may not ask
		return fmt.Errorf("listen unix %s: address may be in use: %w", path, err)
	}
	return os.Remove(path)
}

// permit gives a unix socket its group, if one is named, and its mode.
func permit(path string, mode fs.FileMode, group string) error {
	if group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			return fmt.Errorf("socket_group: %w", err)
		}
		gid, err := strconv.Atoi(g.Gid)
		if err != nil {
			return fmt.Errorf("socket_group: group %q has id %q", group, g.Gid)
		}
		if err := os.Chown(path, -1, gid); err != nil {
			return err
		}
	}
	return os.Chmod(path, mode)
}
