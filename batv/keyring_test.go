package batv

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestNewKeyringRefuses(t *testing.T) {
	secret := []byte("secret")
	domains := func(names ...string) []string { return names }
	const oneNumber = "another key for %s has this number: each number may stand once"
	const oneSigner = "key number %d already signs for %s: one key signs, the others have signing = false (a successor: and sign_from)"
	for _, c := range []struct {
		name string
		keys []Key
		want []string
	}{
		{"no keys", nil, []string{
			"key[0].signing: false: one key must sign: set signing = true"}},
		{"a number below", []Key{{Number: -1, Secret: secret, Signing: true}}, []string{
			"key[0].number: -1: must be an integer from 0 to 9"}},
		{"a number above, an empty secret", []Key{{Number: 10, Signing: true}}, []string{
			"key[0].number: 10: must be an integer from 0 to 9",
			"key[0].secret: (not shown): must hold 1 to 1024 octets"}},
		{"a long secret", []Key{{Secret: bytes.Repeat(secret, 200), Signing: true}}, []string{
			"key[0].secret: (not shown): must hold 1 to 1024 octets"}},
		{"no signer", []Key{{Secret: secret}}, []string{
			"key[0].signing: false: one key must sign: set signing = true"}},
		{"two signers", []Key{{Secret: secret, Signing: true}, {Number: 1, Secret: secret, Signing: true}}, []string{
			"key[1].signing: true: " + fmt.Sprintf(oneSigner, 0, "all domains")}},
		{"two signers of one domain", []Key{
			{Secret: secret, Signing: true, Domains: domains("example.com", "example.org")},
			{Number: 1, Secret: secret, Signing: true, Domains: domains("example.net", "EXAMPLE.org.")}}, []string{
			"key[1].signing: true: " + fmt.Sprintf(oneSigner, 0, "example.org")}},
		{"one number twice", []Key{{Secret: secret, Signing: true}, {Secret: secret}}, []string{
			"key[1].number: 0: " + fmt.Sprintf(oneNumber, "all domains")}},
		{"one number twice for a domain in two spellings", []Key{
			{Number: 4, Secret: secret, Signing: true, Domains: domains("bücher.example.com")},
			{Number: 4, Secret: secret, Domains: domains("xn--BCHER-kva.example.com")}}, []string{
			"key[1].number: 4: " + fmt.Sprintf(oneNumber, "xn--bcher-kva.example.com")}},
		{"a domain without a signer", []Key{
			{Secret: secret, Signing: true},
			{Secret: secret, Domains: domains("example.com")}}, []string{
			"key[1].signing: false: one key for example.com must sign: set signing = true"}},
		{"domains that are none", []Key{{Secret: secret, Signing: true, Domains: domains("*.example.com", "", "[192.0.2.1]", "a b")}}, []string{
			`key[0].domains: "*.example.com": must be a domain name; wildcards are not allowed`,
			`key[0].domains: "": must be a domain name; wildcards are not allowed`,
			`key[0].domains: "[192.0.2.1]": must be a domain name; wildcards are not allowed`,
			`key[0].domains: "a b": must be a domain name; wildcards are not allowed`}},
		{"a domain twice", []Key{{Secret: secret, Signing: true, Domains: domains("example.com", "Example.COM")}}, []string{
			`key[0].domains: "Example.COM": must name each domain once`}},
		{"retired before it signs", []Key{{Secret: secret, Signing: true, SignFrom: noon(20), Retired: noon(20)}}, []string{
			"key[0].retired: 1970-01-21T12:00:00Z: must be later than sign_from"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := NewKeyring(c.keys...)
			if err == nil || r != nil {
				t.Fatalf("NewKeyring = %v, %v", r, err)
			}
			if want := strings.Join(c.want, "\n"); err.Error() != want {
				t.Errorf("error:\n%v\nwant:\n%s", err, want)
			}
		})
	}
}

