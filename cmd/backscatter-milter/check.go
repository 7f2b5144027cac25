package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/daemon"
	"github.com/backscatter-milter/backscatter-milter/internal/mtaconf"
	"github.com/backscatter-milter/backscatter-milter/internal/problem"
)

func newCheckCommand(s *site) *cobra.Command {
	var flags mtaFlags
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Look for problems in configuration, keys and the MTA's settings",
		Long: "Look for problems in configuration, keys and the MTA's settings, and tell all of\n" +
			"them. Run it as the user that the daemon runs as. Exits 1 if there are problems;\n" +
			"warnings and notes are none.",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := &checkup{ctx: cmd.Context(), site: s, mta: flags, now: time.Now(), out: cmd.OutOrStdout()}
			return c.run()
		},
	}
	flags.register(cmd)
	return cmd
}

// checkup is one run of check. A feature with something to check adds a row to
// its table.
type checkup struct {
	ctx    context.Context
	site   *site
	mta    mtaFlags
	now    time.Time
	out    io.Writer
	cfg    *config.Config
	status *control.Status // of the daemon, nil where none runs

	problems, warnings int
}

// run makes every check that can be made and says what they found.
func (c *checkup) run() error {
	for _, check := range []struct {
		name string
		find func(*checkup)
	}{
		{"configuration", (*checkup).configuration},
		{"daemon", (*checkup).daemon},
		{"state", (*checkup).state},
		{"keys", (*checkup).keys},
		{"listen", (*checkup).listen},
		{"admin", (*checkup).admin},
		{"DKIM keys", (*checkup).dkimKeys},
		{"store", (*checkup).store},
		{"known", (*checkup).known},
		{"shared store", (*checkup).sharedStore},
		{"DNS lists", (*checkup).lists},
		{"Postfix", (*checkup).postfix},
		{"Sendmail", (*checkup).sendmail},
	} {
		before := c.problems
		check.find(c)
		if check.name == "configuration" && c.problems > before {
			break // the rest asks what it says
		}
	}
	if _, err := fmt.Fprintf(c.out, "%s, %s\n", plural(c.problems, "problem"), plural(c.warnings, "warning")); err != nil {
		return err
	}
	if c.problems > 0 {
		return errSilent
	}
	return nil
}

func (c *checkup) problem(err error) {
	for _, e := range problem.Each(err) {
		c.problems++
		fmt.Fprintf(c.out, "problem: %v\n", e)
	}
}

func (c *checkup) warn(format string, a ...any) {
	c.warnings++
	fmt.Fprintf(c.out, "warning: "+format+"\n", a...)
}

func (c *checkup) note(format string, a ...any) { fmt.Fprintf(c.out, "note: "+format+"\n", a...) }

func (c *checkup) configuration() {
	cfg, from, err := c.site.config()
	if err != nil {
		c.problem(err)
		return
	}
	c.cfg = cfg
	c.note("configuration: %s", from)
	for _, why := range daemon.Idle(cfg) {
		c.warn("%s", why)
	}
}

// daemon looks at the one that runs.
func (c *checkup) daemon() {
	var status control.Status
	err := c.site.call(c.ctx, control.VerbStatus, nil, &status)
	switch {
	case errors.Is(err, control.ErrNoDaemon):
		c.note("no daemon runs")
		return
	case err != nil:
		c.warn("daemon: %v", err)
		return
	}
	c.status = &status
	c.note("the daemon runs, version %s", status.Version)
	if r := status.Reload; r != nil {
		for _, e := range r.Errors {
			c.warn("the daemon's last reload failed: %s", e)
		}
		for _, key := range r.Restart {
			c.warn("%s is changed and takes effect after a restart", key)
		}
	}
}

func (c *checkup) state() {
	dir, err := c.site.state()
	if err != nil {
		c.problem(err)
		return
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.note("state folder: %s is not there yet, and will be made", dir)
	case err != nil:
		c.problem(fmt.Errorf("state folder: %w", err))
	case !info.IsDir():
		c.problem(fmt.Errorf("state folder: %s is no folder", dir))
	case info.Mode().Perm()&0o022 != 0:
		c.problem(fmt.Errorf("state folder: %s has mode %04o: others can replace the keys: chmod go-w %s", dir, info.Mode().Perm(), dir))
	default:
		f, err := os.CreateTemp(dir, ".check.*")
		if err != nil {
			c.problem(fmt.Errorf("state folder: %w", err))
			return
		}
		if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
			c.problem(fmt.Errorf("state folder: %w", err))
		}
	}
}

