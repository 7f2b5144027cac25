//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/mta"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/smtp"
)

// journey is the way of a site from before the package to after it: Postfix
// without a milter, installation, the lines that setup prints, bounces, what page,
// digest and replay make of them, an upgrade, removal.
func journey(t *testing.T) {
	d, i := openInstallation(t)
	d.number, d.admin = 27, netip.MustParseAddrPort("127.0.0.1:8896") // as shipped
	i.withoutMilter(d)
	d.want(d.bring(ownClient, alice, stranger, d.ordinary(alice, stranger)), "250")
	if delivery := d.claimFor(stranger); delivery.From.Address != alice {
		t.Errorf("signed without a milter: %s", delivery.From.Address)
	}

	i.install()
	i.configure("domains = [\"example.com\"]\ntrusted_networks = [\"127.0.0.0/8\", \"198.51.100.0/24\"]\n", fmt.Sprintf("[batv]\nprobe = %q\n", d.mta.Door(mta.Front)))
	i.start(nil)
	i.paste(i.run(installed, "setup", "postfix"))
	i.restartMTA(d)
	i.want(i.run(installed, "check"), "the daemon runs", "0 problems")

	tagged, sent := d.awaitSigned()
	messages := append(d.bouncesOfAllKinds(tagged), sent)
	i.digest()
	i.replayed(messages)
	b := d.openBrowser()
	b.wantDecisions(3, `refused tag-forged`, `marked tag-missing`, `accepted tag-valid`)
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("details[id^=d] > summary").focus()`), chromedp.KeyEvent(kb.Enter), b.visible("tag has a wrong signature"))

	i.stop()
	i.upgrade(d, tagged)
	i.start(nil)
	b.wantDecisions(4, `accepted tag-valid`, `refused tag-forged`, `marked tag-missing`)
	d.want(d.bring(outsideClient, "", changeSignature(tagged), d.bounce()), "550 5.7.1")
	i.stop()
	i.remove()
	i.edit("/etc/postfix/main.cf", func(text string) string {
		return regexp.MustCompile(`(?m)^(non_)?smtpd_milters =.*\n`).ReplaceAllString(text, "")
	})
	i.restartMTA(d)
	d.want(d.bring(outsideClient, "", tagged, d.bounce()), "250") // the maps that are left bring it home
	d.wantNoMark(d.claimFor(alice))
	d.settle()
}

// edit changes a file of the box.
func (i *installation) edit(path string, change func(string) string) {
	i.Helper()
	before := i.read(path)
	after := change(before)
	if after == before {
		i.Fatalf("nothing to change in %s:\n%s", path, before)
	}
	if err := i.box.Write(path, after, 0o644); err != nil {
		i.Fatal(err)
	}
}

// withoutMilter leaves of Postfix's configuration what a site has that never had
// a milter, with one door to the world.
func (i *installation) withoutMilter(d *desk) {
	i.edit("/etc/postfix/main.cf", func(text string) string {
		before, rest, _ := strings.Cut(text, "# The milter.\n")
		_, after, found := strings.Cut(rest, "# The other classes of addresses")
		if !found || strings.Contains(before+after, "milter") || strings.Contains(before+after, "untag") {
			i.Fatalf("main.cf does not come apart as it should:\n%s", text)
		}
		return before + "virtual_alias_maps = hash:/etc/postfix/virtual\n#" + after
	})
	i.edit("/etc/postfix/master.cf", func(text string) string {
		var kept strings.Builder
		keep := true
		for line := range strings.Lines(text) {
			if name, _, _ := strings.Cut(line, " "); name != "" {
				keep = name == d.mta.Door(mta.Front) || !strings.Contains(name, ":") && !strings.HasPrefix(name, "cleanup-")
			}
			if keep {
				kept.WriteString(line)
			}
		}
		return kept.String()
	})
	for _, table := range []string{"untag", "untag-any", "plain", "bare", "local", "none", "known"} {
		i.run("/bin/rm", "/etc/postfix/"+table+".re")
	}
	i.restartMTA(d)
}

// paste does with what setup prints as an administrator does: a line that names a
// file says where the lines below it go.
func (i *installation) paste(printed string) {
	i.Helper()
	file := regexp.MustCompile(`^# (main\.cf|/etc/postfix/\S+)\n$`)
	contents := map[string]string{}
	path := ""
	for line := range strings.Lines(printed) {
		if named := file.FindStringSubmatch(line); named != nil {
			path = "/etc/postfix/" + strings.TrimPrefix(named[1], "/etc/postfix/")
		} else if path != "" {
			contents[path] += line
		}
	}
	if len(contents) < 6 {
		i.Fatalf("lines for %d files only:\n%s", len(contents), printed)
	}
	for path, lines := range contents {
		if path == "/etc/postfix/main.cf" { // untagged_alias_maps has what this was
			lines = strings.Replace(i.read(path), "\nvirtual_alias_maps = hash:/etc/postfix/virtual\n", "\n", 1) + lines
		}
		if err := i.box.Write(path, lines, 0o644); err != nil {
			i.Fatal(err)
		}
	}
}