func TestNewKeyringAccepts(t *testing.T) {
	secret := []byte("s")
	var ten []Key
	for i := range 10 {
		ten = append(ten, Key{Number: i, Secret: secret, Signing: i == 4})
	}
	for name, keys := range map[string][]Key{
		"ten keys":                ten,
		"a signer with a date":    {{Secret: secret, SignFrom: noon(1)}},
		"a successor that signs":  {{Secret: secret, Signing: true}, {Number: 1, Secret: secret, Signing: true, SignFrom: noon(1)}},
		"one number, two domains": {{Secret: secret, Signing: true, Domains: []string{"example.com"}}, {Secret: secret, Signing: true, Domains: []string{"example.org"}}},
		"a domain's retired key":  {{Secret: secret, Signing: true}, {Secret: secret, Retired: noon(1), Domains: []string{"example.com"}}},
		"the general key retired": {{Secret: secret, Retired: noon(1)}, {Secret: secret, Signing: true, Domains: []string{"example.com"}}},
		"the longest secret":      {{Secret: bytes.Repeat(secret, maxSecret), Signing: true}},
	} {
		if _, err := NewKeyring(keys...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSigner holds which of several keys signs.
func TestSigner(t *testing.T) {
	now := noon(20000)
	before, after := now.Add(-time.Hour), now.Add(time.Hour)
	own := []string{"example.com"}
	for _, c := range []struct {
		name   string
		keys   []Key
		domain string
		want   int // -1: none
	}{
		{"the one that signs", []Key{{Number: 1}, {Number: 2, Signing: true}}, "example.com", 2},
		{"a successor whose time has not come", []Key{{Number: 1, Signing: true}, {Number: 2, SignFrom: after}}, "example.com", 1},
		{"a successor whose time has come", []Key{{Number: 1, Signing: true}, {Number: 2, SignFrom: now}}, "example.com", 2},
		{"a successor as old as its predecessor", []Key{{Number: 1, Signing: true, Created: now}, {Number: 2, SignFrom: now}}, "example.com", 2},
		{"the same in the other order", []Key{{Number: 2, SignFrom: now}, {Number: 1, Signing: true, Created: now}}, "example.com", 2},
		{"the latest of several successors", []Key{{Number: 1, SignFrom: before}, {Number: 2, SignFrom: now}, {Number: 3, Signing: true}}, "example.com", 2},
		{"a key made after the successor", []Key{{Number: 1, SignFrom: before}, {Number: 2, Signing: true, Created: now}}, "example.com", 2},
		{"a retired successor", []Key{{Number: 1, Signing: true}, {Number: 2, SignFrom: before, Retired: now}}, "example.com", 1},
		{"retiring later", []Key{{Number: 1, Signing: true, Retired: after}, {Number: 2, SignFrom: after}}, "example.com", 1},
		{"a gap between two", []Key{{Number: 1, Signing: true, Retired: now}, {Number: 2, SignFrom: after}}, "example.com", -1},
		{"the domain's own", []Key{{Number: 1, Signing: true}, {Number: 2, Signing: true, Domains: own}}, "Example.COM.", 2},
		{"another domain's", []Key{{Number: 1, Signing: true}, {Number: 2, Signing: true, Domains: own}}, "example.org", 1},
		{"no domain", []Key{{Number: 1, Signing: true}, {Number: 2, Signing: true, Domains: own}}, "", 1},
		{"the domain's own, not yet", []Key{{Number: 1, Signing: true}, {Number: 2, SignFrom: after, Domains: own}}, "example.com", 1},
		{"the domain's own, no more", []Key{{Number: 1, Signing: true}, {Number: 2, Retired: before, Domains: own}}, "example.com", 1},
		{"only another domain's", []Key{{Number: 2, Signing: true, Domains: own}}, "example.org", -1},
	} {
		for i := range c.keys {
			c.keys[i].Secret = []byte("secret")
		}
		got, ok := mustKeyring(t, c.keys...).Signer(c.domain, now)
		if ok != (c.want >= 0) || ok && got.Number != c.want {
			t.Errorf("%s: key %d, %t, want %d", c.name, got.Number, ok, c.want)
		}
	}
	var none *Keyring
	if _, ok := none.Signer("example.com", now); ok || none.Keys() != nil {
		t.Error("the nil keyring holds keys")
	}
}

// TestKeyringIsSealed holds that what comes out of a keyring, or went into it,
// cannot be used to change it.
func TestKeyringIsSealed(t *testing.T) {
	in := Key{Secret: []byte("secret"), Signing: true, Domains: []string{"example.com"}}
	r := mustKeyring(t, in)
	out := r.Keys()[0]
	signer, _ := r.Signer("example.com", noon(0))
	for _, k := range []Key{in, out, signer} {
		clear(k.Secret)
		k.Domains[0] = "example.org"
	}
	if got := r.Keys()[0]; string(got.Secret) != "secret" || got.Domains[0] != "example.com" {
		t.Errorf("the keyring changed: %q, %q", got.Secret, got.Domains)
	}
	s := Scheme{Keys: r, Lifetime: 7}
	if got := s.Verify("prvs=0730576ed6=user@example.com", noon(19723)); got.Result != Valid {
		t.Errorf("Verify = %v", got.Result)
	}
}

// TestSecretIsNeverPrinted prints keys in every way that comes to mind.
func TestSecretIsNeverPrinted(t *testing.T) {
	k := Key{Number: 3, Secret: []byte("qqqqqqqq"), Signing: true, SignFrom: noon(1), Retired: noon(3), Created: noon(0), Domains: []string{"example.com", "example.org"}}
	r := mustKeyring(t, k)
	s := Scheme{Keys: r, Layout: LayoutPRVS}
	var out strings.Builder
	for _, v := range []any{k, &k, []Key{k}, map[int]Key{3: k}, r, *r, s, &s} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(data)
		slog.New(slog.NewTextHandler(&out, nil)).Info("key", "key", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("key", "key", v)
	}
	for _, form := range []string{"qqq", "7171", "cXFx", "113 113", "0x71, 0x71"} {
		if i := strings.Index(out.String(), form); i >= 0 {
			t.Errorf("the secret shows as %q: …%s", form, out.String()[max(0, i-80):i+len(form)])
		}
	}
	want := "key 3, signing, sign_from 1970-01-02T12:00:00Z, retired 1970-01-04T12:00:00Z, created 1970-01-01T12:00:00Z, domains example.com example.org, secret not shown"
	if got := fmt.Sprintf("%#v", k); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestConcurrentUse has the race detector watch one scheme in many hands.
func TestConcurrentUse(t *testing.T) {
	s := secretScheme(t, LayoutPRVS)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				address := fmt.Sprintf("User%d@bücher%d.example.com", i, j)
				tagged, err := s.Sign(address, noon(20000))
				if err != nil {
					t.Error(err)
					return
				}
				if got := s.Verify(strings.ToLower(tagged), noon(20001)); got.Result != Valid {
					t.Errorf("Verify(%q) = %v", tagged, got.Result)
				}
			}
		})
	}
	wg.Wait()
}

// TestLabelCache asks for more domains than the cache has places, again and
// again, so that they push one another out.
func TestLabelCache(t *testing.T) {
	c := newLabelCache()
	for range 3 {
		for i := range 20 * len(c.slots) {
			domain := fmt.Sprintf("Bücher%d.example.com", i)
			if got, want := string(c.append([]byte("@"), domain)), "@"+toASCII(domain); got != want || !isASCII(got) {
				t.Fatalf("%q: %q, want %q", domain, got, want)
			}
		}
	}
}
