package config

import (
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestDefaults says each default once more, by hand, so that none changes
// unseen.
func TestDefaults(t *testing.T) {
	c, err := Parse("empty.toml", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c, Default()) {
		t.Errorf("an empty file differs from Default:\n%+v\n%+v", c, Default())
	}
	want := &Config{
		Listen:             []Listener{{"tcp4", "127.0.0.1:8895"}},
		Mode:               "enforce",
		Stage:              "auto",
		TrustedNetworks:    Networks{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		OriginatingDaemons: []string{"ORIGINATING", "MSA"},
		Store:              "state.db",
		SocketMode:         fs.FileMode(0o660),
		MaxConnections:     4096,
		BATV: BATV{Sign: "auto", Probe: "127.0.0.1:25", Layout: "auto", Delimiter: "+", Keys: "keys.toml",
			Lifetime: 240 * time.Hour},
		Classify: Classify{Memos: true, MaxBody: 262144},
		DNSBL: []Zone{{Name: "ips.backscatterer.org", Codes: []netip.Addr{netip.MustParseAddr("127.0.0.2")},
			Timeout: 2 * time.Second}},
		Origin: Origin{Ledger: 504 * time.Hour, DKIM: true},
		Flood: Flood{Threshold: 400, Window: 2 * time.Minute, RecipientThreshold: 50, RecipientWindow: 10 * time.Minute,
			Block: 15 * time.Minute, MaxBlock: 4 * time.Hour, Surge: 200, ProvenAlarm: 100},
		Admin: Admin{Listen: "127.0.0.1:8896", Control: "control.sock"},
		Log:   Log{Level: slog.LevelInfo, Format: "text", Privacy: "full"},
	}
	want.Exempt.Recipients = c.Exempt.Recipients
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	if got := c.Exempt.Recipients.String(); got != "postmaster@*, abuse@*" {
		t.Errorf("exempt recipients %s", got)
	}
}

// TestLoadBadConfigs loads each testdata/bad/NAME.toml and compares what is
// said with NAME.txt, where files are named without their folder.
func TestLoadBadConfigs(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".toml")
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(strings.TrimSuffix(file, ".toml") + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			c, err := Load(file)
			if err == nil {
				t.Fatalf("no mistake found in it: %+v", c)
			}
			got := strings.ReplaceAll(err.Error(), filepath.Dir(file)+"/", "") + "\n"
			if got != string(want) {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			checkErrors(t, err)
		})
	}
}

// checkErrors looks at the form of the errors.
func checkErrors(t *testing.T, err error) {
	t.Helper()
	var list Errors
	if !errors.As(err, &list) || len(list) == 0 {
		t.Fatalf("%T, not Errors", err)
	}
	var first *Error
	if !errors.As(err, &first) || first != list[0] {
		t.Errorf("errors.As gives %v", first)
	}
	for _, e := range list {
		if e.File == "" || e.Line < 1 || e.Want == "" || strings.ContainsAny(e.Error(), "\n\x1b") {
			t.Errorf("%#v", e)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "ours", "\ufeff# ours\r\nexample.com\r\n\r\n *.example.net # all of them\r\nBücher.example\n")
	path := write(t, dir, "config.toml", "\ufeffmode = \"monitor\"\r\ndomains = [\"example.org\", \"file:ours\", \"file:"+dir+"/ours\"]\r\n"+
		"[origin]\r\ndkim_keys = { \"s1._domainkey.example.com\" = \"s1.txt\", \"s2._domainkey.example.com\" = \"/s2.txt\" }\r\n")
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	const ours = "example.com, *.example.net, xn--bcher-kva.example"
	if got, want := c.Domains.String(), "example.org, "+ours+", "+ours; got != want {
		t.Errorf("domains %s, want %s", got, want)
	}
	if got, want := c.Origin.DKIMKeys, (map[string]string{"s1._domainkey.example.com": filepath.Join(dir, "s1.txt"), "s2._domainkey.example.com": "/s2.txt"}); !reflect.DeepEqual(got, want) {
		t.Errorf("DKIM keys %v, want %v", got, want)
	}
	if c.Mode != ModeMonitor {
		t.Errorf("mode %s", c.Mode)
	}
}

func TestLoadUnreadable(t *testing.T) {
	dir := t.TempDir()
	_, err := Load(filepath.Join(dir, "none.toml"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "none.toml") {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err = Load(dir); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a folder: %v", err)
	}
	big := write(t, dir, "big.toml", strings.Repeat("#", maxFile+1))
	if _, err = Load(big); err == nil || !strings.Contains(err.Error(), "larger than 4 MiB") {
		t.Errorf("a large file: %v", err)
	}
}

// TestDomainFileManyFails has a file that is no list at all.
func TestDomainFileManyFails(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "list", strings.Repeat("no domain\n", 1000))
	_, err := Parse(filepath.Join(dir, "config.toml"), []byte("mode = 1\ndomains = ['file:list']\n[log]\nlevel = 1\n"))
	var list Errors
	if !errors.As(err, &list) || len(list) != 2+maxDomainFails+1 {
		t.Fatalf("%v", err)
	}
	if list[1].File != filepath.Join(dir, "list") || list[1].Line != 1 || list[20].Line != 20 {
		t.Errorf("%v\n%v", list[1], list[20])
	}
	if want := "1000 lines are wrong, the first 20 shown"; !strings.Contains(list[21].Want, want) || list[21].Line != 2 {
		t.Errorf("%v", list[21])
	}
}

// TestSecretsStayHidden puts secrets where mistakes would show them.
func TestSecretsStayHidden(t *testing.T) {
	for _, text := range []string{
		"[admin]\ntoken = 'hunter2'",
		"[admin]\ntoken = ['hunter2']",
		"[admin]\ntoken = hunter2",
		"[admin]\ntoken = \"hunter2",
		"[admin]\ntoken = ''\ntoken = 'hunter2'",
		"admin = {token = hunter2}",
		"admin = [{token = 'hunter2'}]",
		"[admin]\ntoken.x = 'hunter2'",
		"[admin]\ntokens = 'hunter2'",
		"store = 'redis://u:hunter2@host:x'",
		"store = 'http://u:hunter2@host'",
		"store = ['redis://u:hunter2@host']",
		"store = redis://u:hunter2@host",
		"store = 'a'\nstore = 'redis://u:hunter2@host'",
	} {
		_, err := Parse("c.toml", []byte(text))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s\ngives %v", text, err)
		}
	}
}

func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
