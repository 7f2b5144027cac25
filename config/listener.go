package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// Listener is a socket to listen on, ready for net.Listen.
type Listener struct {
	Network string // "tcp", "tcp4", "tcp6" or "unix"
	Address string // "host:port" or an absolute path
}

// String gives the form in which a listener is written in the file.
func (l Listener) String() string {
	switch l.Network {
	case "tcp", "tcp4":
		return "inet:" + l.Address
	case "tcp6":
		return "inet6:" + l.Address
	}
	return l.Network + ":" + l.Address
}

const listenerAllowed = `"inet:host:port", "inet6:[host]:port" or "unix:/path"`

// listener parses inet:host:port (IPv4 or a name), inet6:[host]:port, and
// unix:/path. Port 0 lets the system choose.
func listener(v any) (Listener, error) {
	s, ok := v.(string)
	if !ok {
		return Listener{}, errAllowed
	}
	family, address, _ := strings.Cut(s, ":")
	switch family {
	case "unix":
		return unixListener(address)
	case "inet", "inet6":
		return inetListener(family, address)
	case "local":
		return Listener{}, fmt.Errorf("a unix socket is written %q here", "unix:"+address)
	}
	return Listener{}, errAllowed
}

// maxPath is the longest path that fits into a unix socket address on Linux.
const maxPath = 107

func unixListener(path string) (Listener, error) {
	if _, err := fileName(path); err != nil || !strings.HasPrefix(path, "/") {
		return Listener{}, errors.New(`"unix:" and an absolute path, such as "unix:/run/backscatter-milter/milter.sock"`)
	}
	if len(path) > maxPath {
		return Listener{}, fmt.Errorf("a path of at most %d octets; the system takes no longer one for a socket", maxPath)
	}
	return Listener{"unix", path}, nil
}

// literal is the address that a host is written as, zero for a name.
func literal(host string) netip.Addr {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return ip
}

// inetListener parses what follows "inet:" or "inet6:".
func inetListener(family, address string) (Listener, error) {
	if right := turned(family, address); right != "" {
		return Listener{}, fmt.Errorf("host and port, in this order: %q", right)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || !validHost(host) || !validPort(port) {
		return Listener{}, errAllowed
	}
	ip := literal(host)
	named := !ip.IsValid()
	switch {
	case family == "inet6" && ip.Is4():
		return Listener{}, fmt.Errorf("an IPv4 address is written %q", "inet:"+address)
	case family == "inet6":
		return Listener{"tcp6", address}, nil
	case named:
		return Listener{"tcp", address}, nil
	case ip.Is6():
		return Listener{}, fmt.Errorf("an IPv6 address is written %q", "inet6:"+address)
	}
	return Listener{"tcp4", address}, nil
}

// turned gives the right form of port@host, as libmilter has it, or of a port
// alone, as Postfix takes it; "" for what is neither.
func turned(family, address string) string {
	port, host, _ := strings.Cut(address, "@")
	if !validPort(port) {
		return ""
	}
	if host == "" && family == "inet6" {
		host = "::1"
	} else if host == "" {
		host = "127.0.0.1"
	}
	host = strings.Trim(host, "[]")
	if !validHost(host) {
		return ""
	}
	return family + ":" + net.JoinHostPort(host, port)
}

// Listener gives the socket of Listen, and whether there is one.
func (a Admin) Listener() (Listener, bool) {
	switch path, isUnix := strings.CutPrefix(a.Listen, "unix:"); {
	case a.Listen == "":
		return Listener{}, false
	case isUnix:
		return Listener{"unix", path}, true
	}
	return Listener{"tcp", a.Listen}, true
}

// adminListen parses "", "unix:/path" and "host:port".
func adminListen(v any) (string, error) {
	s, ok := v.(string)
	if ok && s == "" {
		return s, nil
	}
	if path, isUnix := strings.CutPrefix(s, "unix:"); isUnix {
		_, err := unixListener(path)
		return s, err
	}
	host, port, err := net.SplitHostPort(s)
	if bare, isInet := strings.CutPrefix(s, "inet:"); isInet {
		return "", fmt.Errorf("without \"inet:\", as %q", bare)
	}
	return s, allowed(err == nil && validHost(host) && validPort(port))
}

// loopback reports whether only this host reaches a listener.
func (l Listener) loopback() bool {
	if l.Network == "unix" {
		return true
	}
	host, _, err := net.SplitHostPort(l.Address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
