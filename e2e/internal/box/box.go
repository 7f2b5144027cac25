//go:build linux

package box

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Box is a root file system of its own: this machine's, with some packages
// unpacked over it, and accounts, hosts and resolver of its own.
type Box struct {
	root   string
	syslog *syslog
}

// New makes a box that holds the given .deb files.
func New(name string, archives []string) (*Box, error) {
	dir, err := TempDir(name)
	if err != nil {
		return nil, err
	}
	b := &Box{root: filepath.Join(dir, "root")}
	for _, step := range []func() error{
		func() error { return b.overlay(dir) },
		b.mountDevices,
		func() error { return b.unpack(archives) },
		b.writeAccounts,
	} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("box %s: %w", name, err)
		}
	}
	if b.syslog, err = listenSyslog(b.Path("/dev/log")); err != nil {
		return nil, fmt.Errorf("box %s: %w", name, err)
	}
	return b, nil
}

// Path is where a file of the box is to be found from outside.
func (b *Box) Path(inside string) string { return filepath.Join(b.root, inside) }

// Log is what the programs of the box have said to syslog, from an offset on.
func (b *Box) Log(offset int) string { return b.syslog.text(offset) }

// Write makes a file in the box, and the folders above it.
func (b *Box) Write(path, content string, mode os.FileMode) error {
	outside := b.Path(path)
	if err := os.MkdirAll(filepath.Dir(outside), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(outside, []byte(content), mode); err != nil {
		return err
	}
	return os.Chmod(outside, mode) // the umask may have taken something away
}

// Command prepares a program of the box, to run as root inside it. It dies with
// the test process.
func (b *Box) Command(path string, args ...string) *exec.Cmd {
	return &exec.Cmd{
		Path:        path,
		Args:        append([]string{path}, args...),
		Dir:         "/",
		Env:         []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/"},
		WaitDelay:   time.Second, // a child that stays behind must not hold up Wait
		SysProcAttr: &syscall.SysProcAttr{Chroot: b.root, Pdeathsig: syscall.SIGKILL},
	}
}

// Run runs a program of the box to its end; what it printed is in the error.
func (b *Box) Run(path string, args ...string) error {
	cmd := b.Command(path, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}

func (b *Box) overlay(dir string) error {
	upper, work := filepath.Join(dir, "upper"), filepath.Join(dir, "work")
	for _, d := range []string{upper, work, b.root} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	options := fmt.Sprintf("lowerdir=/,upperdir=%s,workdir=%s", upper, work)
	if err := unix.Mount("overlay", b.root, "overlay", 0, options); err != nil {
		return fmt.Errorf("mount an overlay of /: %w", err)
	}
	if err := unix.Mount("proc", b.Path("/proc"), "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := unix.Mount("tmp", b.Path("/tmp"), "tmpfs", 0, "mode=1777"); err != nil {
		return fmt.Errorf("mount /tmp: %w", err)
	}
	return nil
}

// mountDevices gives the box a /dev with the harmless devices only, which also
// leaves /dev/log free.
func (b *Box) mountDevices() error {
	if err := unix.Mount("dev", b.Path("/dev"), "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount /dev: %w", err)
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom"} {
		device := filepath.Join("/dev", name)
		if err := os.WriteFile(b.Path(device), nil, 0o666); err != nil {
			return err
		}
		if err := unix.Mount(device, b.Path(device), "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind %s: %w", device, err)
		}
	}
	return nil
}

func (b *Box) unpack(archives []string) error {
	for _, file := range archives {
		if err := unpackOne(file, b.root); err != nil {
			return fmt.Errorf("unpack %s: %w", file, err)
		}
	}
	return nil
}

// unpackOne unpacks a .deb file as dpkg does, which keeps symbolic links to
// folders (/lib is one) as they are.
func unpackOne(file, root string) error {
	deb := exec.Command("dpkg-deb", "--fsys-tarfile", file)
	tar := exec.Command("tar", "-C", root, "-x", "--keep-directory-symlink")
	var debSays, tarSays bytes.Buffer
	deb.Stderr, tar.Stderr = &debSays, &tarSays
	pipe, err := deb.StdoutPipe()
	if err != nil {
		return err
	}
	tar.Stdin = pipe
	if err := deb.Start(); err != nil {
		return err
	}
	if err := errors.Join(tar.Run(), deb.Wait()); err != nil {
		return fmt.Errorf("%w\n%s%s", err, debSays.String(), tarSays.String())
	}
	return nil
}
