//go:build linux

package mta

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
)

// startTimeout bounds how long a server may take until it greets.
const startTimeout = 20 * time.Second

// Domains are all that a server takes mail for: Domain, and one domain for each
// class of addresses, some of them for one server only.
func Domains() []string {
	return []string{Domain, "virtual.example.net", "mailbox.example.net", "relay.example.net", "verify.example.net", "hosted.example.net"}
}

// Site is what surrounds a mail server. Its domain is Domain, its users are
// Users, and OwnNetwork and OwnNetwork6 may relay through it.
type Site struct {
	Address netip.Addr     // of the server; its doors listen there
	Milter  netip.AddrPort // where the milter will listen
	Sink    netip.AddrPort // where all mail is delivered to, local mail included
}

// What every server serves.
const (
	Domain      = "example.com"
	OwnNetwork  = "198.51.100.0/24"
	OwnNetwork6 = "2001:db8:a::/64"
	Login       = "alice" // may authenticate
	Password    = "correct horse"
	SocketPath  = "/run/backscatter-milter/socket" // in the box, for Socket
)

// Server is a running mail server.
type Server interface {
	// Name is the name of the server's software, in lower case.
	Name() string
	// Door is the address of one of its listeners.
	Door(Door) string
	// Queued counts the messages under way and those in quarantine.
	Queued() (waiting, held int, err error)
	// Purge deletes all messages, those in quarantine included.
	Purge() error
	// Submission prepares sendmail(1), to be run by an ordinary user.
	Submission(user string, args ...string) *exec.Cmd
	// Log is what the server has logged since an offset, in octets.
	Log(offset int) string
	// Stop ends the server and all its processes at once.
	Stop()
}

// Door is one listener of a server; they differ in one setting only.
type Door int

const (
	// Front is set up as the README says: no milter, no mail (tempfail).
	Front Door = iota
	// Front6 is Front at the server's IPv6 address.
	Front6
	// FailOpen lets mail pass while the milter is away (accept).
	FailOpen
	// Socket talks to the milter through the Unix socket at SocketPath.
	Socket
	// RecipientMap knows tagged recipients by local_recipient_maps instead of
	// virtual_alias_maps; Postfix only.
	RecipientMap

	// FilteredAfter asks the milter and then the content filter at FilterAfter;
	// Postfix only, and so are all that follow.
	FilteredAfter
	// FilteredBefore has the filter at FilterBefore, and leaves the milter to
	// ReturnedJudged.
	FilteredBefore
	// Returned takes mail back from a filter without asking the milter.
	Returned
	// ReturnedJudged takes mail back and asks the milter.
	ReturnedJudged
	// Canonical has sender_canonical_maps.
	Canonical
	// Masquerade has masquerade_domains.
	Masquerade
	// Anybody takes any recipient in the site's domains.
	Anybody

	// DKIM asks OpenDKIM at SignerPort instead of the milter: mail that leaves
	// signed, and of which the milter knows nothing. On all servers.
	DKIM
)

// Ports of the content filters, at the sink's address.
const (
	FilterAfter  = 10025
	FilterBefore = 10026
)

// SignerPort is where OpenDKIM is expected, at the server's own address.
const SignerPort = 8891

// What the site knows besides its own Domain.
const (
	// Relayed is a domain for which the site is a backup MX: it takes mail for
	// any recipient there, and hands it on.
	Relayed = "relayed.example.org"
	// International is a domain of the site's, Postfix only; its A-label is
	// InternationalASCII.
	International      = "bücher.example.com"
	InternationalASCII = "xn--bcher-kva.example.com"
)

func (d Door) port() uint16 {
	return [...]uint16{
		Front: 25, Front6: 25, FailOpen: 2525, Socket: 2526, RecipientMap: 2527,
		FilteredAfter: 2530, FilteredBefore: 2531, Returned: 2532, ReturnedJudged: 2533,
		Canonical: 2534, Masquerade: 2535, Anybody: 2536, DKIM: 2540,
	}[d]
}

func (s Site) door(d Door) string {
	address := s.Address
	if d == Front6 {
		address = s.address6()
	}
	return netip.AddrPortFrom(address, d.port()).String()
}

// address6 is the server's address in the first of box.Networks6.
func (s Site) address6() netip.Addr {
	a := box.Networks6()[0].Addr().As16()
	a[15] = s.Address.As4()[3]
	return netip.AddrFrom16(a)
}

// waitForGreeting waits until the server greets, or until its process ended.
func waitForGreeting(address string, ended <-chan struct{}) error {
	deadline := time.Now().Add(startTimeout)
	for {
		err := greeted(address)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no greeting at %s within %v: %w", address, startTimeout, err)
		}
		select {
		case <-ended:
			return errors.New("the server ended at once")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func greeted(address string) error {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, "220 ") {
		return fmt.Errorf("greeting %q", line)
	}
	_, err = conn.Write([]byte("QUIT\r\n"))
	return err
}

// start runs a server in the foreground, waits for its greeting, and returns
// what ends it.
func start(b *box.Box, address, path string, args ...string) (stop func(), err error) {
	cmd := b.Command(path, args...)
	cmd.SysProcAttr.Setpgid = true
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	stop = func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the whole process group
		<-ended
	}
	if err := waitForGreeting(address, ended); err != nil {
		stop()
		return nil, fmt.Errorf("%w: %v\n%s\n%s", err, cmd.ProcessState, output.String(), b.Log(0))
	}
	return stop, nil
}

// asUser prepares a program to be run by an ordinary user of the box.
func asUser(b *box.Box, user, path string, args ...string) *exec.Cmd {
	cmd := b.Command(path, args...)
	id := uint32(box.ID(user))
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: id, Gid: id}
	return cmd
}

// files lists the plain files below folders of the box whose names match a
// pattern. A server may take files away meanwhile.
func files(b *box.Box, pattern string, dirs ...string) ([]string, error) {
	var found []string
	for _, dir := range dirs {
		err := filepath.WalkDir(b.Path(dir), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return nil //nolint:nilerr // gone since the folder was read
			}
			match, err := filepath.Match(pattern, entry.Name())
			if match {
				found = append(found, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
