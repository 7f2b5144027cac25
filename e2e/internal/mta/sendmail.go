//go:build linux

package mta

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
)

// SendmailPackages are what Sendmail needs, authentication included.
func SendmailPackages() []string {
	return []string{"sendmail-bin", "sendmail-base", "sendmail-cf", "sasl2-bin", "libsasl2-2", "libsasl2-modules", "libsasl2-modules-db"}
}

const (
	sendmailProgram = "/usr/libexec/sendmail/sendmail"
	sendmailQueue   = "/var/spool/mqueue"
	clientQueue     = "/var/spool/clientmqueue"
)

type sendmail struct {
	box  *box.Box
	site Site
	stop func()
}

// StartSendmail starts Sendmail in a box that holds its packages.
func StartSendmail(b *box.Box, site Site) (Server, error) {
	s := &sendmail{box: b, site: site}
	for _, step := range []func() error{s.makeQueue, s.writeConfig, s.makeLogin} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("sendmail: %w", err)
		}
	}
	// "-bD" keeps the daemon in the foreground.
	stop, err := start(b, s.Door(Front), sendmailProgram, "-bD", "-q1s")
	if err != nil {
		return nil, fmt.Errorf("sendmail: %w", err)
	}
	s.stop = stop
	return s, nil
}

func (s *sendmail) Name() string          { return "sendmail" }
func (s *sendmail) Door(d Door) string    { return s.site.door(d) }
func (s *sendmail) Stop()                 { s.stop() }
func (s *sendmail) Log(offset int) string { return s.box.Log(offset) }

// Queued counts the queue's control files: qf*, and hf* of quarantined mail.
func (s *sendmail) Queued() (waiting, held int, err error) {
	under, err := files(s.box, "[qQ]f*", clientQueue, sendmailQueue)
	if err != nil {
		return 0, 0, err
	}
	quarantined, err := files(s.box, "hf*", sendmailQueue)
	return len(under), len(quarantined), err
}

func (s *sendmail) Purge() error {
	all, err := files(s.box, "*", clientQueue, sendmailQueue)
	if err != nil {
		return err
	}
	for _, file := range all {
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

func (s *sendmail) Submission(user string, args ...string) *exec.Cmd {
	return asUser(s.box, user, sendmailProgram, args...)
}

// makeQueue makes what the package's installation script would make: the two
// queues and the rights of the program that ordinary users run.
func (s *sendmail) makeQueue() error {
	for _, queue := range []string{sendmailQueue, clientQueue} {
		if err := os.RemoveAll(s.box.Path(queue)); err != nil { // this machine's own
			return err
		}
	}
	for _, err := range []error{
		s.box.MakeDir("root", "smmsp", 0o700, sendmailQueue),
		s.box.MakeDir("smmsp", "smmsp", 0o770, clientQueue),
		s.box.Give("root", "smmsp", 0o755|os.ModeSetgid, sendmailProgram),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *sendmail) writeConfig() error {
	milter := fmt.Sprintf("inet:%d@%s", s.site.Milter.Port(), s.site.Milter.Addr())
	for path, source := range map[string]string{
		"/etc/mail/service.switch":     "service.switch",
		"/etc/mail/sendmail.mc":        "sendmail.mc",
		"/etc/mail/submit.mc":          "submit.mc",
		"/etc/mail/sasl/Sendmail.conf": "sasl.conf",
		"/etc/mail/aliases":            "aliases",
		"/etc/mail/virtusertable":      "virtusertable",
		"/etc/mail/mailertable":        "mailertable",
	} {
		if err := s.site.write(s.box, path, source, milter); err != nil {
			return err
		}
	}
	if err := s.box.Write("/etc/mail/local-host-names", Domain+"\nhosted.example.net\n", 0o644); err != nil {
		return err
	}
	return errors.Join(s.compile("sendmail"), s.compile("submit"), s.makeMap("virtusertable"), s.makeMap("mailertable"),
		s.box.Run(sendmailProgram, "-bi"))
}

// makeMap makes NAME.db out of NAME.
func (s *sendmail) makeMap(name string) error {
	text, err := os.Open(s.box.Path("/etc/mail/" + name))
	if err != nil {
		return err
	}
	defer func() { _ = text.Close() }()
	cmd := s.box.Command("/usr/libexec/sendmail/makemap", "hash", "/etc/mail/"+name)
	cmd.Stdin = text
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("makemap %s: %w\n%s", name, err, out)
	}
	return nil
}

// compile makes NAME.cf out of NAME.mc.
func (s *sendmail) compile(name string) error {
	const macros = "/usr/share/sendmail/cf/"
	m4 := s.box.Command("/usr/bin/m4", "-D_CF_DIR_="+macros, macros+"m4/cf.m4", "/etc/mail/"+name+".mc")
	cf, err := m4.Output()
	if err != nil {
		return fmt.Errorf("m4 %s.mc: %w", name, err)
	}
	return s.box.Write("/etc/mail/"+name+".cf", string(cf), 0o644)
}

// makeLogin lets Login authenticate.
func (s *sendmail) makeLogin() error { return addLogin(s.box) }
