//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
)

const (
	serviceUser = "backscatter-milter"
	configFile  = "/etc/backscatter-milter/config.toml"
	stateFolder = "/var/lib/backscatter-milter"
	installed   = "/usr/bin/backscatter-milter"
	unitFile    = "/usr/lib/systemd/system/backscatter-milter.service"
)

// installation is a box in which packages are installed, and the daemon from
// them.
type installation struct {
	*testing.T
	box    *box.Box
	daemon *exec.Cmd // nil while none runs
	notify *net.UnixConn
	log    bytes.Buffer
}

// openDpkg readies dpkg's records in a box, which are this machine's: they may
// name accounts that the box does not have.
func openDpkg(t *testing.T, b *box.Box) *installation {
	t.Helper()
	if err := b.Write("/var/lib/dpkg/statoverride", "", 0o644); err != nil {
		t.Fatal(err)
	}
	return &installation{T: t, box: b}
}

// dpkg runs dpkg in the box and returns what it and the package's scripts print.
// There is no terminal for questions.
func (i *installation) dpkg(args ...string) string {
	i.Helper()
	return i.run("/usr/bin/dpkg", append([]string{"--no-triggers"}, args...)...)
}

// run runs a program of the box as root and returns what it prints.
func (i *installation) run(path string, args ...string) string {
	i.Helper()
	cmd := i.box.Command(path, args...)
	cmd.Env = append(cmd.Env, "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	if err != nil {
		i.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}

// read is a file of the box.
func (i *installation) read(path string) string {
	i.Helper()
	data, err := os.ReadFile(i.box.Path(path))
	if err != nil {
		i.Fatal(err)
	}
	return string(data)
}

// there reports whether a path of the box exists.
func (i *installation) there(path string) bool {
	_, err := os.Lstat(i.box.Path(path))
	return err == nil
}

// account is the number of an entry of the box's passwd or group file.
func (i *installation) account(file, name string) int {
	i.Helper()
	found := regexp.MustCompile(`(?m)^` + name + `:[^:]*:(\d+):`).FindStringSubmatch(i.read(file))
	if found == nil {
		i.Fatalf("%s has no %s", file, name)
	}
	id, err := strconv.Atoi(found[1])
	if err != nil {
		i.Fatal(err)
	}
	return id
}

// wantOwned wants a path of the box to have a mode, a user and a group.
func (i *installation) wantOwned(path string, mode os.FileMode, user, group string) {
	i.Helper()
	info, err := os.Lstat(i.box.Path(path))
	if err != nil {
		i.Error(err)
		return
	}
	stat := info.Sys().(*syscall.Stat_t)
	uid, gid := i.account("/etc/passwd", user), i.account("/etc/group", group)
	if info.Mode().Perm() != mode || int(stat.Uid) != uid || int(stat.Gid) != gid {
		i.Errorf("%s: mode %o of %d:%d, want %o of %d:%d (%s:%s)", path, info.Mode().Perm(), stat.Uid, stat.Gid, mode, uid, gid, user, group)
	}
}

// unit is a setting of the installed unit.
func (i *installation) unit(name string) string {
	i.Helper()
	for line := range strings.Lines(i.read(unitFile)) {
		if value, ok := strings.CutPrefix(line, name+"="); ok {
			return strings.TrimSpace(value)
		}
	}
	i.Fatalf("the unit has no %s", name)
	return ""
}

// asService prepares a command of the unit, as systemd runs it: its user, its
// state folder, and a socket to be notified at.
func (i *installation) asService(commandLine string) *exec.Cmd {
	i.Helper()
	words := strings.Fields(commandLine)
	cmd := i.box.Command(words[0], words[1:]...)
	cmd.Env = append(cmd.Env, "STATE_DIRECTORY=/var/lib/"+i.unit("StateDirectory"))
	cmd.SysProcAttr.Credential = &syscall.Credential{
		Uid: uint32(i.account("/etc/passwd", i.unit("User"))),
		Gid: uint32(i.account("/etc/group", i.unit("Group"))),
	}
	return cmd
}

// start runs the service until it says that it is ready. A listening socket, if
// one is given, is handed over as systemd does.
func (i *installation) start(socket *os.File) {
	i.Helper()
	const notify = "/run/notify"
	_ = os.Remove(i.box.Path(notify)) // from before
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: i.box.Path(notify), Net: "unixgram"})
	if err != nil {
		i.Fatal(err)
	}
	i.notify = conn
	if err := os.Chmod(i.box.Path(notify), 0o666); err != nil {
		i.Fatal(err)
	}
	cmd := i.asService(i.unit("ExecStart"))
	if socket != nil {
		cmd.ExtraFiles = []*os.File{socket} // number 3
		cmd.Path, cmd.Args = "/bin/sh", append([]string{"sh", "-c", `LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"`, "sh"}, cmd.Args...)
	}
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+notify)
	cmd.Stdout, cmd.Stderr = &i.log, &i.log
	if err := cmd.Start(); err != nil {
		i.Fatal(err)
	}
	i.daemon = cmd
	i.Cleanup(i.stop)
	message := make([]byte, 4096)
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		i.Fatal(err)
	}
	n, err := conn.Read(message)
	if err != nil || !strings.HasPrefix(string(message[:n]), "READY=1") {
		i.stop()
		i.Fatalf("the service said %q, %v\n%s", message[:n], err, i.log.String())
	}
}

