//go:build linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/remote"

	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
)

// chromiumPackages are Chromium without a desktop, and a font for it.
func chromiumPackages() []string { return []string{"chromium-headless-shell", "fonts-dejavu-core"} }

const (
	chromium     = "/usr/lib/chromium/chromium-headless-shell"
	browserStart = 30 * time.Second
	browserLimit = 2 * time.Minute
)

// openBrowser starts a Chromium in a box of its own. It runs as root, which its
// own sandbox does not allow; it sees nothing but the daemon's page.
func (d *desk) openBrowser() *browser {
	d.Helper()
	begun := time.Now()
	port := strconv.Itoa(9200 + int(d.number)) // of the namespaces; another site may have a browser, too
	devtools := "127.0.0.1:" + port
	where, err := box.New("chromium", here.Packages["chromium"])
	if err != nil {
		d.Fatal(err)
	}
	cmd := where.Command(chromium, "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--user-data-dir=/tmp/chromium", "--remote-debugging-address=127.0.0.1", "--remote-debugging-port="+port, "about:blank")
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // was killed
		if d.Failed() {
			d.Logf("Chromium: %s", said.String())
		}
	})
	if err := awaitBrowser(devtools); err != nil {
		d.Fatal(err)
	}
	d.Logf("Chromium unpacked and started in %v", time.Since(begun).Round(time.Millisecond))

	b := &browser{desk: d}
	limited, end := context.WithTimeout(context.Background(), browserLimit)
	d.Cleanup(end)
	allocator, end := remote.NewAllocator(limited, "http://"+devtools)
	d.Cleanup(end)
	b.ctx, end = chromedp.NewContext(allocator)
	d.Cleanup(end)
	_, network := chromedp.Call(b.ctx, network.Enable, network.EnableParams{})
	_, log := chromedp.Call(b.ctx, cdplog.Enable, cdp.Empty{})
	if err := errors.Join(chromedp.Listen(b.ctx, b.listen), network, log); err != nil {
		d.Fatal(err)
	}
	return b
}

func awaitBrowser(devtools string) error {
	for deadline := time.Now().Add(browserStart); ; time.Sleep(50 * time.Millisecond) {
		answer, err := http.Get("http://" + devtools + "/json/version")
		if err == nil {
			_, err = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
		}
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("Chromium does not answer: %w", err)
		}
	}
}
