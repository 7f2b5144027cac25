//go:build linux

// Package rbldnsd serves a DNS list with Debian's rbldnsd(8), the server that
// real lists of this kind are served with. What it lists may change while it
// runs, and it counts the questions it is asked.
//
// It refuses to misbehave: for that there is internal/mtatest.
package rbldnsd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
)

// Zone is the list that is served, under its real name.
const Zone = "ips.backscatterer.org"

// Packages are what rbldnsd needs.
func Packages() []string { return []string{"rbldnsd"} }

const (
	program = "/usr/sbin/rbldnsd"
	folder  = "/srv/rbldnsd"
	file    = "zone"
	timeout = 10 * time.Second // for it to start, or to take an edit that it was told of
	ttl     = 1                // second, of what is listed and of what is not
)

// Server is a running rbldnsd.
type Server struct {
	box     *box.Box
	address netip.Addr
	cmd     *exec.Cmd
	ended   chan struct{}
	log     questions

	mu     sync.Mutex
	edits  int
	probes int
}

// Start starts rbldnsd in a box that holds its package, at port 53 of an
// address. It lists nothing but what lists have to be tested with (RFC 5782,
// section 5), and looks for edits every second.
func Start(b *box.Box, address netip.Addr) (*Server, error) {
	s := &Server{box: b, address: address, ended: make(chan struct{})}
	if err := b.MakeDir("nobody", "nobody", 0o755, folder); err != nil {
		return nil, fmt.Errorf("rbldnsd: %w", err)
	}
	if err := s.Edit(); err != nil {
		return nil, fmt.Errorf("rbldnsd: %w", err)
	}
	s.cmd = b.Command(program, "-n", "-u", "nobody", "-b", address.String()+"/53", "-w", folder, "-c", "1s", "-l", "+-", Zone+":ip4trie:"+file)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("rbldnsd: %w", err)
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.ended)
	}()
	if err := s.await(); err != nil {
		s.Stop()
		return nil, fmt.Errorf("rbldnsd: %w: %v\n%s", err, s.cmd.ProcessState, s.log.String())
	}
	return s, nil
}

// Stop ends the server.
func (s *Server) Stop() {
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// Address is where it listens.
func (s *Server) Address() netip.Addr { return s.address }

// Serve has the list hold these IPv4 addresses only, at once.
func (s *Server) Serve(listed ...string) error {
	if err := s.Edit(listed...); err != nil {
		return err
	}
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		return err
	}
	return s.await()
}

// Edit writes these IPv4 addresses into the list's file and leaves it to the
// server to find out.
func (s *Server) Edit(listed ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.edits++
	text := fmt.Sprintf("$SOA %d ns.example.net hostmaster.example.net 0 3600 600 86400 %d\n$TTL %d\n:127.0.0.2:Sends backscatter\n%s\n",
		ttl, ttl, ttl, strings.Join(slices.Concat([]string{"127.0.0.2", edition(s.edits)}, listed), "\n"))
	next := folder + "/" + file + ".next"
	if err := s.box.Write(next, text, 0o644); err != nil {
		return err
	}
	// The server compares times in seconds, and sizes.
	at := time.Unix(time.Now().Unix()-3600+int64(s.edits), 0)
	if err := os.Chtimes(s.box.Path(next), at, at); err != nil {
		return err
	}
	return os.Rename(s.box.Path(next), s.box.Path(folder+"/"+file))
}

// edition is an address that is listed in one edition of the list only.
func edition(n int) string { return fmt.Sprintf("127.3.%d.%d", n>>8&255, n&255) }

// await waits until the present edition is served.
func (s *Server) await() error {
	s.mu.Lock()
	present := edition(s.edits)
	s.mu.Unlock()
	for deadline := time.Now().Add(timeout); ; time.Sleep(5 * time.Millisecond) {
		err := s.ask(present)
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return errors.New("it has ended")
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it does not serve %s after %v: %w", file, timeout, err)
		}
	}
}

// ask puts a question to the server; nil: the address is listed.
func (s *Server) ask(address string) error {
	server := net.JoinHostPort(s.address.String(), "53")
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, server)
	}}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := resolver.LookupIP(ctx, "ip4", name(address)+".")
	return err
}

// name is the name under which the zone has an IPv4 address.
func name(address string) string {
	octets := strings.Split(address, ".")
	slices.Reverse(octets)
	return strings.Join(octets, ".") + "." + Zone
}

// Asked is how often the server has been asked for an address until now.
func (s *Server) Asked(address string) (int, error) {
	s.mu.Lock()
	s.probes++
	probe := fmt.Sprintf("127.4.%d.%d", s.probes>>8&255, s.probes&255)
	s.mu.Unlock()
	_ = s.ask(probe) // it logs one question after the other: all that came before are written when this one is
	for deadline := time.Now().Add(timeout); s.log.count(name(probe)) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("rbldnsd does not log questions: %s", s.log.String())
		}
	}
	return s.log.count(name(address)), nil
}

// questions is what the server prints: a line for each question.
type questions struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (q *questions) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.text.Write(p)
}

func (q *questions) String() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.text.String()
}

// count counts the questions for a name, in lines "TIME CLIENT NAME TYPE CLASS: …".
func (q *questions) count(name string) (n int) {
	for line := range strings.Lines(q.String()) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[2] == name {
			n++
		}
	}
	return n
}
