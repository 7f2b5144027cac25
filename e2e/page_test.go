//go:build linux

package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	cdplog "github.com/chromedp/cdproto/log"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/mta"
	"github.com/backscatter-milter/backscatter-milter/internal/journal"
	"github.com/backscatter-milter/backscatter-milter/internal/store"
)

func pageCases() []testCase {
	week := settings{
		top:     "all_mail_here = true\ndnsbl = []",
		tables:  refuseMissing,
		prepare: func(t *testing.T, state string) { signedFor(12*24*time.Hour)(t, state); judgedForAWeek(t, state) },
	}
	return []testCase{{name: "status-page", only: "postfix", settings: week, run: statusPage}}
}

// hostile is a recipient of ours whose local part is made for a browser.
const hostile = `"<img/src=x/onerror=alert(1)><b>"@example.com`

// The status page in a browser: a refusal of seconds ago is there, with its whole
// explanation on a key or a click; filters find it; what is hostile in an address
// is text; nothing is asked for but from the daemon, and no rule of the page's own
// is broken.
func statusPage(d *desk) {
	d.want(firstRefusal(d.connect(outsideClient), "", alice, d.bounce()), "550 5.7.1")
	d.want(firstRefusal(d.connectTo(mta.Anybody, "203.0.113.77"), "", hostile, d.bounce()), "550 5.7.1")
	verdict := d.wantVerdictOf("203.0.113.77")
	b := d.openBrowser()
	page := "http://" + d.admin.String() + "/"

	b.do(chromedp.EmulateViewport(1280, 900))
	b.shows(page, outsideClient)
	text := ask(b, chromedp.Evaluate[string](`document.querySelector("main").innerText`))
	for _, want := range []string{"Verdicts over time", "tag-missing", "Domains", "example.com", "203.0.113.0/24", "Sent mail", hostile} {
		if !strings.Contains(text, want) {
			d.Errorf("the page does not show %q", want)
		}
	}
	if got := ask(b, chromedp.Evaluate[string](`[document.title, document.images.length, document.scripts.length, document.querySelectorAll("b").length].join()`)); got != "backscatter-milter,0,1,0" {
		d.Errorf("title, images, scripts and bold text: %s", got)
	}
	b.screenshot("page-light.png")

	b.do(chromedp.Click(chromedp.Search(`//span[contains(@class,"to")][contains(.,"alice@example.com")]`)), b.visible("A bounce without a valid tag"))
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("details[id^=d] > summary").focus()`), chromedp.KeyEvent(kb.Enter), b.visible(verdict.ID)) // the newest
	b.do(chromedp.Evaluate[chromedp.Void](`document.getElementById("decisions-title").scrollIntoView()`))
	b.screenshot("page-decisions.png")

	b.filter("203.0.113.0/29", "tag-missing", outsideClient)
	if clients := ask(b, chromedp.Evaluate[[]string](`[...document.querySelectorAll(".decisions summary")].map(s => s.children[3].textContent)`)); len(clients) != 1 || clients[0] != outsideClient {
		d.Errorf("filtered by network: %q, want %s alone", clients, outsideClient)
	}
	b.filter("nowhere", "", "want an address or a network")

	b.shows(page+"?period=7d", " since "+time.Now().UTC().Truncate(6*time.Hour).Add(6*time.Hour-7*24*time.Hour).Format("2006-01-02 15:04"))
	b.dark(true)
	b.shows(page+"?period=7d", outsideClient)
	if paper := ask(b, chromedp.Evaluate[string](`getComputedStyle(document.body).backgroundColor`)); paper != "rgb(20, 24, 28)" {
		d.Errorf("in the dark the page is %s", paper)
	}
	b.screenshot("page-dark.png")

	b.dark(false)
	b.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	b.shows(page, outsideClient)
	if wide := ask(b, chromedp.Evaluate[int](`document.documentElement.scrollWidth`)); wide > 390 {
		d.Errorf("on a phone 390 wide the page has a width of %d", wide)
	}
	b.screenshot("page-phone.png")
	b.wantQuiet(d.admin.String())
	b.liveHead(page)
}

// filter fills in the form as a hand does, sends it, and waits for a text.
func (b *browser) filter(client, reason, want string) {
	b.Helper()
	b.do(chromedp.Clear("#f-client"), chromedp.SendKeys("#f-client", client), chromedp.SetValue("#f-reason", reason),
		chromedp.KeyEvent(kb.Enter))
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		found, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](fmt.Sprintf(`location.search.includes(encodeURIComponent(%q)) && document.body.innerText.includes(%q)`, client, want)))
		if err == nil && found {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("filtered by %s and %s, the page does not show %q: %v", client, reason, want, err)
		}
	}
}

// dark has the browser say whether dark pages are preferred.
func (b *browser) dark(yes bool) {
	b.Helper()
	var p emulation.SetEmulatedMediaParams
	if yes {
		p.Features = []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}
	}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, p); err != nil {
		b.Fatal(err)
	}
}

// wantVerdictOf waits for the verdict on what a client brought.
func (d *desk) wantVerdictOf(client string) (found struct{ ID string }) {
	d.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		verdicts, err := d.daemon.Verdicts()
		if err != nil {
			d.Fatal(err)
		}
		for _, v := range verdicts {
			if v.Client == client {
				time.Sleep(200 * time.Millisecond) // the journal takes a moment
				return struct{ ID string }{v.ID}
			}
		}
		if time.Now().After(deadline) {
			d.Fatalf("no verdict on mail from %s", client)
		}
	}
}

// browser is a Chromium and what it has complained about and asked for.
type browser struct {
	*desk
	ctx context.Context

	mu         sync.Mutex
	complaints []string
	asked      []string
}

// do has the browser do things.
func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.Fatalf("in the browser: %v", err)
	}
}

// ask has the browser do something that has a result.
func ask[T any](b *browser, action chromedp.Action[T]) T {
	b.Helper()
	result, err := chromedp.Run(b.ctx, action)
	if err != nil {
		b.Fatalf("in the browser: %v", err)
	}
	return result
}

// shows opens a page until it shows a text and its script has run.
func (b *browser) shows(page, text string) {
	b.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		b.do(chromedp.Navigate(page))
		if ask(b, chromedp.Evaluate[bool](fmt.Sprintf(`document.body.innerText.includes(%q) && !document.querySelector(".refresh").hidden`, text))) {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("%s does not show %q", page, text)
		}
	}
}

// visible waits until a text is to be seen.
func (*browser) visible(text string) chromedp.Action[chromedp.Void] {
	return chromedp.Poll[chromedp.Void](fmt.Sprintf(`document.body.innerText.includes(%q)`, text), chromedp.WithPollingTimeout(5*time.Second))
}

// maxScreenshot is how large a screenshot may be, in octets.
const maxScreenshot = 200 << 10

// screenshot takes a picture. It is kept in the folder BACKSCATTER_E2E_SCREENSHOTS,
// if that is set.
func (b *browser) screenshot(name string) {
	b.Helper()
	png := ask(b, chromedp.CaptureScreenshot())
	if len(png) < 5000 || len(png) > maxScreenshot {
		b.Errorf("%s has %d octets", name, len(png))
	}
	if dir := os.Getenv("BACKSCATTER_E2E_SCREENSHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name), png, 0o644); err != nil {
			b.Error(err)
		}
	}
}

// listen keeps what the browser complains about and asks for.
func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, fmt.Sprintf("%+v", e.ExceptionDetails))
	case *cdplog.EventEntryAdded:
		b.complaints = append(b.complaints, e.Entry.Text+" "+e.Entry.URL)
	case *network.EventRequestWillBeSent:
		b.asked = append(b.asked, e.Request.URL)
	}
}

// wantQuiet wants no complaint, such as one about the page's policy, and no
// request but to the daemon.
func (b *browser) wantQuiet(admin string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.complaints {
		b.Errorf("the browser complains: %s", c)
	}
	for _, url := range b.asked {
		if !strings.HasPrefix(url, "http://"+admin+"/") {
			b.Errorf("the page asks for %s", url)
		}
	}
	if len(b.asked) < 9 {
		b.Errorf("only %d requests were seen", len(b.asked))
	}
}

// judgedForAWeek writes a journal with notifications of seven days.
func judgedForAWeek(t *testing.T, state string) {
	db, err := store.Open(filepath.Join(state, "state.db"), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(journal.Options{Store: journal.File(db), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	kinds := []journal.Entry{
		{Action: "accept", Reason: "tag-valid", Class: "dsn", Origin: "tag", Evidence: "tag=valid key=3 days-left=7"},
		{Action: "reject", Reason: "tag-missing", Class: "bounce", Origin: "unknown", Evidence: "tag=missing class=subject,body origin=unknown"},
		{Action: "reject", Reason: "origin-foreign", Class: "dsn", Origin: "foreign", Evidence: "tag=missing class=content-type origin=foreign"},
		{Action: "mark", Reason: "auto-reply", Class: "auto-reply", Origin: "unknown", Evidence: "tag=missing class=auto-submitted origin=unknown"},
		{Action: "accept", Reason: "origin-proven", Class: "dsn", Origin: "dkim", Evidence: "tag=missing class=content-type origin=dkim,ledger"},
		{Action: "tempfail", Reason: "many-recipients", Class: "unknown", Origin: "unknown", Evidence: "tag=missing"},
		{Action: "accept", Reason: "receipt", Class: "receipt", Origin: "unknown", Evidence: "tag=missing class=content-type"},
	}
	now := time.Now()
	for minutes := 7 * 24 * 60; minutes > 10; minutes -= 7 + minutes%13 {
		e := kinds[minutes*7919%len(kinds)]
		if minutes/600%5 == 2 {
			e = kinds[1+minutes%2] // a wave
		}
		e.At = now.Add(-time.Duration(minutes) * time.Minute)
		e.ID, e.QueueID = fmt.Sprintf("MWQX1K2P-%X", 100000-minutes), fmt.Sprintf("4Tab%dz", minutes)
		e.Client = netip.AddrFrom4([4]byte{198, 51, 100, byte(minutes * 31 % 90)})
		if minutes%3 == 0 {
			e.Client = netip.AddrFrom4([4]byte{192, 0, 2, byte(minutes % 250)})
		}
		e.From, e.To = "<>", []string{[]string{alice, bob, "sales@example.com"}[minutes%3]}
		e.Stage, e.Enforced, e.Took = "eom", true, time.Duration(minutes%9)*time.Millisecond
		j.Add(e)
		if minutes%5 == 0 {
			j.Count(journal.EventOutgoing, "signed")
		}
	}
	j.Close()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
