//go:build linux

package mta

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
)

// Secret is what Exim makes its tags with: the site's other servers may have it
// in their key file. EximKey is the number of that key.
const (
	Secret  = "the secret of two programs"
	EximKey = 3
)

// EximPackages are what Exim needs.
func EximPackages() []string { return []string{"exim4-daemon-light", "exim4-base"} }

const eximProgram = "/usr/sbin/exim4"

// Exim is a server of the same site that has no milter: it makes and checks tags
// by itself.
type Exim struct {
	box     *box.Box
	address string
	stop    func()
}

// StartExim starts Exim in a box that holds its packages. It listens at one door
// only, port 25 of the address, and delivers everything to the sink.
func StartExim(b *box.Box, address netip.Addr, sink netip.AddrPort) (*Exim, error) {
	e := &Exim{box: b, address: netip.AddrPortFrom(address, 25).String()}
	const spool = "/var/spool/exim4"
	if err := os.RemoveAll(b.Path(spool)); err != nil { // this machine's own
		return nil, fmt.Errorf("exim: %w", err)
	}
	if err := b.MakeDir("Debian-exim", "Debian-exim", 0o750, spool); err != nil {
		return nil, fmt.Errorf("exim: %w", err)
	}
	if err := (Site{Address: address, Sink: sink}).write(b, "/etc/exim4/exim4.conf", "exim.conf", ""); err != nil {
		return nil, fmt.Errorf("exim: %w", err)
	}
	// "-bdf" keeps the daemon in the foreground.
	stop, err := start(b, e.address, eximProgram, "-bdf")
	if err != nil {
		return nil, fmt.Errorf("exim: %w", err)
	}
	e.stop = stop
	return e, nil
}

// Address is where it listens.
func (e *Exim) Address() string { return e.address }

// Stop ends the server and all its processes at once.
func (e *Exim) Stop() { e.stop() }

// Log is what it has logged.
func (e *Exim) Log() string { return e.box.Log(0) }

// Expand has Exim expand a string (exim -be).
func (e *Exim) Expand(text string) (string, error) {
	cmd := e.box.Command(eximProgram, "-be", text)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("exim -be %q: %w\n%s", text, err, exit.Stderr)
	}
	return strings.TrimSuffix(string(out), "\n"), err
}
