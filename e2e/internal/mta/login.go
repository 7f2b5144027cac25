//go:build linux

package mta

import (
	"fmt"
	"os"
	"strings"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
)

// addLogin puts Login into the box's sasldb (saslpasswd2(8)).
func addLogin(b *box.Box) error {
	if err := os.Remove(b.Path("/etc/sasldb2")); err != nil && !os.IsNotExist(err) { // this machine's own
		return err
	}
	cmd := b.Command("/usr/sbin/saslpasswd2", "-p", "-c", "-u", "mx.example.com", Login)
	cmd.Stdin = strings.NewReader(Password)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("saslpasswd2: %w\n%s", err, out)
	}
	return nil
}
