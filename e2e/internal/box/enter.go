//go:build linux

package box

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// insideEnv marks the process that runs inside the namespaces; its value
	// is what the process outside had to tell it.
	insideEnv = "BACKSCATTER_E2E_INSIDE"

	// boxesDir is covered by a tmpfs that holds every box. Debian's base-files
	// has the folder everywhere and nothing of interest to the tests is in it.
	boxesDir = "/media"
)

// Unusable says why boxes cannot be made on this machine; "" if they can.
func Unusable() string {
	if os.Getuid() != 0 {
		return "needs root, for namespaces, mounts and apt-get"
	}
	for _, tool := range []string{"apt-get", "dpkg-deb", "tar"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Sprintf("needs Debian or a relative of it: no %s here", tool)
		}
	}
	return ""
}

// Inside reports whether this process runs inside the namespaces, and the
// message that Reenter was given.
func Inside() (message string, inside bool) {
	return os.LookupEnv(insideEnv)
}

// Reenter runs this program again, with the same arguments, as the first
// process of new mount, network, PID, IPC and UTS namespaces, and returns its
// exit code. The other process is killed when this one dies.
func Reenter(message string) (int, error) {
	runtime.LockOSThread() // the death signal is tied to the thread that starts the child
	cmd := exec.Command("/proc/self/exe", uncached(os.Args[1:])...)
	cmd.Env = append(os.Environ(), insideEnv+"="+message)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return max(exit.ExitCode(), 1), nil
	case errors.Is(err, syscall.EPERM):
		return 1, fmt.Errorf("the kernel refuses new namespaces (in a container: run it privileged): %w", err)
	case err != nil:
		return 1, err
	}
	return 0, nil
}

// uncached drops the flag by which `go test` learns what a test read: without
// that record it never caches the result, which depends on a daemon and on
// servers that it knows nothing of.
func uncached(args []string) []string {
	kept := make([]string, 0, len(args))
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-test.testlogfile=") {
			kept = append(kept, arg)
		}
	}
	return kept
}

// Enter prepares the namespaces from inside, once, before the first box.
func Enter() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := unix.Mount("boxes", boxesDir, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount %s: %w", boxesDir, err)
	}
	if err := unix.Sethostname([]byte("e2e")); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	return raiseNetwork()
}

// TempDir makes a folder that vanishes with the namespaces.
func TempDir(name string) (string, error) {
	dir, err := os.MkdirTemp(boxesDir, name+"-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}
