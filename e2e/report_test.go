//go:build linux

package e2e

import (
	"fmt"
	"io"
	"mime/quotedprintable"
	"os"
	"path/filepath"
	"strings"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
)

func reportCases() []testCase {
	return []testCase{{name: "report-mailed", settings: refuseAtEnd, run: reportMailed}}
}

// The digest goes out by the server's own sendmail(1), is signed as any mail of
// ours, says that nobody is to answer, and tells of what has just been refused.
func reportMailed(d *desk) {
	d.want(firstRefusal(d.connect(outsideClient), "", alice, d.bounce()), "550 5.7.1")
	d.send(d.connect(outsideClient), "", d.tag(alice), d.bounce())
	d.claimFor(alice)
	out, err := d.daemon.Report("--mail", bob, "--mail-from", alice, "--sendmail", d.sendmail())
	if err != nil || out != "" {
		d.Fatalf("report: %v\n%s", err, out)
	}
	mail, err := d.sink.Claim("Auto-Submitted: auto-generated", arrival)
	if err != nil {
		d.Fatal(err)
	}
	if v, err := d.daemon.Verify(mail.From.Address); err != nil || v.Result != "valid" || v.Bare != alice || len(mail.To) != 1 || mail.To[0].Address != bob {
		d.Errorf("from <%s> to %v: %+v, %v", mail.From.Address, mail.To, v, err)
	}
	d.wantNoMark(mail)
	for name, want := range map[string]string{
		"To": "<" + bob + ">", "Auto-Submitted": "auto-generated",
	} {
		if got := mail.Fields(name); len(got) != 1 || got[0] != want {
			d.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"From", "Date", "Message-Id", "Subject"} {
		if got := mail.Fields(name); len(got) != 1 {
			d.Errorf("%s: %q, want one", name, got)
		}
	}
	text := []byte(mail.Body())
	if mail.Fields("Content-Transfer-Encoding")[0] == "quoted-printable" { // Sendmail decodes it
		if text, err = io.ReadAll(quotedprintable.NewReader(strings.NewReader(mail.Body()))); err != nil {
			d.Fatal(err)
		}
	}
	for _, want := range []string{": 1 of 2 notifications refused", "tag-missing  1", "reject for " + alice + " from " + outsideClient, "Rescued", "  tag  1"} {
		if !strings.Contains(string(text), want) {
			d.Errorf("the digest has no %q:\n%s", want, text)
		}
	}
}

// sendmail is a program that runs the server's sendmail(1) in its box, as closely
// held as by the unit of the digest: without capabilities, though root may come
// by those that are needed to go there.
func (d *desk) sendmail() string {
	d.Helper()
	dir, err := box.TempDir("sendmail")
	if err != nil {
		d.Fatal(err)
	}
	path := filepath.Join(dir, "sendmail")
	cmd := d.mta.Submission("alice")
	script := fmt.Sprintf(`#!/bin/sh
umask 0077
exec setpriv --bounding-set=-all,+sys_chroot,+setuid,+setgid chroot --userspec=alice:alice %s %s "$@"
`, cmd.SysProcAttr.Chroot, cmd.Path)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		d.Fatal(err)
	}
	return path
}
