//go:build linux

package e2e

import (
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// refreshes has the page load itself anew, as it does when it comes back to the
// front, and waits until its head shows a text, and no longer shows another.
func (b *browser) refreshes(want, gone string) {
	b.Helper()
	const head = `document.querySelector("header").innerText`
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		b.do(chromedp.Evaluate[chromedp.Void](`document.dispatchEvent(new Event("visibilitychange"))`))
		text := ask(b, chromedp.Evaluate[string](head))
		if strings.Contains(text, want) && (gone == "" || !strings.Contains(text, gone)) {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("the head does not come to show %q without %q: %s", want, gone, text)
		}
	}
}

// liveHead wants the head of a page that refreshes itself to be true: a new alarm
// shows, read out once, also while somebody fills in the form; a daemon that has
// ended no longer serves mail, and one that is back does.
func (b *browser) liveHead(page string) {
	b.Helper()
	b.do(chromedp.EmulateViewport(1280, 900))
	b.shows(page, "serves mail")
	b.do(chromedp.Click("#refresh"), chromedp.Focus("#f-client"), chromedp.Evaluate[chromedp.Void](`document.querySelector("#facts").dataset.old = "yes"`))
	if err := b.daemon.Configure("stage = \"sometime\"\n"); err != nil {
		b.Fatal(err)
	}
	if err := b.daemon.Hangup(); err != nil {
		b.Fatal(err)
	}
	b.refreshes("The last reload failed", "")
	b.do(chromedp.Evaluate[chromedp.Void](`window.alarms = document.querySelector("#alarms")`))
	time.Sleep(1100 * time.Millisecond) // "as of" is in seconds
	b.refreshes("serves mail", "")
	for what, want := range map[string]string{
		`document.querySelector("#facts").dataset.old`:        "undefined", // the time is another
		`document.querySelector("#alarms") === window.alarms`: "true",
		`document.activeElement.id`:                           "f-client",
	} {
		if got := ask(b, chromedp.Evaluate[string](fmt.Sprintf("String(%s)", what))); got != want {
			b.Errorf("%s is %s, want %s", what, got, want)
		}
	}
	b.stop()
	b.refreshes("no answer since 2", "serves mail")
	b.daemonBack()
	b.refreshes("serves mail", "no answer since")
	b.refreshes("serves mail", "The last reload failed")
	b.shows(page, silentDomain)
	b.do(chromedp.Evaluate[chromedp.Void](`for (const column of [2, 3]) document.querySelector("#domains tbody tr").cells[column].textContent = "some considerations of a long reply ".repeat(20)`))
	b.wantWordsWhole("#domains")
}

// silentDomain is one of ours that has never had mail.
const silentDomain = "a-domain-without-any-mail.example.org"

// daemonBack starts the daemon with a configuration that is well, in which one
// domain more is named, and neither is strict.
func (b *browser) daemonBack() {
	b.Helper()
	if err := b.daemon.Configure(b.config(settings{domains: `["example.com", "` + silentDomain + `"]`, top: "dnsbl = []", tables: refuseMissing})); err != nil {
		b.Fatal(err)
	}
	b.restart()
}

// wantWordsWhole wants no word of letters alone to be broken between two lines.
func (b *browser) wantWordsWhole(selector string) {
	b.Helper()
	broken := ask(b, chromedp.Evaluate[[]string](fmt.Sprintf(`(() => {
		const broken = [];
		const walk = document.createTreeWalker(document.querySelector(%q), NodeFilter.SHOW_TEXT);
		while (walk.nextNode()) {
			for (const word of walk.currentNode.data.matchAll(/[A-Za-z]+/g)) {
				const range = document.createRange();
				range.setStart(walk.currentNode, word.index);
				range.setEnd(walk.currentNode, word.index + word[0].length);
				if (new Set([...range.getClientRects()].map(r => Math.round(r.top))).size > 1) broken.push(word[0]);
			}
		}
		return broken;
	})()`, selector)))
	if len(broken) > 0 {
		b.Errorf("in %s words are broken: %q", selector, broken)
	}
}
