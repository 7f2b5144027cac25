//go:build linux

// Package opendkim runs OpenDKIM, a milter that signs what a site sends, with a
// key that its own tool makes. It looks at nothing but what that tool prints for
// the site's zone file.
package opendkim

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
)

// Packages are what OpenDKIM and the tool for its keys need.
func Packages() []string { return []string{"opendkim", "opendkim-tools"} }

// Selector is that of the keys.
const Selector = "s1"

const (
	keyDir       = "/etc/dkimkeys"
	startTimeout = 10 * time.Second
)

// Signer is a running OpenDKIM.
type Signer struct {
	box    *box.Box
	record string
	pid    int
	stop   func()
}

// Start makes a key and starts OpenDKIM in a box that holds its packages. It
// signs mail of the domain that comes from a network.
func Start(b *box.Box, at netip.AddrPort, domain, network string) (*Signer, error) {
	s := &Signer{box: b, record: keyDir + "/" + Selector + ".txt"}
	if err := b.MakeDir("root", "root", 0o700, keyDir); err != nil {
		return nil, fmt.Errorf("opendkim: %w", err)
	}
	if err := b.Run("/usr/sbin/opendkim-genkey", "-D", keyDir, "-d", domain, "-s", Selector); err != nil {
		return nil, fmt.Errorf("opendkim: %w", err)
	}
	conf := fmt.Sprintf(`Mode s
Domain %s
Selector %s
KeyFile %s/%s.private
Socket inet:%d@%s
InternalHosts %s
Canonicalization relaxed/simple
OversignHeaders From
Syslog yes
`, domain, Selector, keyDir, Selector, at.Port(), at.Addr(), network)
	if err := b.Write("/etc/opendkim.conf", conf, 0o644); err != nil {
		return nil, fmt.Errorf("opendkim: %w", err)
	}
	return s, s.start(at)
}

// start runs OpenDKIM in the foreground and waits until it listens.
func (s *Signer) start(at netip.AddrPort) error {
	cmd := s.box.Command("/usr/sbin/opendkim", "-f", "-x", "/etc/opendkim.conf")
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("opendkim: %w", err)
	}
	s.pid = cmd.Process.Pid
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	s.stop = func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the whole process group
		<-ended
	}
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", at.String())
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ended:
			return fmt.Errorf("opendkim: %v\n%s", cmd.ProcessState, s.Log())
		default:
		}
		if time.Now().After(deadline) {
			s.stop()
			return fmt.Errorf("opendkim: %w\n%s", err, s.Log())
		}
	}
}

// Record is what opendkim-genkey has written for the zone file, and the path
// from outside the box.
func (s *Signer) Record() (text, path string, err error) {
	path = s.box.Path(s.record)
	content, err := os.ReadFile(path)
	return string(content), path, err
}

// Log is what OpenDKIM has logged.
func (s *Signer) Log() string { return s.box.Log(0) }

// PID is its process.
func (s *Signer) PID() int { return s.pid }

// Stop ends it at once.
func (s *Signer) Stop() { s.stop() }