// restartMTA has Postfix use what its files now say.
func (i *installation) restartMTA(d *desk) {
	i.Helper()
	if err := d.mta.(interface{ Restart() error }).Restart(); err != nil {
		i.Fatal(err)
	}
}

// bring brings one message to one recipient and hangs up, since the daemon waits
// for transactions when it is stopped.
func (d *desk) bring(client, from, to, message string) smtp.Reply {
	d.Helper()
	c := d.connect(client)
	defer c.Close()
	return firstRefusal(c, from, to, message)
}

// awaitSigned sends mail until it is signed, which it is once Postfix has been
// found to know tagged recipients. It returns the reverse-path, and what was
// delivered.
func (d *desk) awaitSigned() (tagged, delivered string) {
	d.Helper()
	for deadline := time.Now().Add(arrival); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		d.want(d.bring(ownClient, alice, stranger, d.ordinary(alice, stranger)), "250")
		if delivery := d.claimFor(stranger); delivery.From.Address != alice {
			return delivery.From.Address, "Return-Path: <" + delivery.From.Address + ">\r\nDelivered-To: " + stranger + "\r\n" + delivery.Data
		}
	}
	d.Fatal("mail is not signed")
	return "", ""
}

// bouncesOfAllKinds brings a genuine bounce, one without a tag, a forged one, and
// one to a user who does not exist. It returns those that were delivered, as they
// lie in a mailbox.
func (d *desk) bouncesOfAllKinds(tagged string) (delivered []string) {
	d.Helper()
	for _, bounce := range []struct{ to, action, reason, origin string }{
		{tagged, "accept", "tag-valid", "tag"},
		{alice, "mark", "tag-missing", "unknown"},
	} {
		d.want(d.bring(outsideClient, "", bounce.to, d.bounce()), "250")
		delivery := d.claimFor(alice)
		d.wantMark(delivery, bounce.action, bounce.reason, bounce.origin)
		delivered = append(delivered, "Return-Path: <>\r\nDelivered-To: "+alice+"\r\n"+delivery.Data)
	}
	d.want(d.bring(outsideClient, "", strings.Replace(tagged, alice, nobody, 1), d.bounce()), "550 5.1.1")
	d.want(d.bring(outsideClient, "", changeSignature(tagged), d.bounce()), "550 5.7.1")
	return delivered
}

// digest wants the report to tell of the bounces that came.
func (i *installation) digest() {
	i.Helper()
	want := []string{": 1 of 3 notifications refused", "tag-forged  1", "tag-missing  1", "  tag  1", "from " + outsideClient, "example.com  not strict: "}
	var text string
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(100 * time.Millisecond) { // the journal takes a moment
		if text = i.run(installed, "report"); strings.Contains(text, want[0]) || time.Now().After(deadline) {
			break
		}
	}
	i.want(text, want...)
}

// replayed puts a genuine bounce, one without a tag, and an ordinary message into
// a maildir, and asks what would become of them once the domain is strict.
func (i *installation) replayed(messages []string) {
	i.Helper()
	const maildir = "/home/alice/Maildir"
	for n, message := range messages {
		if err := i.box.Write(fmt.Sprintf("%s/cur/%d.mx:2,S", maildir, n), message, 0o644); err != nil {
			i.Fatal(err)
		}
	}
	i.run("/bin/mkdir", maildir+"/new", maildir+"/tmp")
	i.want(i.run(installed, "replay", maildir), "3 messages", "2 judged", "0 could not be read")
	text := i.run(installed, "replay", "--strict", maildir)
	i.want(text, maildir+"/cur/1.mx:2,S: reject because of tag-missing: dsn, origin unknown, from <> to "+alice, "3 messages", "2 judged")
	if n := strings.Count(text, "because of"); n != 1 {
		i.Errorf("%d would be refused, want 1:\n%s", n, text)
	}
}

// wantDecisions waits until the page shows so many decisions, and wants patterns
// to match them, the newest first.
func (b *browser) wantDecisions(count int, patterns ...string) {
	b.Helper()
	var rows []string
	for deadline := time.Now().Add(10 * time.Second); len(rows) != count && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		b.shows("http://"+b.admin.String()+"/", outsideClient)
		rows = ask(b, chromedp.Evaluate[[]string](`[...document.querySelectorAll(".decisions summary")].map(s => s.innerText.replace(/\s+/g, " "))`))
	}
	if len(rows) != count {
		b.Fatalf("the page shows %d decisions, want %d: %q", len(rows), count, rows)
	}
	for n, pattern := range patterns {
		if !regexp.MustCompile(pattern).MatchString(rows[n]) {
			b.Errorf("decision %d on the page is %q, want %s", n, rows[n], pattern)
		}
	}
}
