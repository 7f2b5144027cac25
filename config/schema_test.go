package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// document gives a file that sets one key of the schema, with what else its
// table needs, and the line and the path that the key has in it.
func document(path, value string) (text string, line int, at string) {
	table, name, nested := strings.Cut(path, ".")
	switch {
	case !nested:
		return path + " = " + value + "\n", 1, path
	case !inRepeated(path):
		return "[" + table + "]\n" + name + " = " + value + "\n", 2, path
	}
	lines := []string{"[[" + table + "]]"}
	for _, need := range needed(table) {
		if need != name {
			lines = append(lines, need+" = "+another()[table+"."+need])
		}
	}
	lines = append(lines, name+" = "+value)
	return strings.Join(lines, "\n") + "\n", len(lines), table + "[0]." + name
}

func needed(table string) []string {
	return map[string][]string{"rule": {"header", "match", "class"}, "dnsbl": {"zone"}, "domain": {"name"}}[table]
}

// another gives for every key a value that is allowed and not the default.
func another() map[string]string {
	values := map[string]string{
		"listen":              `["unix:/run/milter.sock"]`,
		"mode":                `"monitor"`,
		"stage":               `"rcpt"`,
		"domains":             `["example.com"]`,
		"trusted_networks":    `["192.0.2.0/24"]`,
		"inbound_relays":      `["192.0.2.1"]`,
		"originating_daemons": `[]`,
		"null_like":           `["mailer-daemon"]`,
		"never_sends":         `["info@example.com"]`,
		"public_addresses":    `["192.0.2.25"]`,
		"our_relays":          `["mail.example.com"]`,
		"all_mail_here":       `true`,
		"store":               `"other.db"`,
		"socket_mode":         `"0666"`,
		"socket_group":        `"postfix"`,
		"max_connections":     `1`,
		"explain_url":         `"https://example.com/{reason}"`,

		"batv.sign": `true`, "batv.probe": `"[::1]:25"`, "batv.layout": `"prvs"`, "batv.delimiter": `"-"`,
		"batv.keys": `"/etc/keys.toml"`, "batv.lifetime": `"7d"`, "batv.unsigned_senders": `["a@example.com"]`,
		"batv.unsigned_destinations": `["example.net"]`,

		"classify.memos": `false`, "classify.max_body": `"1MiB"`,
		"rule.header": `"Subject"`, "rule.match": `"^x"`, "rule.class": `"list"`,
		"dnsbl.zone": `"bl.example.org"`, "dnsbl.codes": `["127.0.0.3"]`, "dnsbl.resolvers": `["192.0.2.53"]`,
		"dnsbl.timeout": `"1s"`, "dnsbl.ipv6": `true`,
		"origin.ledger": `"30d"`, "origin.dkim": `false`, "origin.resolvers": `["[::1]:53"]`,
		"origin.dkim_keys": `{"s._domainkey.example.com" = "key.txt"}`,

		"flood.threshold": `1000`, "flood.window": `"1m"`, "flood.recipient_threshold": `5`,
		"flood.recipient_window": `"1h"`, "flood.block": `"1h"`, "flood.max_block": `"1d"`, "flood.surge": `7`,
		"flood.proven_alarm": `10`,

		"domain.name": `"example.com"`, "domain.mode": `"off"`, "domain.all_mail_here": `false`,
		"domain.never_sends": `["@example.com"]`, "domain.batv.sign": `false`,
		"domain.batv.unsigned_senders":      `["a@example.com"]`,
		"domain.batv.unsigned_destinations": `["*.example.net"]`,

		"admin.listen": `""`, "admin.token": `"0123456789abcdef"`, "admin.control": `"/run/control"`,
		"log.level": `"debug"`, "log.format": `"json"`, "log.privacy": `"hash"`,
	}
	for _, table := range []string{"", "domain."} {
		values[table+"exempt.clients"] = `["192.0.2.1"]`
		values[table+"exempt.senders"] = `["a@example.com"]`
		values[table+"exempt.recipients"] = `["a@example.com"]`
		values[table+"exempt.headers"] = `{"X-Monitor" = "."}`
		for _, reason := range Reasons() {
			values[table+"policy."+reason] = `"discard"`
		}
	}
	return values
}

// TestEveryKey sets each key of the schema away from its default: that is
// taken.
func TestEveryKey(t *testing.T) {
	values := another()
	for _, path := range paths(schema()) {
		value, ok := values[path]
		if !ok {
			t.Errorf("%s: the test has no value for it", path)
			continue
		}
		text, _, _ := document(path, value)
		c, err := Parse("c.toml", []byte(text))
		if err != nil || reflect.DeepEqual(c, Default()) {
			t.Errorf("%s: error %v, or nothing changed", text, err)
		}
	}
	if len(values) != len(paths(schema())) {
		t.Errorf("%d values for %d keys", len(values), len(paths(schema())))
	}
}

// TestEveryKeyWrongType sets each key to a date, which none takes.
func TestEveryKeyWrongType(t *testing.T) {
	for _, path := range paths(schema()) {
		text, line, at := document(path, "2026-01-02")
		_, err := Parse("c.toml", []byte(text))
		var list Errors
		if !errors.As(err, &list) {
			t.Errorf("%s\ngives %v", text, err)
			continue
		}
		value := "a date or time"
		if path == "admin.token" {
			value = hidden
		}
		found := slices.ContainsFunc(list, func(e *Error) bool {
			return e.Line == line && e.Key == at && e.Value == value && len(e.Want) > 5
		})
		if !found || len(list) > 2 || len(list) == 2 && !inRepeated(path) {
			t.Errorf("%s\ngives %v", text, err)
		}
	}
}

// TestKeyLists holds the lists of keys to the schema.
func TestKeyLists(t *testing.T) {
	all := paths(schema())
	for _, path := range restartKeys() {
		if !slices.Contains(all, path) {
			t.Errorf("%q is no key", path)
		}
	}
}

func TestReasons(t *testing.T) {
	want := "exempt tag-valid tag-forged never-sends many-recipients flood origin-proven receipt report calendar " +
		"origin-foreign listed challenge virus-notice auto-reply tag-missing unproven error"
	if got := strings.Join(Reasons(), " "); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	for _, reason := range Reasons() {
		if !slices.Contains(actions(), DefaultAction(reason)) {
			t.Errorf("%s: %q", reason, DefaultAction(reason))
		}
	}
	if got := DefaultAction("nothing"); got != "" {
		t.Errorf("no reason has action %q", got)
	}
}

func TestPolicy(t *testing.T) {
	c, err := Parse("c.toml", []byte("[policy]\ntag-missing = 'reject'\nflood = 'auto'\nreceipt = 'accept'\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := Policy{"tag-missing": ActionReject, "flood": ActionAuto, "receipt": ActionAccept}
	if !reflect.DeepEqual(c.Policy, want) {
		t.Errorf("%v", c.Policy)
	}
}

func TestNeedsRestart(t *testing.T) {
	old := Default()
	if got := old.NeedsRestart(Default()); got != nil {
		t.Errorf("nothing changed, but %v", got)
	}
	c, err := Parse("c.toml", []byte("listen = []\nmode = 'off'\nmax_connections = 9\n[admin]\ntoken = '0123456789abcdef'\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(old.NeedsRestart(c)); got != "[listen max_connections admin.token]" {
		t.Error(got)
	}
}
