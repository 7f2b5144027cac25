//go:build linux

package e2e

import (
	"embed"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/daemon"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/matrix"
)

// scripts are played by miltertest(8), which speaks the MTA's side of the milter
// protocol and was written by others: a second opinion on what goes over the
// wire. common.lua is what they share.
//
//go:embed miltertest
var scripts embed.FS

const (
	miltertestAt = "inet:8827@127.0.0.1"
	commonScript = "miltertest/common.lua"
)

// runMiltertest runs each script as a case against a running daemon.
func runMiltertest(t *testing.T, results *scoreboard) {
	b, err := box.New("miltertest", here.Packages["miltertest"])
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(scripts, "miltertest/*.lua")
	if err != nil || len(names) < 2 {
		t.Fatalf("scripts %q, %v", names, err)
	}
	for _, name := range names {
		text, err := scripts.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Write("/"+name, string(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d := installForMiltertest(t)
	tagged, err := d.Sign(alice)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if name == commonScript {
			continue
		}
		short := strings.TrimSuffix(path.Base(name), ".lua")
		t.Run(short, func(t *testing.T) {
			t.Cleanup(func() { results.record(matrix.Cell{MTA: "miltertest", Case: short}, t) })
			err := b.Run("/usr/bin/miltertest", "-s", "/"+name, "-D", "common=/"+commonScript, "-D", "socket="+miltertestAt,
				"-D", "tagged="+tagged, "-D", "forged="+changeSignature(tagged))
			if err != nil {
				t.Errorf("%v\nlog of the daemon:\n%s", err, d.Log())
			}
		})
	}
}

// installForMiltertest starts a daemon that refuses at RCPT and at end of message.
func installForMiltertest(t *testing.T) *daemon.Daemon {
	dir, err := box.TempDir("daemon")
	if err != nil {
		t.Fatal(err)
	}
	admin := netip.MustParseAddrPort("127.0.0.1:8927")
	config := fmt.Sprintf(`listen = ["inet:127.0.0.1:8827"]
domains = ["example.com"]
trusted_networks = ["198.51.100.0/24"]
never_sends = ["robot@example.com"]
[batv]
sign = true
[policy]
tag-missing = "reject"
[admin]
listen = %q
`, admin)
	d, err := daemon.Install(here.Program, dir, config, admin)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if panics, err := d.Metric("backscatter_panics_total"); err != nil || panics != 0 {
			t.Errorf("%v panics, %v", panics, err)
		}
		if err := d.Terminate(); err != nil {
			t.Error(err)
		}
		if err := d.Wait(10 * time.Second); err != nil {
			t.Error(err)
		}
	})
	return d
}
