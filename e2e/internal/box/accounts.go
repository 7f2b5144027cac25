//go:build linux

package box

import (
	"fmt"
	"os"
	"strings"
)

// account is a user of a box with a group of the same name and number.
type account struct {
	name string
	id   int
}

// The numbers of the accounts that the tests name.
const (
	postfixID    = 901
	postdropID   = 902
	smmtaID      = 903
	smmspID      = 904
	postmasterID = 905
	eximID       = 906
	aliceID      = 1001
	bobID        = 1002
)

func accounts() []account {
	return []account{
		{"root", 0}, {"daemon", 1}, {"bin", 2}, {"sys", 3}, {"mail", 8}, {"nobody", 65534},
		{"postfix", postfixID}, {"postdrop", postdropID}, {"smmta", smmtaID}, {"smmsp", smmspID},
		{"postmaster", postmasterID}, {"Debian-exim", eximID},
		{"alice", aliceID}, {"bob", bobID},
	}
}

// ID is the number of an account and of its group.
func ID(name string) int {
	for _, a := range accounts() {
		if a.name == name {
			return a.id
		}
	}
	panic(fmt.Sprintf("box: no account %q", name))
}

// writeAccounts makes the box forget this machine's users, hosts and resolver:
// nothing a server does in it may depend on them. No name server answers.
func (b *Box) writeAccounts() error {
	var passwd, group strings.Builder
	for _, a := range accounts() {
		fmt.Fprintf(&passwd, "%s:x:%d:%d::/nonexistent:/usr/sbin/nologin\n", a.name, a.id, a.id)
		fmt.Fprintf(&group, "%s:x:%d:\n", a.name, a.id)
	}
	for _, file := range []struct{ path, content string }{
		{"/etc/passwd", passwd.String()},
		{"/etc/group", group.String()},
		{"/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\n"},
		{"/etc/hosts", "127.0.0.1 localhost mx.example.com mx e2e\n"},
		{"/etc/resolv.conf", "nameserver 127.0.0.1\n"},
	} {
		// The machine's may be a symbolic link to where the box has nothing.
		if err := os.Remove(b.Path(file.path)); err != nil && !os.IsNotExist(err) {
			return err
		}
		if err := b.Write(file.path, file.content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Give makes files or folders of the box belong to a user and a group.
func (b *Box) Give(user, group string, mode os.FileMode, paths ...string) error {
	for _, path := range paths {
		if err := os.Chown(b.Path(path), ID(user), ID(group)); err != nil {
			return err
		}
		if err := os.Chmod(b.Path(path), mode); err != nil {
			return err
		}
	}
	return nil
}

// MakeDir makes a folder of the box that belongs to a user and a group.
func (b *Box) MakeDir(user, group string, mode os.FileMode, paths ...string) error {
	for _, path := range paths {
		if err := os.MkdirAll(b.Path(path), 0o755); err != nil {
			return err
		}
	}
	return b.Give(user, group, mode, paths...)
}
