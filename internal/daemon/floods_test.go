package daemon

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/config"
)

// What is blocked is shown, with addresses as the log shows them.
func TestShownBlocks(t *testing.T) {
	c := startClocked(t)
	for n := range 500 {
		c.floods.Unproven(netip.MustParseAddr("192.0.2.25"), fmt.Sprintf("user%d@example.com", n))
		c.floods.Unproven(netip.AddrFrom4([4]byte{198, 51, byte(n), 25}), "alice@example.com")
	}
	c.floods.UnprovenSubject(netip.MustParseAddr("198.51.100.25"), c.floods.Subject("one"))
	keys := func() (all string) {
		for _, b := range c.blocks() {
			all += b.Kind + " " + b.Key + ";"
			if left := b.Until.Sub(c.clock.now()); left <= 0 || left > 5*time.Hour {
				t.Errorf("%s: %v left", b.Key, left)
			}
		}
		return all
	}
	if got := keys(); got != "client 192.0.2.0/24;recipient alice@example.com;" && got != "recipient alice@example.com;client 192.0.2.0/24;" {
		t.Errorf("blocked: %s", got)
	}
	c.daemon.live.Set(config.Log{Privacy: config.PrivacyDomain})
	if got := keys(); strings.Contains(got, "alice") || !strings.Contains(got, "recipient example.com;") {
		t.Errorf("blocked: %s", got)
	}
}