// stop ends the service as systemd does.
func (i *installation) stop() {
	i.Helper()
	if i.daemon == nil {
		return
	}
	if err := i.daemon.Process.Signal(syscall.SIGTERM); err != nil {
		i.Error(err)
	}
	if err := i.daemon.Wait(); err != nil {
		i.Errorf("the service ended with %v\n%s", err, i.log.String())
	}
	i.daemon = nil
	if err := i.notify.Close(); err != nil {
		i.Error(err)
	}
}

// listenBelowQueue opens the socket that the comments of the installed socket
// unit describe, as systemd opens it.
func (i *installation) listenBelowQueue() *os.File {
	i.Helper()
	unit := i.read(strings.Replace(unitFile, ".service", ".socket", 1))
	path := regexp.MustCompile(`(?m)^# +ListenStream=(/\S+)$`).FindStringSubmatch(unit)
	group := regexp.MustCompile(`(?m)^# +SocketGroup=(\S+)$`).FindStringSubmatch(unit)
	mode := regexp.MustCompile(`(?m)^SocketMode=(\d+)$`).FindStringSubmatch(unit)
	user := regexp.MustCompile(`(?m)^SocketUser=(\S+)$`).FindStringSubmatch(unit)
	if path == nil || group == nil || mode == nil || user == nil {
		i.Fatalf("the socket unit explains no socket below the queue:\n%s", unit)
	}
	outside := i.box.Path(path[1])
	if err := os.MkdirAll(filepath.Dir(outside), 0o755); err != nil {
		i.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: outside, Net: "unix"})
	if err != nil {
		i.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	file, err := l.File()
	if err != nil {
		i.Fatal(err)
	}
	i.Cleanup(func() { _ = file.Close() })
	if err := l.Close(); err != nil {
		i.Fatal(err)
	}
	permissions, err := strconv.ParseUint(mode[1], 8, 32)
	if err != nil {
		i.Fatal(err)
	}
	if err := os.Chown(outside, i.account("/etc/passwd", user[1]), i.account("/etc/group", group[1])); err != nil {
		i.Fatal(err)
	}
	if err := os.Chmod(outside, os.FileMode(permissions)); err != nil {
		i.Fatal(err)
	}
	return file
}

// packages are built .deb and .rpm files: of one version, and of a later one.
type packages struct {
	Deb, NewDeb, RPM string
}

// buildPackages makes them of a program, in a folder of their own.
func buildPackages(program string) (packages, error) {
	folder, tools := absolute("build/packages"), absolute("../build/tools")
	if err := os.RemoveAll(folder); err != nil {
		return packages{}, err
	}
	for _, args := range [][]string{
		{"make", "--silent", "TOOLS=" + tools, tools + "/nfpm"},
		{".ci/package", program, "v1.0.0", folder + "/old"},
		{".ci/package", program, "v1.0.0-1-g0123456", folder + "/new"},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = ".."
		cmd.Env = append(os.Environ(), "TOOLS="+tools)
		if out, err := cmd.CombinedOutput(); err != nil {
			return packages{}, fmt.Errorf("make the packages: %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	var p packages
	for pattern, path := range map[string]*string{"old/*.deb": &p.Deb, "new/*.deb": &p.NewDeb, "old/*.rpm": &p.RPM} {
		found, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			return packages{}, err
		}
		if len(found) != 1 {
			return packages{}, fmt.Errorf("%q packages %s, want one", found, pattern)
		}
		*path = found[0]
	}
	return p, nil
}

// copyIn puts a file of the machine into a folder of a box and returns where it
// is there.
func copyIn(t *testing.T, b *box.Box, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	inside := "/packages/" + filepath.Base(file)
	if err := b.Write(inside, string(data), 0o644); err != nil {
		t.Fatal(err)
	}
	return inside
}
