//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/matrix"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/mta"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/smtp"
)

// runPackages installs the packages and has others' programs look at them.
func runPackages(t *testing.T, results *scoreboard) {
	run := func(name string, check func(*testing.T)) {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() { results.record(matrix.Cell{MTA: "package", Case: name}, t) })
			check(t)
		})
	}
	var checks *box.Box
	var err error
	var unpacking sync.WaitGroup
	unpacking.Go(func() { checks, err = box.New("checks", here.Packages["checks"]) }) // takes seconds
	var log string
	run("deb", func(t *testing.T) { log = installedLife(t) })
	run("journey", journey)
	unpacking.Wait()
	if err != nil {
		t.Fatal(err)
	}
	run("lintian", func(t *testing.T) { lintian(t, checks) })
	run("rpm", func(t *testing.T) { rpmContents(t, checks) })
	run("manual", func(t *testing.T) { manualPages(t, checks) })
	run("hardening", func(t *testing.T) { hardening(t, checks) })
	run("alerts", func(t *testing.T) { alertRules(t, checks) })
	run("fail2ban", func(t *testing.T) { fail2ban(t, checks, log) })
}

// A chrooted smtpd that finds the milter below the queue.
const chrootedDoor = "192.0.2.27:2537"

// installedLife installs, configures, upgrades, removes and purges the .deb beside
// Postfix, without systemd, and sends mail through it. It returns what the
// daemon has logged.
func installedLife(t *testing.T) string {
	d, i := openInstallation(t)
	i.install()
	tagged := i.firstMail(d)
	i.belowQueue(d)
	i.upgrade(d, tagged)
	i.remove()
	i.purge()
	i.again(d, tagged)
	d.settle()
	return i.log.String()
}

func openInstallation(t *testing.T) (*desk, *installation) {
	sinkAt := netip.MustParseAddrPort("192.0.2.127:25")
	sink, err := smtp.ListenSink(sinkAt, mta.Domain)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.Close)
	b, err := box.New("package", here.Packages["postfix"])
	if err != nil {
		t.Fatal(err)
	}
	// Where the packaged configuration has the milter.
	server, err := mta.StartPostfix(b, mta.Site{Address: netip.MustParseAddr("192.0.2.27"), Milter: netip.MustParseAddrPort("127.0.0.1:8895"), Sink: sinkAt})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	d := &desk{T: t, site: &site{mta: server, sink: sink, sinkAt: sinkAt}, token: fmt.Sprintf("e2e-package-%d", time.Now().UnixNano())}
	i := openDpkg(t, b)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("SMTP dialogue:\n%s\nlog of the daemon:\n%s\nlog of Postfix:\n%s", d.transcript.String(), i.log.String(), server.Log(0))
		}
	})
	return d, i
}

// want wants an output to have words.
func (i *installation) want(output string, words ...string) {
	i.Helper()
	for _, w := range words {
		if !strings.Contains(output, w) {
			i.Errorf("%q is not in:\n%s", w, output)
		}
	}
}

// install leaves the MTA alone and the service enabled.
func (i *installation) install() {
	before := i.read("/etc/postfix/main.cf") + i.read("/etc/postfix/master.cf")
	printed := i.dpkg("-i", copyIn(i.T, i.box, here.Built.Deb))
	i.want(printed, "your MTA's configuration has not been changed", "backscatter-milter setup postfix")
	if i.read("/etc/postfix/main.cf")+i.read("/etc/postfix/master.cf") != before {
		i.Error("Postfix's configuration has been changed")
	}
	i.wantOwned(stateFolder, 0o700, serviceUser, serviceUser)
	i.wantOwned(configFile, 0o640, "root", serviceUser)
	if !i.there("/etc/systemd/system/multi-user.target.wants/backscatter-milter.service") {
		i.Error("the service is not enabled")
	}
	if i.there("/etc/systemd/system/sockets.target.wants/backscatter-milter.socket") {
		i.Error("the socket is enabled: the setting listen would not be used")
	}
	if i.there(mailedDigest) {
		i.Error("the digest is mailed though nobody has asked for it")
	}
	for _, path := range []string{
		"/usr/share/man/man8/backscatter-milter.8.gz", "/usr/share/man/man5/backscatter-milter.toml.5.gz",
		"/usr/share/bash-completion/completions/backscatter-milter", "/usr/share/zsh/vendor-completions/_backscatter-milter",
		"/usr/share/fish/vendor_completions.d/backscatter-milter.fish",
		"/usr/lib/sysusers.d/backscatter-milter.conf", "/usr/lib/tmpfiles.d/backscatter-milter.conf",
		"/usr/share/doc/backscatter-milter/copyright", "/usr/share/doc/backscatter-milter/README.md",
		"/usr/share/doc/backscatter-milter/examples/grafana/backscatter-milter.json",
	} {
		if !i.there(path) {
			i.Errorf("no %s", path)
		}
	}
	i.wantLinks()
	i.want(i.run(installed, "setup", "postfix"), "smtpd_milters = inet:127.0.0.1:8895")
}

