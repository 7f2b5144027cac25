package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"os/exec"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/problem"
)

// letter is how a report is mailed.
type letter struct {
	to       string
	from     string // "" for what sendmail(1) makes of the user
	sendmail string
}

const sendmailTimeout = time.Minute

// check refuses what is no address, and what sendmail(1) could take for anything
// but one.
func (l *letter) check() error {
	for _, a := range []struct{ flag, value string }{{"--mail", l.to}, {"--mail-from", l.from}} {
		if a.value == "" {
			continue
		}
		// A local user is an address here, too.
		parsed, err := mail.ParseAddress(a.value)
		if err != nil && !strings.Contains(a.value, "@") {
			parsed, err = mail.ParseAddress(a.value + "@localhost")
			if err == nil {
				parsed.Address = strings.TrimSuffix(parsed.Address, "@localhost")
			}
		}
		if err != nil || parsed.Address != a.value || strings.HasPrefix(a.value, "-") {
			return fmt.Errorf("%s %q: want one address", a.flag, a.value)
		}
	}
	if l.from != "" && l.to == "" {
		return errors.New("--mail-from: there is no --mail")
	}
	return nil
}

// send hands what write writes to sendmail(1).
//
// The sender is not the null one, though nobody is to answer: sites that guard
// against backscatter, this one with them, judge messages with a null sender as
// bounces (RFC 5321, section 4.5.5, keeps it for notifications about mail). What
// keeps loops away is Auto-Submitted (RFC 3834, section 5), and that nothing here
// reads mail.
func (l *letter) send(ctx context.Context, subject string, write func(io.Writer) error, now time.Time) error {
	message, err := l.message(subject, write, now)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendmailTimeout)
	defer cancel()
	args := []string{"-i", "-oem"}
	if l.from != "" {
		args = append(args, "-f", l.from)
	}
	cmd := exec.CommandContext(ctx, l.sendmail, append(args, "--", l.to)...)
	cmd.WaitDelay = time.Second
	cmd.Stdin = bytes.NewReader(message)
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return problem.WithHint(fmt.Errorf("mail: %w", err), "name the program that takes mail with --sendmail")
	case err != nil:
		return fmt.Errorf("mail: %s: %w: %s", l.sendmail, err, strings.TrimSpace(string(out)))
	}
	return nil
}

func (l *letter) message(subject string, write func(io.Writer) error, now time.Time) ([]byte, error) {
	var b bytes.Buffer
	if l.from != "" {
		fmt.Fprintf(&b, "From: backscatter-milter <%s>\n", l.from)
	}
	fmt.Fprintf(&b, "To: <%s>\n", l.to)
	fmt.Fprintf(&b, "Subject: %s\n", mime.QEncoding.Encode("utf-8", subject))
	fmt.Fprintf(&b, "Date: %s\n", now.Format(time.RFC1123Z))
	b.WriteString("Auto-Submitted: auto-generated\nX-Auto-Response-Suppress: All\nPrecedence: bulk\n")
	b.WriteString("MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n")
	body := quotedprintable.NewWriter(&b)
	if err := errors.Join(write(body), body.Close()); err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(b.Bytes(), []byte("\r\n"), []byte("\n")), nil // sendmail(1) wants the system's line ends
}
