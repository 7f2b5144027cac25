package knowledge

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
	"github.com/backscatter-milter/backscatter-milter/internal/spf"
)

// wallClock is a clock that somebody sets.
type wallClock struct {
	mu   sync.Mutex
	time time.Time
}

func (c *wallClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.time
}

func (c *wallClock) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.time = c.time.Add(d)
}

// steady is the knowledge of a site that has signed all mail of example.com with
// the key for twelve days.
func steady(t *testing.T, toml string) (*Site, *wallClock, batv.Key) {
	t.Helper()
	cfg := parsed(t, toml)
	clock := &wallClock{time: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	k := Open(Options{
		Config: cfg, State: t.TempDir(), Log: maillog.NewLive(io.Discard, cfg.Log), Now: clock.now, RealTime: time.Now,
		Failed: func(what string, err error) { t.Errorf("%s: %v", what, err) },
	})
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	key := batv.Key{Number: 1, Secret: []byte("0123456789abcdef"), Signing: true}
	k.Take(ring(t, key))
	for range 12 * 24 * 6 {
		k.grace.Heartbeat(clock.now())
		k.Sent(policy.Sent{Sender: "alice@example.com", Result: policy.Signed, Key: key.ID()})
		clock.jump(10 * time.Minute)
	}
	k.grace.Heartbeat(clock.now())
	if !k.Strict("example.com") {
		t.Fatalf("not strict: %q", k.grace.Status("example.com", clock.now()).Signing.Missing)
	}
	return k, clock, key
}

func parsed(t *testing.T, toml string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("test.toml", []byte("all_mail_here = true\n"+toml))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func ring(t *testing.T, keys ...batv.Key) *batv.Keyring {
	t.Helper()
	r, err := batv.NewKeyring(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Whatever lets mail leave unsigned, or keeps its tags from being verified, ends
// Strictness at once.
func TestReloadsThatEndStrictness(t *testing.T) {
	const ours = "domains = [\"example.com\"]\n"
	for name, toml := range map[string]string{
		"the same":                    ours,
		"mode off":                    "mode = \"off\"\n" + ours,
		"mode off for the domain":     ours + "[[domain]]\nname = \"example.com\"\nmode = \"off\"\n",
		"the domain is named no more": "domains = [\"example.net\"]\n",
		"a shorter lifetime":          ours + "[batv]\nlifetime = \"3d\"\n",
	} {
		k, _, key := steady(t, ours)
		k.Reload(parsed(t, toml), ring(t, key))
		if got := k.Strict("example.com"); got != (name == "the same") {
			t.Errorf("%s: strict is %v", name, got)
		}
	}
}

// A key that is replaced while its tags are abroad ends strictness, and no
// signature is called wrong until they have expired.
func TestReplacedKey(t *testing.T) {
	k, clock, key := steady(t, "domains = [\"example.com\"]\n")
	other := batv.Key{Number: 1, Secret: []byte("fedcba9876543210"), Signing: true}
	k.Prove(other.ID())
	k.Reload(k.cfg.Load(), ring(t, other))
	if k.Strict("example.com") || k.Proven(other.ID()) {
		t.Errorf("strict is %v, proven is %v", k.Strict("example.com"), k.Proven(other.ID()))
	}
	k.Reload(k.cfg.Load(), ring(t, key))
	if !k.Proven(other.ID()) {
		t.Error("with the key back, what has proved itself is forgotten")
	}
	k.Reload(k.cfg.Load(), ring(t, other))
	clock.jump(12 * 24 * time.Hour)
	k.Reload(k.cfg.Load(), ring(t, other))
	if !k.Proven(other.ID()) {
		t.Error("still no signature is called wrong although all tags of the lost key have expired")
	}
}

// Where nothing is signed as the MTA takes it there is nothing to stop.
func TestTagRefusedWhereNothingIsSigned(t *testing.T) {
	k, _, _ := steady(t, "domains = [\"example.com\"]\n")
	if k.TagRefused("prvs=1788aaaaaa=alice@example.com") {
		t.Error("nothing was signed for as the MTA takes it, and yet signing was stopped")
	}
}

// Nothing shows that a domain sends elsewhere where it has no SPF record, if it
// is named: a learned one may be somebody else's.
func TestOthersBySPF(t *testing.T) {
	elsewhere := spf.Finding{Result: spf.Elsewhere, Others: []string{"192.0.2.1", "a host"}}
	for _, tc := range []struct {
		finding spf.Finding
		learned bool
		alone   bool
	}{
		{spf.Finding{Result: spf.Nobody}, false, true},
		{spf.Finding{Result: spf.Nobody}, true, true},
		{spf.Finding{Result: spf.NoRecord}, false, true},
		{spf.Finding{Result: spf.NoRecord}, true, false},
		{elsewhere, false, false},
		{elsewhere, true, false},
	} {
		if got := othersBySPF(tc.finding, tc.learned); (got == "") != tc.alone {
			t.Errorf("%v, learned %v: %q", tc.finding.Result, tc.learned, got)
		}
	}
}

// A trusted network may hold hosts that send by another way: it does not count
// as where our mail leaves from.
func TestSendingNetworks(t *testing.T) {
	contains := func(a string) bool {
		for _, n := range sendingNetworks(parsed(t, "trusted_networks = [\"198.51.100.0/24\"]\npublic_addresses = [\"192.0.2.25\"]\n")) {
			if n.Contains(netip.MustParseAddr(a)) {
				return true
			}
		}
		return false
	}
	for address, want := range map[string]bool{"192.0.2.25": true, "127.0.0.1": true, "192.0.2.26": false, "198.51.100.7": false} {
		if contains(address) != want {
			t.Errorf("%s: %v", address, !want)
		}
	}
}

// Hashes of addresses are the same after a restart, and others elsewhere.
func TestHashesLast(t *testing.T) {
	cfg := parsed(t, "[log]\nprivacy = \"hash\"\n")
	hash := func(state string, readOnly bool) string {
		live := maillog.NewLive(io.Discard, cfg.Log)
		k := Open(Options{
			Config: cfg, State: state, ReadOnly: readOnly, Log: live, Now: time.Now, RealTime: time.Now,
			Failed: func(what string, err error) {
				if !readOnly { // where nothing can be written, that is told, too
					t.Errorf("%s: %v", what, err)
				}
			},
		})
		defer func() {
			if err := k.Close(); err != nil && !readOnly {
				t.Error(err)
			}
		}()
		return live.Log().Address("alice@example.com")
	}
	here := t.TempDir()
	first := hash(here, false)
	if again, read := hash(here, false), hash(here, true); again != first || read != first {
		t.Errorf("%s, after a restart %s, read only %s", first, again, read)
	}
	if other := hash(t.TempDir(), false); other == first {
		t.Errorf("another site has %s, too", other)
	}
}

// A domain that the configuration names is told of before it has had mail, once,
// and no more than there is room for.
func TestNamedWithoutMail(t *testing.T) {
	k, clock, _ := steady(t, "domains = [\"example.com\", \"example.org\", \"*.example.org\"]\n")
	got := k.Status(k.cfg.Load(), clock.now())
	if len(got) != 2 || got[0].Domain != "example.com" || !got[0].Strict || got[1].Domain != "example.org" || got[1].Strict || !got[1].Ours || len(got[1].Missing) == 0 {
		t.Errorf("%+v", got)
	}
	many := "domains = [\"example.com\""
	for n := range 150 {
		many += fmt.Sprintf(", \"a%d.example.com\"", n)
	}
	k, clock, _ = steady(t, many+"]\n")
	got = k.Status(k.cfg.Load(), clock.now())
	if len(got) != control.MaxNames || !slices.ContainsFunc(got, func(d control.KnownDomain) bool { return d.Domain == "example.com" }) {
		t.Errorf("%d domains, or without the one that has mail", len(got))
	}
}
