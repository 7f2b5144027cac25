//go:build linux

// Package redis runs Debian's redis-server(1), alone or as a cluster of three,
// in a box of its own. It can be killed, paused and started again, with its data
// or without.
package redis

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"slices"
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

func clusterOptions(node netip.AddrPort) []string {
	return []string{"--cluster-enabled", "yes", "--cluster-announce-ip", node.Addr().String(), "--cluster-node-timeout", "1000", "--appendonly", "yes"}
}

// StartCluster starts a cluster of three, on following ports, and gives the
// store setting for it.
func StartCluster(b *box.Box, at netip.AddrPort) (servers []*Server, url string, err error) {
	var hosts []string
	for i := range uint16(3) {
		node := netip.AddrPortFrom(at.Addr(), at.Port()+i)
		s, err := Start(b, node, clusterOptions(node)...)
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

// AddReplica gives the node of a cluster that has a key's slot a replica, and
// tells which that is once the two have the same data.
func AddReplica(b *box.Box, servers []*Server, at netip.AddrPort, key string) (replica, master *Server, err error) {
	slot, err := servers[0].Ask("cluster", "keyslot", key)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range servers {
		if count, err := s.Ask("cluster", "getkeysinslot", slot, "1"); err == nil && strings.Contains(count, key[:strings.IndexByte(key, '}')]) {
			master = s
		}
	}
	if master == nil {
		return nil, nil, fmt.Errorf("no node of the cluster has keys like %q", key)
	}
	id, err := master.Ask("cluster", "myid")
	if err != nil {
		return nil, nil, err
	}
	if replica, err = Start(b, at, clusterOptions(at)...); err != nil {
		return nil, nil, err
	}
	if _, err := replica.Ask("cluster", "meet", master.at.Addr().String(), fmt.Sprint(master.at.Port())); err != nil {
		return replica, nil, err
	}
	answer := ""
	for deadline := time.Now().Add(timeout); ; time.Sleep(50 * time.Millisecond) {
		if answer != "OK" { // it does not know all of the cluster at once
			answer, err = replica.Ask("cluster", "replicate", id)
		}
		info, infoErr := replica.Ask("info", "replication")
		known, knownErr := servers[(slices.Index(servers, master)+1)%len(servers)].Ask("cluster", "replicas", id)
		if strings.Contains(info, "master_link_status:up") && strings.Contains(known, "slave") {
			return replica, master, nil
		}
		if time.Now().After(deadline) {
			return replica, master, errors.Join(fmt.Errorf("no replica after %v: %s", timeout, answer), err, infoErr, knownErr)
		}
	}
}

// TLSOptions are those of a server that speaks nothing but TLS, with a
// certificate and its key in PEM.
func TLSOptions(b *box.Box, at netip.AddrPort, certificate, key string) ([]string, error) {
	const certificateFile, keyFile = folder + "/certificate.pem", folder + "/key.pem"
	if err := b.MakeDir("root", "root", 0o755, folder); err != nil {
		return nil, err
	}
	err := errors.Join(b.Write(certificateFile, certificate, 0o644), b.Write(keyFile, key, 0o600))
	return []string{
		"--port", "0", "--tls-port", fmt.Sprint(at.Port()), "--tls-auth-clients", "no",
		"--tls-cert-file", certificateFile, "--tls-key-file", keyFile, "--tls-ca-cert-file", certificateFile,
	}, err
}
