package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/config"
)

// Where the file that the daemon was started with has gone, the defaults do not
// come in its stead.
func TestLoadVanishedConfiguration(t *testing.T) {
	t.Setenv("BACKSCATTER_MILTER_CONFIG", "")
	s := &site{stateDir: t.TempDir()}
	if _, from, err := s.config(); err != nil || from != theDefaults {
		t.Skipf("this machine has a configuration: %s, %v", from, err)
	}
	path := filepath.Join(s.stateDir, "keys.toml")
	if _, err := batv.CreateKeyFile(path, time.Now()); err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	d := &daemon{site: s}
	d.known, _ = openBoth(t, cfg)
	d.inForce.Store(&settings{cfg: config.Default(), from: "/etc/x.toml", keyFile: path})
	if _, _, err := d.load(); err == nil || err.Error() != "configuration: /etc/x.toml has vanished" {
		t.Errorf("%v", err)
	}
	d.inForce.Store(&settings{cfg: config.Default(), from: theDefaults, keyFile: path})
	if next, judge, err := d.load(); err != nil || judge == nil || next.keyFile != path {
		t.Errorf("%+v, %v", next, err)
	}
}

// What a key does is told by what signs at that time.
func TestKeyState(t *testing.T) {
	at := func(day int) time.Time { return time.Date(2026, 11, day, 12, 0, 0, 0, time.UTC) }
	ring, err := batv.NewKeyring(
		batv.Key{Number: 1, Secret: []byte("1"), Signing: true, Retired: at(10)},
		batv.Key{Number: 2, Secret: []byte("2"), SignFrom: at(10)},
		batv.Key{Number: 3, Secret: []byte("3")},
		batv.Key{Number: 1, Secret: []byte("own"), Signing: true, Domains: []string{"example.com"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	for day, want := range map[int]string{
		9:  "signs until 2026-11-10T12:00:00Z; verifies, signs from 2026-11-10T12:00:00Z; verifies; signs",
		10: "retired, verifies until 2026-11-17; signs; verifies; signs",
		17: "retired, verifies until 2026-11-17; signs; verifies; signs",
		18: "retired 2026-11-10, verifies no more; signs; verifies; signs",
	} {
		var states []string
		for _, k := range ring.Keys() {
			states = append(states, keyState(ring, k, at(day), 7))
		}
		if got := strings.Join(states, "; "); got != want {
			t.Errorf("day %d: %s", day, got)
		}
	}
}
