//go:build linux

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/filters"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/mta"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/opendkim"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/rbldnsd"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/redis"
)

// outfit is what the process outside the namespaces prepares, because it needs
// the network or is better done once, for the one inside.
type outfit struct {
	Program  string              // the built backscatter-milter
	Packages map[string][]string // of each server, of miltertest, of each filter, of Chromium and of the checkers, the paths of the .deb files
	Built    packages            // of the program
	Skip     string              // why nothing can be run here
}

// here is set once, by TestMain.
var here outfit

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
	}
	os.Exit(code)
}

// run goes through here twice: outside the namespaces, then inside.
func run(m *testing.M) (int, error) {
	if message, inside := box.Inside(); inside {
		if err := enter(message); err != nil {
			return 1, err
		}
		return m.Run(), nil
	}
	switch why := box.Unusable(); {
	case why == "":
		return outside()
	case required():
		return 1, errors.New(why)
	default:
		here.Skip = why
		return m.Run(), nil
	}
}

// required reports whether a run that cannot start mail servers is a failure.
func required() bool {
	return os.Getenv("CI") == "true" || os.Getenv("BACKSCATTER_E2E") == "require"
}

// outside prepares the outfit and runs the tests in namespaces of their own.
func outside() (int, error) {
	outfit, err := prepare()
	if err != nil {
		return 1, err
	}
	message, err := json.Marshal(outfit)
	if err != nil {
		return 1, err
	}
	return box.Reenter(string(message))
}

// prepare builds the daemon and meanwhile fetches the packages.
func prepare() (outfit, error) {
	o := outfit{Packages: map[string][]string{}}
	var built error
	var wait sync.WaitGroup
	wait.Go(func() {
		if o.Program, built = build(); built == nil {
			o.Built, built = buildPackages(o.Program)
		}
	})
	wanted := map[string][]string{
		"postfix":    mta.PostfixPackages(),
		"sendmail":   mta.SendmailPackages(),
		"exim":       mta.EximPackages(),
		"rbldnsd":    rbldnsd.Packages(),
		"miltertest": {"miltertest"},
		"chromium":   chromiumPackages(),
		"opendkim":   opendkim.Packages(),
		"checks":     checkers(),
		"redis":      redis.Packages(),
	}
	maps.Copy(wanted, filters.Packages())
	var errs []error
	for name, packages := range wanted {
		files, err := box.Fetch(filepath.Join(cacheDir(), name), packages...)
		o.Packages[name] = files
		errs = append(errs, err)
	}
	wait.Wait()
	return o, errors.Join(append(errs, built)...)
}

// cacheDir is where the packages are kept: BACKSCATTER_E2E_CACHE, else
// build/debs here.
func cacheDir() string {
	if dir := os.Getenv("BACKSCATTER_E2E_CACHE"); dir != "" {
		return dir
	}
	return absolute("build/debs")
}

// build makes the program that is tested, unless BACKSCATTER_E2E_PROGRAM names
// one.
func build() (string, error) {
	if program := os.Getenv("BACKSCATTER_E2E_PROGRAM"); program != "" {
		return absolute(program), nil
	}
	program := absolute("build/backscatter-milter")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", program, "./cmd/backscatter-milter")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is shipped
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the daemon: %w\n%s", err, out)
	}
	return program, nil
}

func absolute(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		panic(err) // there is no working directory
	}
	return abs
}

// enter reads the outfit, prepares the namespaces from inside and installs the
// program where the daemon's user can reach it.
func enter(message string) error {
	if err := json.Unmarshal([]byte(message), &here); err != nil {
		return fmt.Errorf("read the outfit: %w", err)
	}
	if err := box.Enter(); err != nil {
		return err
	}
	dir, err := box.TempDir("program")
	if err != nil {
		return err
	}
	program, err := os.ReadFile(here.Program)
	if err != nil {
		return err
	}
	here.Program = filepath.Join(dir, "backscatter-milter")
	return os.WriteFile(here.Program, program, 0o755)
}
