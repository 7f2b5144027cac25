//go:build linux

package filters

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
)

const (
	sieveScript  = "/home/alice/filter.sieve"
	sieveMessage = "/home/alice/message.eml"
	sieveMail    = "/home/alice/mail"
)

// Sieve is Pigeonhole, delivering to one user's mailbox.
type Sieve struct{ box *box.Box }

// NewSieve compiles a script in a box that holds the packages.
func NewSieve(b *box.Box, script string) (*Sieve, error) {
	const user = "alice"
	conf := fmt.Sprintf("mail_uid = %d\nmail_gid = %[1]d\nmail_home = /home/alice\n", box.ID(user))
	if err := b.MakeDir(user, user, 0o755, "/home/alice"); err != nil {
		return nil, fmt.Errorf("sieve: %w", err)
	}
	err := errors.Join(b.Write("/etc/dovecot/dovecot.conf", conf, 0o644), b.Write(sieveScript, script, 0o644))
	if err != nil {
		return nil, fmt.Errorf("sieve: %w", err)
	}
	return &Sieve{b}, b.Run("/usr/bin/sievec", sieveScript)
}

// Deliver delivers a message to an empty mailbox and returns the folders that it
// was put into.
func (s *Sieve) Deliver(message string) ([]string, error) {
	if err := errors.Join(os.RemoveAll(s.box.Path(sieveMail)), s.box.Write(sieveMessage, message, 0o644)); err != nil {
		return nil, err
	}
	// "-e" has the actions carried out, which else are printed only.
	err := s.box.Run("/usr/bin/sieve-test", "-e", "-l", "maildir:"+sieveMail, sieveScript, sieveMessage)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(s.box.Path(sieveMail) + "/new/*")
	if err != nil {
		return nil, err
	}
	folders := slices.Repeat([]string{"INBOX"}, len(files))
	// Of the other folders Maildir++ makes ".NAME".
	if files, err = filepath.Glob(s.box.Path(sieveMail) + "/.*/new/*"); err != nil {
		return nil, err
	}
	for _, file := range files {
		folders = append(folders, filepath.Base(filepath.Dir(filepath.Dir(file)))[1:])
	}
	return folders, nil
}