// mailedDigest is there where the timer of the digest is enabled.
const mailedDigest = "/etc/systemd/system/timers.target.wants/backscatter-milter-report.timer"

// wantLinks wants what is installed to be where the installed texts have it.
func (i *installation) wantLinks() {
	i.Helper()
	folder, links := i.box.Path("/usr/share/doc/backscatter-milter"), 0
	err := filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".md" {
			return err
		}
		text, err := os.ReadFile(path)
		for _, link := range regexp.MustCompile(`\]\(([^):#]+)(#[^)]*)?\)`).FindAllStringSubmatch(string(text), -1) {
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), link[1])); err != nil {
				i.Errorf("%s: %v", path, err)
			}
		}
		return err
	})
	if err != nil || links < 20 {
		i.Errorf("%d links, %v", links, err)
	}
}

// firstMail starts the service as packaged, which makes the keys and lets mail
// pass, then configures it and reloads it as the unit does. It returns a tagged
// address.
func (i *installation) firstMail(d *desk) string {
	i.start(nil)
	i.wantOwned(stateFolder+"/keys.toml", 0o600, serviceUser, serviceUser)
	d.send(d.connect(outsideClient), "", alice, d.bounce())
	d.wantNoMark(d.claimFor(alice)) // no domain of ours is known yet

	i.configure("domains = [\"example.com\"]\nnever_sends = [\"bob@example.com\"]\ntrusted_networks = [\"198.51.100.0/24\"]\nstage = \"rcpt\"\n",
		"[batv]\nsign = true\n[policy]\ntag-missing = \"reject\"\n")
	reload := i.asService(i.unit("ExecReload"))
	if out, err := reload.CombinedOutput(); err != nil {
		i.Fatalf("reload: %v\n%s", err, out)
	}
	tagged := strings.TrimSpace(i.run(installed, "sign", alice))
	client := d.connect(outsideClient)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(alice), "550 5.7.1")
	d.want(client.Rcpt(bob), "550 5.7.1")
	client.Close()
	d.send(d.connect(outsideClient), "", tagged, d.bounce())
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	d.send(d.connect(ownClient), alice, stranger, d.ordinary(alice, stranger))
	if delivery := d.claimFor(stranger); delivery.From.Address != tagged {
		i.Errorf("the reverse-path is %s, want %s", delivery.From.Address, tagged)
	}
	return tagged
}

// configure writes what an administrator would, keeping owner and mode.
func (i *installation) configure(top, tables string) {
	if err := os.WriteFile(i.box.Path(configFile), []byte("# ours\n"+top+"dnsbl = []\n"+tables), 0); err != nil {
		i.Fatal(err)
	}
}

// belowQueue has the service take over a socket below Postfix's queue, where a
// chrooted smtpd and cleanup find it, as the socket unit explains.
func (i *installation) belowQueue(d *desk) {
	i.stop()
	i.start(i.listenBelowQueue())
	i.run("/usr/sbin/postconf", "-Me", chrootedDoor+"/inet="+chrootedDoor+" inet n - y - - smtpd -o smtpd_milters=unix:backscatter-milter/milter.sock")
	master, err := strconv.Atoi(strings.TrimSpace(i.read("/var/spool/postfix/pid/master.pid")))
	if err != nil {
		i.Fatal(err)
	}
	if err := syscall.Kill(master, syscall.SIGHUP); err != nil {
		i.Fatal(err)
	}
	var client *smtp.Client
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if client, err = smtp.Dial(outsideClient, chrootedDoor, &d.transcript); err == nil {
			break
		}
		if time.Now().After(deadline) {
			i.Fatal(err)
		}
	}
	d.want(client.Hello(), "250")
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(alice), "550 5.7.1")
	client.Close()
	i.stop()
}

