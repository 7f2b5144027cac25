//go:build linux

// Package redis runs Debian's redis-server(1), alone or as a cluster of three,
// in a box of its own. It can be killed, paused and started again, with its data
// or without.
package redis

import (
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
)

// Packages are what it needs.
func Packages() []string { return []string{"redis-server", "redis-tools"} }

const (
	server  = "/usr/bin/redis-server"
	client  = "/usr/bin/redis-cli"
	folder  = "/srv/redis"
	timeout = 10 * time.Second
)

// Server is one redis-server.
type Server struct {
	box     *box.Box
	at      netip.AddrPort
	options []string
	cmd     *exec.Cmd
	ended   chan struct{}
}

// Start starts a server, with options as on its command line.
func Start(b *box.Box, at netip.AddrPort, options ...string) (*Server, error) {
	s := &Server{box: b, at: at, options: options}
	if err := b.MakeDir("root", "root", 0o755, s.dir()); err != nil {
		return nil, err
	}
	return s, s.Restart()
}

func (s *Server) dir() string { return fmt.Sprintf("%s/%d", folder, s.at.Port()) }

// Restart starts it again after Kill.
func (s *Server) Restart() error {
	args := append([]string{
		"--bind", s.at.Addr().String(), "--bind-source-addr", s.at.Addr().String(), "--port", fmt.Sprint(s.at.Port()), "--dir", s.dir(), "--save", "", "--daemonize", "no", "--protected-mode", "no",
	}, s.options...)
	s.cmd, s.ended = s.box.Command(server, args...), make(chan struct{})
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	cmd, ended := s.cmd, s.ended
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	for deadline := time.Now().Add(timeout); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", s.at.String(), time.Second)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("redis does not listen: %w", err)
		}
	}
}

// Kill ends it at once.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// Pause stops it in its tracks until Resume: connections stay, nothing answers.
func (s *Server) Pause() error { return s.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume lets it go on.
func (s *Server) Resume() error { return s.cmd.Process.Signal(syscall.SIGCONT) }

// URL is the store setting for it.
func (s *Server) URL() string { return "redis://" + s.at.String() + "/0" }

// Ask runs a command of redis-cli.
func (s *Server) Ask(args ...string) (string, error) {
	cmd := s.box.Command(client, append([]string{"-h", s.at.Addr().String(), "-p", fmt.Sprint(s.at.Port())}, args...)...)
	limit := time.AfterFunc(2*timeout, func() {
		if cmd.Process != nil {
			_ = cmd.Process.Kill()
		}
	})
	defer limit.Stop()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("redis-cli %q: %w\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// StartCluster starts a cluster of three, on following ports, and gives the
// store setting for it.
func StartCluster(b *box.Box, at netip.AddrPort) (servers []*Server, url string, err error) {
	var hosts []string
	for i := range uint16(3) {
		node := netip.AddrPortFrom(at.Addr(), at.Port()+i)
		s, err := Start(b, node, "--cluster-enabled", "yes", "--cluster-announce-ip", node.Addr().String(), "--cluster-node-timeout", "1000", "--appendonly", "yes")
		if err != nil {
			return servers, "", err
		}
		servers, hosts = append(servers, s), append(hosts, node.String())
	}
	args := append([]string{"--cluster", "create"}, hosts...)
	if out, err := servers[0].Ask(append(args, "--cluster-yes")...); err != nil {
		return servers, "", fmt.Errorf("%w\n%s", err, out)
	}
	for deadline := time.Now().Add(timeout); ; time.Sleep(20 * time.Millisecond) {
		ready := 0
		for _, s := range servers {
			if info, err := s.Ask("cluster", "info"); err == nil && strings.Contains(info, "cluster_state:ok") {
				ready++
			}
		}
		if ready == len(servers) {
			return servers, "redis://" + strings.Join(hosts, ","), nil
		}
		if time.Now().After(deadline) {
			return servers, "", fmt.Errorf("the cluster is not ready after %v", timeout)
		}
	}
}

// Folder is where its data are, seen from outside.
func (s *Server) Folder() string { return s.box.Path(s.dir()) }
