//go:build linux

package box

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// archive is one .deb file as apt-get names it.
type archive struct {
	file string
	size int64
}

// Fetch downloads packages and whatever they need that this machine lacks into
// the folder cache, installs nothing, and returns the paths of the .deb files.
// What is already there is not downloaded again. Without package lists, or with
// lists so old that the download fails, it runs apt-get update first.
func Fetch(cache string, packages ...string) ([]string, error) {
	unlock, err := lock(cache)
	if err != nil {
		return nil, err
	}
	defer unlock()
	files, err := fetchOnce(cache, packages)
	if err == nil {
		return files, nil
	}
	if _, updateErr := aptGet("-o", "Debug::NoLocking=0", "update"); updateErr != nil {
		return nil, errors.Join(err, updateErr)
	}
	return fetchOnce(cache, packages)
}

func fetchOnce(cache string, packages []string) ([]string, error) {
	wanted, err := plan(packages)
	if err != nil {
		return nil, err
	}
	if missing(cache, wanted) {
		args := append([]string{"--download-only", "-o", "Dir::Cache::archives=" + cache}, install(packages)...)
		if _, err := aptGet(args...); err != nil {
			return nil, err
		}
	}
	if missing(cache, wanted) {
		return nil, fmt.Errorf("apt-get left files of %q out of %s", packages, cache)
	}
	paths := make([]string, len(wanted))
	for i, a := range wanted {
		paths[i] = filepath.Join(cache, a.file)
	}
	return paths, nil
}

// plan asks apt-get what installing the packages would download if nothing had
// been downloaded yet. It depends on what is installed, so it is asked each time.
func plan(packages []string) ([]archive, error) {
	empty, err := os.MkdirTemp("", "backscatter-e2e-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(empty) }()
	if err := os.Mkdir(filepath.Join(empty, "partial"), 0o755); err != nil {
		return nil, err
	}
	out, err := aptGet(append([]string{"--print-uris", "-o", "Dir::Cache::archives=" + empty}, install(packages)...)...)
	if err != nil {
		return nil, err
	}
	return parsePlan(out)
}

// parsePlan reads the lines of apt-get --print-uris: 'URI' FILE SIZE HASH.
func parsePlan(out []byte) ([]archive, error) {
	var archives []archive
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "'") {
			continue // a notice
		}
		fields := strings.Fields(line)
		if len(fields) < 3 {
			return nil, fmt.Errorf("apt-get --print-uris: unexpected line %q", line)
		}
		size, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("apt-get --print-uris: unexpected line %q", line)
		}
		archives = append(archives, archive{file: fields[1], size: size})
	}
	if len(archives) == 0 {
		return nil, errors.New("apt-get --print-uris names no package to download")
	}
	return archives, nil
}

func missing(cache string, wanted []archive) bool {
	for _, a := range wanted {
		info, err := os.Stat(filepath.Join(cache, a.file))
		if err != nil || info.Size() != a.size {
			return true
		}
	}
	return false
}

// install has --reinstall, so that packages are downloaded on machines, too,
// where they are installed: a box takes nothing from an installed mail server.
func install(packages []string) []string {
	return append([]string{"--no-install-recommends", "--reinstall", "install"}, packages...)
}

func aptGet(args ...string) ([]byte, error) {
	args = append([]string{"-qq", "-y",
		"-o", "Debug::NoLocking=1", // nothing is installed, so no lock of dpkg is needed
		"-o", "APT::Sandbox::User=root", // its usual user cannot write to the cache
	}, args...)
	cmd := exec.Command("apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}

// lock keeps two runs from writing the same cache at once.
func lock(cache string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Join(cache, "partial"), 0o755); err != nil {
		return nil, fmt.Errorf("package cache: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(cache, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("package cache: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock the package cache %s: %w", cache, err)
	}
	return func() { _ = file.Close() }, nil
}
