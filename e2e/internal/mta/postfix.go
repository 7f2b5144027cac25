//go:build linux

package mta

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
)

// PostfixPackages are what Postfix needs, authentication included.
func PostfixPackages() []string {
	return []string{"postfix", "sasl2-bin", "libsasl2-2", "libsasl2-modules", "libsasl2-modules-db"}
}

type postfix struct {
	box  *box.Box
	site Site
	stop func()
}

// StartPostfix starts Postfix in a box that holds its packages.
func StartPostfix(b *box.Box, site Site) (Server, error) {
	p := &postfix{box: b, site: site}
	for _, step := range []func() error{p.makeQueue, p.writeConfig, p.makeLogin} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("postfix: %w", err)
		}
	}
	return p, p.start()
}

func (p *postfix) start() error {
	// "-d" keeps master in the foreground.
	stop, err := start(p.box, p.Door(Front), "/usr/lib/postfix/sbin/master", "-d", "-c", "/etc/postfix")
	if err != nil {
		return fmt.Errorf("postfix: %w", err)
	}
	p.stop = stop
	return nil
}

// Restart has Postfix use what its files in the box say now. A reload would leave
// idle smtpd processes with what they said before.
func (p *postfix) Restart() error {
	p.stop()
	return p.start()
}

func (p *postfix) Name() string          { return "postfix" }
func (p *postfix) Door(d Door) string    { return p.site.door(d) }
func (p *postfix) Stop()                 { p.stop() }
func (p *postfix) Log(offset int) string { return p.box.Log(offset) }

func (p *postfix) Queued() (waiting, held int, err error) {
	queue := func(names ...string) (int, error) {
		for i, name := range names {
			names[i] = "/var/spool/postfix/" + name
		}
		found, err := files(p.box, "*", names...)
		return len(found), err
	}
	// In the order in which a message passes them, so that none is overlooked.
	if waiting, err = queue("maildrop", "incoming", "active", "deferred", "corrupt"); err != nil {
		return 0, 0, err
	}
	held, err = queue("hold")
	return waiting, held, err
}

func (p *postfix) Purge() error {
	return p.box.Run("/usr/sbin/postsuper", "-d", "ALL")
}

func (p *postfix) Submission(user string, args ...string) *exec.Cmd {
	return asUser(p.box, user, "/usr/sbin/sendmail", args...)
}

// makeQueue makes what the package's installation script would make: the queue
// and the rights of the two programs that ordinary users run.
func (p *postfix) makeQueue() error {
	const queue = "/var/spool/postfix"
	if err := os.RemoveAll(p.box.Path(queue)); err != nil { // this machine's own
		return err
	}
	var private []string
	for _, name := range []string{"active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"} {
		private = append(private, queue+"/"+name)
	}
	for _, err := range []error{
		p.box.MakeDir("root", "root", 0o755, queue, queue+"/pid"),
		p.box.MakeDir("postfix", "root", 0o700, private...),
		p.box.MakeDir("postfix", "postdrop", 0o710|os.ModeSetgid, queue+"/public"),
		p.box.MakeDir("postfix", "postdrop", 0o730|os.ModeSticky, queue+"/maildrop"),
		p.box.MakeDir("postfix", "postfix", 0o755, "/var/lib/postfix"),
		p.box.Give("root", "postdrop", 0o755|os.ModeSetgid, "/usr/sbin/postdrop", "/usr/sbin/postqueue"),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *postfix) writeConfig() error {
	past := time.Now().Add(-time.Minute) // Postfix waits for a main.cf that has just been written
	for path, source := range map[string]string{
		"/etc/postfix/main.cf":         "main.cf",
		"/etc/postfix/master.cf":       "master.cf",
		"/etc/postfix/untag.re":        "untag.re",
		"/etc/postfix/untag-any.re":    "untag-any.re",
		"/etc/postfix/plain.re":        "plain.re",
		"/etc/postfix/bare.re":         "bare.re",
		"/etc/postfix/local.re":        "local.re",
		"/etc/postfix/none.re":         "none.re",
		"/etc/postfix/known.re":        "known.re",
		"/etc/aliases":                 "aliases",
		"/etc/postfix/virtual":         "virtual",
		"/etc/postfix/mailboxes":       "mailboxes",
		"/etc/postfix/relayed":         "relayed",
		"/etc/postfix/sasl/smtpd.conf": "sasl.conf",
	} {
		if err := p.site.write(p.box, path, source, p.site.Milter.String()); err != nil {
			return err
		}
		if err := os.Chtimes(p.box.Path(path), past, past); err != nil {
			return err
		}
	}
	return errors.Join(
		p.box.Run("/usr/sbin/postalias", "hash:/etc/aliases"),
		p.box.Run("/usr/sbin/postmap", "hash:/etc/postfix/virtual"),
	)
}

// makeLogin lets Login authenticate; smtpd reads the secrets as user postfix.
func (p *postfix) makeLogin() error {
	if err := addLogin(p.box); err != nil {
		return err
	}
	return p.box.Give("root", "postfix", 0o640, "/etc/sasldb2")
}
