//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
)

// checkers are the packages of those who look at ours.
func checkers() []string {
	return []string{"lintian", "mandoc", "systemd", "fail2ban", "rpm", "prometheus"}
}

// output runs a program of a box and returns what it prints, and how it ended.
func output(b *box.Box, path string, args ...string) (string, error) {
	cmd := b.Command(path, args...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// lintian has nothing to say of the .deb that is not overridden with a reason.
func lintian(t *testing.T, b *box.Box) {
	out, err := output(b, "/usr/bin/lintian", "--allow-root", "--display-info", "--fail-on", "error,warning,info", copyIn(t, b, here.Built.Deb))
	if err != nil || strings.TrimSpace(out) != "" {
		t.Errorf("%v\n%s", err, out)
	}
}

// rpmContents wants in the .rpm what is in the .deb, but for what only one of
// the systems has.
func rpmContents(t *testing.T, b *box.Box) {
	rpm := copyIn(t, b, here.Built.RPM)
	query := func(args ...string) string {
		out, err := output(b, "/usr/bin/rpm", append(append([]string{"--query", "--package"}, args...), rpm)...)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return out
	}
	deb, err := output(b, "/bin/sh", "-c", "dpkg-deb --fsys-tarfile "+copyIn(t, b, here.Built.Deb)+" | tar -t")
	if err != nil {
		t.Fatalf("%v\n%s", err, deb)
	}
	files := strings.Fields(query("--list"))
	for path := range strings.FieldsSeq(deb) {
		path = strings.Replace(strings.TrimPrefix(path, "."), "vendor-completions", "site-functions", 1)
		if strings.HasSuffix(path, "/") || strings.Contains(path, "/lintian/") || strings.HasSuffix(path, "/copyright") || strings.HasSuffix(path, "/changelog.Debian.gz") {
			continue
		}
		if !slices.Contains(files, path) {
			t.Errorf("%s is in the .deb only", path)
		}
	}
	if !slices.Contains(files, "/usr/share/licenses/backscatter-milter/LICENSE") { // its README has a link there
		t.Error("no licence")
	}
	if config := strings.TrimSpace(query("--configfiles")); config != configFile {
		t.Errorf("configuration files: %s", config)
	}
	scripts := query("--scripts")
	for _, want := range []string{"postinstall scriptlet", "preuninstall scriptlet", "postuninstall scriptlet", "has not been changed", "mail signed in the last ten days", "The keys stay in", "systemctl disable backscatter-milter-report.timer ", "systemctl stop backscatter-milter-report.timer "} {
		if !strings.Contains(scripts, want) {
			t.Errorf("scripts without %q:\n%s", want, scripts)
		}
	}
	flags := query("--queryformat", "[%{FILENAMES} %{FILEFLAGS:fflags}\n]%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH} %{LICENSE}\n")
	if !regexp.MustCompile(`(?m)^`+configFile+` cn$`).MatchString(flags) || !strings.Contains(flags, "\nbackscatter-milter-1.0.0-1.x86_64 BSD-2-Clause\n") && !strings.Contains(flags, ".aarch64 ") {
		t.Errorf("flags and name:\n%s", flags)
	}
	if out, err := output(b, "/usr/bin/rpm", "--checksig", "--nosignature", rpm); err != nil || !strings.Contains(out, "digests OK") {
		t.Errorf("%v\n%s", err, out)
	}
}

// manualPages has mandoc read the pages as they are packaged.
func manualPages(t *testing.T, b *box.Box) {
	unpack(t, b)
	for page, words := range map[string][]string{
		"man8/backscatter-milter.8":      {"backscatter-milter keys rotate [OPTION...]", "EXIT STATUS"},
		"man5/backscatter-milter.toml.5": {"max_connections (default: 4096)", "domain.policy.REASON"},
	} {
		read := "zcat /unpacked/usr/share/man/" + page + ".gz | mandoc -T "
		if out, err := output(b, "/bin/sh", "-c", read+"lint"); err != nil || out != "" {
			t.Errorf("%s: %v\n%s", page, err, out)
		}
		out, err := output(b, "/bin/sh", "-c", read+"ascii")
		text := regexp.MustCompile(".\b").ReplaceAllString(out, "") // bold is struck over
		for _, want := range words {
			if err != nil || !strings.Contains(text, want) {
				t.Errorf("%s: %v: no %q in it", page, err, want)
			}
		}
	}
}

func unpack(t *testing.T, b *box.Box) {
	t.Helper()
	if out, err := output(b, "/usr/bin/dpkg-deb", "-x", copyIn(t, b, here.Built.Deb), "/unpacked"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// hardening wants systemd to understand the units, and to rate the exposure of
// the service no higher than 1.5; of the digest, which sendmail(1) keeps from much,
// no higher than 5.5.
func hardening(t *testing.T, b *box.Box) {
	i := openDpkg(t, b)
	i.dpkg("-i", copyIn(t, b, here.Built.Deb))
	unit := func(name string) string { return filepath.Join(filepath.Dir(unitFile), "backscatter-milter"+name) }
	if out, err := output(b, "/usr/bin/systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unitFile, unit(".socket"), unit("-report.service"), unit("-report.timer")); err != nil || out != "" {
		t.Errorf("%v\n%s", err, out)
	}
	for name, threshold := range map[string]string{".service": "15", "-report.service": "55"} {
		out, err := output(b, "/usr/bin/systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+threshold, unit(name))
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		exposure := regexp.MustCompile(`Overall exposure level for backscatter-milter` + name + `: \S+`).FindString(out)
		if exposure == "" {
			t.Errorf("no exposure in:\n%s", out)
		}
		t.Log(exposure)
	}
	if !strings.Contains(i.read(unit("-report.service")), "\nStateDirectoryMode=0700\n") { // systemd changes the mode at each start
		t.Error("the digest opens the state folder to all")
	}
	if own := deafToGroups.FindString(i.read(unit("-report.service"))); own != "" {
		t.Errorf("the digest has %s: sendmail(1) could not hand it over", own)
	}
	for _, program := range []string{"/usr/bin/systemd-sysusers", "/usr/bin/systemd-tmpfiles"} {
		args := []string{"--dry-run", "backscatter-milter.conf"}
		if strings.HasSuffix(program, "tmpfiles") { // it has no dry run
			args = []string{"--create", "backscatter-milter.conf"}
		}
		if out, err := output(b, program, args...); err != nil {
			t.Errorf("%s: %v\n%s", program, err, out)
		}
	}
}

// deafToGroups are the settings by which a program of a group, as postdrop(1) is,
// does not get its rights: NoNewPrivileges and what implies it (systemd.exec(5)),
// and a name space without the group.
var deafToGroups = regexp.MustCompile(`(?m)^(NoNewPrivileges|DynamicUser|LockPersonality|MemoryDenyWriteExecute|Private(Devices|Users)|` +
	`Protect(Clock|Hostname|Kernel\w+)|Restrict\w+|SystemCall\w+)=`)

// alertRules has Prometheus read the rules and the scrape configuration, and try
// each rule on what a daemon that was just started counts.
func alertRules(t *testing.T, b *box.Box) {
	unpack(t, b)
	folder := "/unpacked/usr/share/doc/backscatter-milter/examples/prometheus/"
	for _, args := range [][]string{
		{"check", "rules", folder + "alerts.yml"},
		{"check", "config", "--syntax-only", folder + "prometheus.yml"},
	} {
		if out, err := output(b, "/usr/bin/promtool", args...); err != nil || !strings.Contains(out, "SUCCESS") {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
	trials, err := os.ReadFile("testdata/alerts.test.yml")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := output(b, "/bin/cat", folder+"alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, alert := range regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(rules, -1) {
		if !strings.Contains(string(trials), strings.TrimPrefix(alert[1], "BackscatterMilter")) {
			t.Errorf("%s is not tried", alert[1])
		}
	}
	if err := b.Write("/trials.yml", strings.Replace(string(trials), "[alerts.yml]", "["+folder+"alerts.yml]", 1), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := output(b, "/usr/bin/promtool", "test", "rules", "/trials.yml"); err != nil || !strings.Contains(out, "SUCCESS") {
		t.Errorf("%v\n%s", err, out)
	}
}

// fail2ban has the filter find the hosts to ban in lines that the daemon has
// written, and no others.
func fail2ban(t *testing.T, b *box.Box, log string) {
	unpack(t, b)
	data, err := output(b, "/bin/cat", "/unpacked/usr/share/doc/backscatter-milter/examples/fail2ban/filter.conf")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Write("/etc/fail2ban/filter.d/backscatter-milter.conf", data, 0o644); err != nil {
		t.Fatal(err)
	}
	matches := func(lines string) []string {
		if err := b.Write("/milter.log", lines, 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := output(b, "/usr/bin/fail2ban-regex", "--out", "ip", "/milter.log", "backscatter-milter")
		if err != nil && out != "" {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.Fields(out)
	}
	// Refused as never-sends: once in text, once in JSON. Refused as tag-missing,
	// which honest servers bring: more often.
	if strings.Count(log, "never-sends") != 2 || strings.Count(log, "tag-missing") < 2 {
		t.Fatalf("other lines than the test knows of:\n%s", log)
	}
	if got := matches(log); !slices.Equal(got, []string{outsideClient, "203.0.113.9"}) {
		t.Errorf("banned %q in\n%s", got, log)
	}
	// As journald keeps them, without a time.
	bare := regexp.MustCompile(`(?m)^time=\S+ |"time":"[^"]*",`).ReplaceAllString(log, "")
	if got := matches(bare); !slices.Equal(got, []string{outsideClient, "203.0.113.9"}) {
		t.Errorf("without times: banned %q", got)
	}
	// What a sender chooses bans nobody: a line within a line.
	harmless := strings.ReplaceAll(log, "never-sends", "tag-missing")
	const text = `level=INFO msg=verdict id=x qid=x client=198.51.100.66 from=<> to=x stage=rcpt action=reject reason=never-sends class=x origin=x evidence=x enforced=true `
	const object = `{"level":"INFO","msg":"verdict","id":"x","qid":"x","client":"198.51.100.66","from":"<>","to":"x","stage":"rcpt","action":"reject","reason":"never-sends","class":"x","origin":"x","evidence":"x","enforced":true}`
	for plain, hostile := range map[string]string{
		"to=alice@example.com":   "to=" + strconv.Quote(text),
		"to=bob@example.com":     "to=" + strconv.Quote(`" `+text),
		`"to":"bob@example.com"`: `"to":` + strconv.Quote(object),
	} {
		if !strings.Contains(harmless, plain) {
			t.Errorf("no %s in the log", plain)
		}
		harmless = strings.ReplaceAll(harmless, plain, hostile)
	}
	if got := matches(harmless); len(got) != 0 {
		t.Errorf("banned %q in\n%s", got, harmless)
	}
}
