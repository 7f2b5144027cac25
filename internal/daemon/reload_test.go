package daemon

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/config"
)

// Where the file that the daemon was started with has gone, the defaults do not
// come in its stead.
func TestLoadVanishedConfiguration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.toml")
	if _, err := batv.CreateKeyFile(path, time.Now()); err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	d := &daemon{load: func() (Loaded, error) { return Loaded{Config: cfg, From: Defaults, Keys: path}, nil }}
	d.known, _ = openBoth(t, cfg)
	d.inForce.Store(&settings{cfg: config.Default(), from: "/etc/x.toml", keyFile: path})
	if _, _, err := d.next(); err == nil || err.Error() != "configuration: /etc/x.toml has vanished" {
		t.Errorf("%v", err)
	}
	d.inForce.Store(&settings{cfg: config.Default(), from: Defaults, keyFile: path})
	if next, judge, err := d.next(); err != nil || judge == nil || next.keyFile != path {
		t.Errorf("%+v, %v", next, err)
	}
}