const (
	shortSecret = 16                   // octets; shorter ones can be guessed from tags
	oldKey      = 365 * 24 * time.Hour // tags begin to be valid anew after 1000 days
)

func (c *checkup) keys() {
	path, err := c.site.keyPath(c.cfg)
	if err != nil {
		c.problem(err)
		return
	}
	ring, err := batv.LoadKeys(path)
	if errors.Is(err, fs.ErrNotExist) {
		if c.status != nil {
			c.problem(fmt.Errorf("keys: %w", err))
		} else {
			c.note("keys: %s is not there yet, and will be made", path)
		}
		return
	}
	if err != nil {
		c.problem(fmt.Errorf("keys: %w", err))
		return
	}
	for _, k := range ring.Keys() {
		if len(k.Secret) < shortSecret {
			c.warn("keys: the secret of key %d has %d octets: those shorter than %d can be guessed from tags", k.Number, len(k.Secret), shortSecret)
		}
		if daemon.Signs(ring, k, c.now) && !k.Created.IsZero() && c.now.Sub(k.Created) > oldKey {
			c.warn("keys: key %d signs since %s: change it yearly with: backscatter-milter keys rotate", k.Number, day(k.Created))
		}
	}
	if c.cfg.BATV.Sign != config.SignOff && c.cfg.Mode != config.ModeOff {
		c.signers(ring)
	}
}

// signers looks for domains whose mail no key signs.
func (c *checkup) signers(ring *batv.Keyring) {
	const most = 10
	missing := 0
	for _, domain := range c.cfg.Domains.List() {
		if _, ok := ring.Signer(domain, c.now); ok {
			continue
		}
		if missing++; missing <= most {
			c.problem(fmt.Errorf("keys: no key signs for %s", domain))
		}
	}
	if missing > most {
		c.problem(fmt.Errorf("keys: no key signs for %d domains more", missing-most))
	}
}

func (c *checkup) listen() {
	if c.cfg.SocketGroup != "" {
		if _, err := user.LookupGroup(c.cfg.SocketGroup); err != nil {
			c.problem(fmt.Errorf("socket_group: %w", err))
		}
	}
	for _, l := range c.cfg.Listen {
		c.socket("listen", l)
	}
}

func (c *checkup) admin() {
	if l, ok := c.cfg.Admin.Listener(); ok {
		c.socket("admin.listen", l)
	}
}

// socket looks whether an address can be listened on. While the daemon runs, it
// is the one who does.
func (c *checkup) socket(key string, l config.Listener) {
	if c.status != nil {
		return
	}
	if l.Network == "unix" {
		if info, err := os.Stat(filepath.Dir(l.Address)); err != nil {
			c.problem(fmt.Errorf("%s: %w", key, err))
		} else if !info.IsDir() {
			c.problem(fmt.Errorf("%s: %s is no folder", key, filepath.Dir(l.Address)))
		}
		return
	}
	open, err := net.Listen(l.Network, l.Address)
	if err == nil {
		err = open.Close()
	}
	if err != nil {
		c.problem(fmt.Errorf("%s: %w", key, err))
	}
}

func (c *checkup) postfix() {
	s, err := c.mta.postfix(c.ctx)
	if err != nil {
		c.warn("%v", err)
	}
	if s != nil {
		c.findings("Postfix", mtaconf.CheckPostfix(s, mtaSite(c.cfg)))
	}
}

func (c *checkup) sendmail() {
	s, err := c.mta.sendmail()
	if err != nil {
		c.warn("%v", err)
	}
	if s != nil {
		c.findings("Sendmail", mtaconf.CheckSendmail(s, mtaSite(c.cfg)))
	}
}

func (c *checkup) findings(mta string, found []mtaconf.Finding) {
	for _, f := range found {
		if f.Warning {
			c.warn("%s: %s", mta, f)
		} else {
			c.note("%s: %s", mta, f)
		}
	}
}
