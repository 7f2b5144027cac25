package batv

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseKeys(t *testing.T) {
	long := bytes.Repeat([]byte{0xfb}, 32)
	r, err := ParseKeys("keys.toml", []byte(`
# A file with every key there is.
[[key]]
number  = 3
secret  = "base64:`+base64.StdEncoding.EncodeToString(long)+`"
signing = true
created = 2026-11-21T00:00:00Z
retired = 2027-01-02T01:00:00+01:00

[[key]] # the next
"number"  = 4
secret    = 'hex:736563726574'
sign_from = 2027-01-02
signing   = false

[[key]]
number  = 3
secret  = """text:a "secret"
of two lines"""
signing = true
created = 2026-11-21T10:20:30
domains = ["example.com", # the first
  "bücher.example.org", ]
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Key{
		{Number: 3, Secret: long, Signing: true,
			Created: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC), Retired: time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC)},
		{Number: 4, Secret: []byte("secret"), SignFrom: time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC)},
		{Number: 3, Secret: []byte("a \"secret\"\nof two lines"), Signing: true,
			Created: time.Date(2026, 11, 21, 10, 20, 30, 0, time.UTC), Domains: []string{"example.com", "bücher.example.org"}},
	}
	if diff := cmp.Diff(want, r.Keys()); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// TestParseKeysForms reads one key written in the ways that TOML has.
func TestParseKeysForms(t *testing.T) {
	for _, text := range []string{
		"[[key]]\nnumber = 1\nsecret = \"text:secret\"\nsigning = true\n",
		"[[key]]\r\nnumber = 1\r\nsecret = \"text:secret\"\r\nsigning = true\r\n",
		"\ufeff[[key]]\nnumber = 1\nsecret = \"text:secret\"\nsigning = true",
		"[[ 'key' ]]\n'number' = 0x1\n\"secret\" = 'base64:c2VjcmV0'\nsigning=true",
		"key = [{number = 1, secret = \"text:secret\", signing = true}]",
		"[[key]]\nnumber = 1\nsecret = \"base64:c2VjcmV0\"\nsigning = true\n",
		"[[key]]\nnumber = +1\nsecret = \"hex:736563726574\"\nsigning = true\n",
	} {
		r, err := ParseKeys("keys.toml", []byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if diff := cmp.Diff([]Key{{Number: 1, Secret: []byte("secret"), Signing: true}}, r.Keys()); diff != "" {
			t.Errorf("%q: keys (-want +got):\n%s", text, diff)
		}
	}
}

const (
	badNumber  = "must be an integer from 0 to 9"
	badSecret  = `must be "base64:...", "hex:..." or "text:..."`
	badTime    = "must be a time without quotes, such as 2026-11-21T00:00:00Z, or a date"
	badDomains = `must be a list of domain names such as ["example.com"]; without it the key is for all domains`
)

// TestParseKeysRefuses holds the text of every complaint. The word canary
// stands for secrets: no complaint may contain it.
func TestParseKeysRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", `keys.toml:1: key: missing: one key at least, under [[key]]`},
		{"only comments", "\n# nothing\n", `keys.toml:1: key: missing: one key at least, under [[key]]`},
		{"no fields", "\n[[key]]\n", `
keys.toml:2: key.number: missing: every key has a number
keys.toml:2: key.secret: missing: every key has a secret`},
		{"every field of a wrong type", `[[key]]
number = "three"
secret = 12345
signing = "yes"
sign_from = "tomorrow"
retired = 20260101
created = 10:20:30
domains = "example.com"
`, `
keys.toml:2: key.number: "three": ` + badNumber + `
keys.toml:3: key.secret: (not shown): ` + badSecret + `
keys.toml:4: key.signing: "yes": must be true or false
keys.toml:5: key.sign_from: "tomorrow": ` + badTime + `
keys.toml:6: key.retired: 20260101: ` + badTime + `
keys.toml:7: key.created: 10:20:30: ` + badTime + `
keys.toml:8: key.domains: "example.com": ` + badDomains},
		{"impossible values", `[[key]]
number = 10
secret = "text:"
signing = true
domains = ["*.example.com"]
[[key]]
number = -1
secret = "canary"
[[key]]
number = 1.5
secret = "hex:canary"
[[key]]
number = 3
secret = "base64:!canary!"
domains = ["example.com", "EXAMPLE.COM"]
[[key]]
number = 4
secret = "HEX:canary"
domains = []
[[key]]
number = 5
secret = "hex:616"
domains = ["example.com", 7]
[[key]]
number = 6
secret = "text:canary"
sign_from = 2026-11-21T00:00:00Z
retired = 2026-11-20T00:00:00Z
`, `
keys.toml:2: key.number: 10: ` + badNumber + `
keys.toml:3: key.secret: (not shown): must hold 1 to 1024 octets
keys.toml:5: key.domains: "*.example.com": must be a domain name; wildcards are not allowed
keys.toml:7: key.number: -1: ` + badNumber + `
keys.toml:8: key.secret: (not shown): ` + badSecret + `
keys.toml:10: key.number: 1.5: ` + badNumber + `
keys.toml:11: key.secret: (not shown): what follows hex: must be valid hex
keys.toml:14: key.secret: (not shown): what follows base64: must be valid base64
keys.toml:15: key.domains: "EXAMPLE.COM": must name each domain once
keys.toml:18: key.secret: (not shown): ` + badSecret + `
keys.toml:19: key.domains: a list of 0: ` + badDomains + `
keys.toml:22: key.secret: (not shown): what follows hex: must be valid hex
keys.toml:23: key.domains: 7: ` + badDomains + `
keys.toml:28: key.retired: 2026-11-20T00:00:00Z: must be later than sign_from`},
		{"unknown keys, in tables too", `lifetime = "10d"
[store]
key = 1
[[key]]
number = 0
secert = "text:canary"
secret = "text:canary"
signing = true
extra.number = 12
[key.sub]
number = 12
[[key]]
secret = "text:canary"
[late]
number = 12
[[key]]
secret = "text:canary"
[key.more]
number = 12
`, `
keys.toml:1: "lifetime": unknown key: the file holds [[key]] tables only
keys.toml:2: "store": unknown key: the file holds [[key]] tables only
keys.toml:6: key."secert": unknown key: ` + allowedNames + `
keys.toml:9: key."extra": unknown key: ` + allowedNames + `
keys.toml:10: key."sub": unknown key: ` + allowedNames + `
keys.toml:12: key.number: missing: every key has a number
keys.toml:14: "late": unknown key: the file holds [[key]] tables only
keys.toml:16: key.number: missing: every key has a number
keys.toml:18: key."more": unknown key: ` + allowedNames},
		{"lines counted through texts of many lines", `[[key]]
secret = """text:canary
[[key]]
number = 1 \""" \
"quoted""""
created = 1
retired = 2 # """
domains = [ # ]
  '''example.com''',
  "]",
]
sign_from = 3
[[key]]
secret = '''text:canary
\'''
number = 11
`, `
keys.toml:1: key.number: missing: every key has a number
keys.toml:6: key.created: 1: ` + badTime + `
keys.toml:7: key.retired: 2: ` + badTime + `
keys.toml:8: key.domains: "]": must be a domain name; wildcards are not allowed
keys.toml:12: key.sign_from: 3: ` + badTime + `
keys.toml:16: key.number: 11: ` + badNumber},
		{"two signing keys", `[[key]]
number = 0
secret = "text:canary"
signing = true
[[key]]
number = 1
secret = "text:canary"
signing = true
`, `keys.toml:8: key.signing: true: key number 0 already signs for all domains: one key signs, the others have signing = false (a successor: and sign_from)`},
		{"no signing key", "[[key]]\nnumber = 0\nsecret = \"text:canary\"\n",
			`keys.toml:1: key.signing: false: one key must sign: set signing = true`},
		{"one number twice", "[[key]]\nnumber = 0\nsecret = \"text:canary\"\nsigning = true\n[[key]]\nnumber = 0\nsecret = \"text:canary\"\n",
			`keys.toml:6: key.number: 0: another key for all domains has this number: each number may stand once`},
		{"a table for the list", "[key]\nnumber = 0\nsecret = \"text:canary\"\n",
			`keys.toml:1: key: a table: must be a list of tables, each begun by [[key]]`},
		{"a text for the list", "\nkey = \"text:canary\"\n",
			`keys.toml:2: key: (not shown): must be a list of tables, each begun by [[key]]`},
		{"a list of other things", "\nkey = [1]\n",
			`keys.toml:2: key: 1: must be a table, written under [[key]]`},
		{"an inline table", "\nkey = [{number = 10, secret = \"text:canary\"}]\n",
			`keys.toml:2: key.number: 10: ` + badNumber},
		{"a secret in the wrong place", "[[key]]\nnumber = \"text:canary\"\nsecret = \"base64\"\nsigning = \"canarycanarycanarycanarycanarycanarycanary\"\ncanarycanarycanarycanary = 1\n", `
keys.toml:2: key.number: (not shown): ` + badNumber + `
keys.toml:3: key.secret: (not shown): must hold 1 to 1024 octets
keys.toml:4: key.signing: (not shown): must be true or false
keys.toml:5: key.(not shown): unknown key: ` + allowedNames},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := ParseKeys("keys.toml", []byte(c.text))
			if err == nil || r != nil {
				t.Fatalf("ParseKeys = %v, %v", r, err)
			}
			if diff := cmp.Diff(strings.TrimPrefix(c.want, "\n"), err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Error("a secret is shown")
			}
		})
	}
}

// TestParseKeysSyntax holds that a file which is no TOML is refused with the
// line and the kind of mistake, and never with a piece of a secret.
func TestParseKeysSyntax(t *testing.T) {
	const prefix = "[[key]]\nnumber = 0\n"
	const without = ": there is no value, or a text without quotes: write name = \"text\""
	for text, want := range map[string]string{
		"secret = text:canary\n":                      "3: not valid TOML" + without,
		"secret = \n":                                 "3: not valid TOML" + without,
		"secret = 0123canary\n":                       "3: not valid TOML",
		"secret = 88888888888888888888\n":             "3: not valid TOML",
		"secret = 2026-99-99\n":                       "3: not valid TOML",
		"secret = \"canary\n":                         "3: not valid TOML: a string does not end on its line",
		"secret = \"can\\qary\"\n":                    "3: not valid TOML",
		"secret = \"\"\"canary\n\n":                   "4: not valid TOML: the file ends in the middle of a value",
		"secret = [\"canary\"":                        "3: not valid TOML",
		"secret \"canary\"\n":                         "3: not valid TOML: there is no = behind a name",
		"canary\n":                                    "3: not valid TOML: there is no = behind a name",
		"canary=\n":                                   "3: not valid TOML" + without,
		"\"canary\xff\" = 1\n":                        "3: not valid TOML: the file is not UTF-8 text",
		"number = 1\n":                                "3: not valid TOML: this key stands twice in its table",
		"\n[key]\nnumber = 1\n":                       "4: not valid TOML: this key stands twice in its table",
		"\n[[key]\n":                                  "4: not valid TOML: a table must begin with [[key]]",
		"\n[other]\n[[other]]\n":                      "5: not valid TOML: this table was begun in another form: write every key as a table of its own under [[key]]",
		"secret = \"canary\x00\"\n":                   "3: not valid TOML",
		"secret = {a = \"canary\", a = \"canary\"}\n": "3: not valid TOML: this key stands twice in its table",
	} {
		_, err := ParseKeys("keys.toml", []byte(prefix+text))
		if err == nil || err.Error() != "keys.toml:"+want {
			t.Errorf("%q: %v, want keys.toml:%s", text, err, want)
		}
	}
}