// upgrade leaves configuration, keys and record as they are.
func (i *installation) upgrade(d *desk, tagged string) {
	config, keys := i.read(configFile), i.read(stateFolder+"/keys.toml")
	old := i.run("/usr/bin/dpkg-query", "-W", "-f", "${Version}", "backscatter-milter")
	printed := i.dpkg("-i", copyIn(i.T, i.box, here.Built.NewDeb))
	if strings.Contains(printed, "has not been changed") || strings.Contains(printed, "two things are left") {
		i.Errorf("an upgrade speaks as an installation or a removal does:\n%s", printed)
	}
	version := i.run("/usr/bin/dpkg-query", "-W", "-f", "${Version} ${Status}", "backscatter-milter")
	if old != "1.0.0-1" || version != "1.0.0+1.g0123456-1 install ok installed" {
		i.Errorf("from %s to %s", old, version)
	}
	if i.read(configFile) != config || i.read(stateFolder+"/keys.toml") != keys || !i.there(stateFolder+"/state.db") {
		i.Error("configuration, keys or record are not what they were")
	}
	i.wantOwned(configFile, 0o640, "root", serviceUser)
	i.start(nil)
	d.send(d.connect(outsideClient), "", tagged, d.bounce())
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	i.stop()
}

// remove leaves configuration and state, and says what is to be done.
func (i *installation) remove() {
	i.run("/usr/bin/systemctl", "enable", "backscatter-milter-report.timer")
	if !i.there(mailedDigest) {
		i.Error("the timer of the digest cannot be enabled")
	}
	i.want(i.dpkg("-r", "backscatter-milter"), "take the milter out", "mail signed in the last ten days", "Leave the lines that take tags off")
	if i.there(installed) || i.there(unitFile) {
		i.Error("the program is still there")
	}
	if !i.there(configFile) || !i.there(stateFolder+"/keys.toml") {
		i.Error("configuration or keys are gone")
	}
}

// purge leaves the keys, and says until when they are worth something.
func (i *installation) purge() {
	keys := i.read(stateFolder + "/keys.toml")
	i.want(i.dpkg("-P", "backscatter-milter"), stateFolder+" is kept", "ten days")
	if i.there(filepath.Dir(configFile)) {
		i.Error("the configuration is still there")
	}
	if i.read(stateFolder+"/keys.toml") != keys || !i.there(stateFolder+"/state.db") {
		i.Error("keys or record are not what they were")
	}
	for _, name := range []string{"/etc/systemd/system/multi-user.target.wants/backscatter-milter.service", "/etc/systemd/system/backscatter-milter.service", mailedDigest} {
		if i.there(name) {
			i.Errorf("systemd still has %s", name)
		}
	}
}

// again installs on a machine that has no systemd at all, and finds the keys
// that were left.
func (i *installation) again(d *desk, tagged string) {
	if err := os.RemoveAll(i.box.Path("/usr/bin/systemd-sysusers")); err != nil {
		i.Fatal(err)
	}
	for _, file := range []string{"passwd", "group", "shadow", "gshadow"} {
		path := i.box.Path("/etc/" + file)
		var kept []string
		for line := range strings.Lines(i.read("/etc/" + file)) {
			if !strings.HasPrefix(line, serviceUser+":") {
				kept = append(kept, line)
			}
		}
		if err := os.WriteFile(path, []byte(strings.Join(kept, "")), 0o600); err != nil {
			i.Fatal(err)
		}
	}
	i.dpkg("-i", copyIn(i.T, i.box, here.Built.Deb))
	i.wantOwned(configFile, 0o640, "root", serviceUser)
	i.wantOwned(stateFolder, 0o700, serviceUser, serviceUser)
	i.configure("domains = [\"example.com\"]\nnever_sends = [\"bob@example.com\"]\nstage = \"rcpt\"\n", "[log]\nformat = \"json\"\n")
	i.start(nil)
	d.send(d.connect(outsideClient), "", tagged, d.bounce())
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	client := d.connect("203.0.113.9")
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(bob), "550 5.7.1")
	client.Close()
	i.stop()
	i.dpkg("-P", "backscatter-milter")
}
