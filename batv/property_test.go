package batv

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// anyLocal draws local parts of every syntax, quotes included.
func anyLocal() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[A-Za-z0-9]{1,12}`),
		rapid.StringMatching("[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,52}"),
		rapid.StringMatching(`[a-zäöüß用户Ж+=-]{1,12}`),
		rapid.StringMatching(`"([ !#-\[\]-~]|\\[ -~]){1,20}"`),
		rapid.StringMatching(`"([ !#-\[\]-~äЖ]|\\[ -~]|(PRVS|prvs)=[0-9a-f]{10}[=+]){1,3}"`),
		rapid.StringMatching(`(prvs|btv1=|msprvs1|SRS0|srs1)=[0-9a-f]{10,11}=?=[a-z+]{0,5}`),
	)
}

func anyDomain() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"example.com", "EXAMPLE.Com", "example.com.", "bücher.example.org", "xn--bcher-kva.example.org",
			"BÜCHER.example.org", "例子.example.net", "[192.0.2.1]", "[IPv6:2001:db8::1]"}),
		rapid.StringMatching(`[A-Za-z0-9_]([A-Za-z0-9-]{0,10}[A-Za-z0-9])?(\.[a-z]{2,5}){0,3}`),
		rapid.StringMatching(`[a-zäéñ字ⅷＡ-]{1,9}\.example\.com`),
	)
}

func anyScheme(t *rapid.T) *Scheme {
	key := Key{
		Number:  rapid.IntRange(0, 9).Draw(t, "number"),
		Secret:  rapid.SliceOfN(rapid.Byte(), 1, 80).Draw(t, "secret"),
		Signing: true,
	}
	r, err := NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	return &Scheme{
		Keys:      r,
		Layout:    rapid.SampledFrom([]Layout{LayoutPRVS, LayoutSubaddress}).Draw(t, "layout"),
		Delimiter: rapid.SampledFrom([]byte("\x00+-_.")).Draw(t, "delimiter"),
		Lifetime:  rapid.IntRange(0, 997).Draw(t, "lifetime"),
	}
}

// TestRoundTrip signs any address, lets a hop change the case of any letter,
// and takes the tag off again on any day of its life.
func TestRoundTrip(t *testing.T) {
	signed := 0
	rapid.Check(t, func(t *rapid.T) {
		s := anyScheme(t)
		address := anyLocal().Draw(t, "local") + "@" + anyDomain().Draw(t, "domain")
		day := rapid.IntRange(0, 40000).Draw(t, "day")
		tagged, err := s.Sign(address, noon(day))
		if err != nil {
			for _, allowed := range []error{ErrTagged, ErrRewritten, ErrTooLong} {
				if errors.Is(err, allowed) {
					return
				}
			}
			t.Fatalf("Sign(%q): %v", address, err)
		}
		signed++
		at := strings.LastIndexByte(tagged, '@')
		if len(tagged) != len(address)+16 || at > 64 {
			t.Fatalf("Sign(%q) = %q: %d octets, local part %d", address, tagged, len(tagged), at)
		}
		later := noon(day + rapid.IntRange(0, s.Lifetime).Draw(t, "age"))
		v := s.Verify(tagged, later)
		if v.Result != Valid || v.Layout != s.Layout || v.Bare() != address {
			t.Fatalf("Sign(%q) = %q, which is %v %v with bare %q", address, tagged, v.Result, v.Layout, v.Bare())
		}
		hop := changeCase(t, tagged)
		if v := s.Verify(hop, later); v.Result != Valid || !strings.EqualFold(v.Bare(), address) {
			t.Fatalf("Sign(%q) = %q, which as %q is %v with bare %q", address, tagged, hop, v.Result, v.Bare())
		}
		if v := s.Verify(tagged, noon(day+s.Lifetime+1)); v.Result != Expired || v.DaysLeft != -1 {
			t.Fatalf("%q the day after its last: %v, %d days left", tagged, v.Result, v.DaysLeft)
		}
	})
	if signed == 0 {
		t.Error("nothing was signed")
	}
}

// changeCase changes the case of any number of ASCII letters.
func changeCase(t *rapid.T, s string) string {
	b := []byte(s)
	for i, flip := range rapid.SliceOfN(rapid.Bool(), len(b), len(b)).Draw(t, "flip") {
		if c := lower(b[i]); flip && 'a' <= c && c <= 'z' {
			b[i] ^= 'a' - 'A'
		}
	}
	return string(b)
}

// TestTagIsHMAC compares every tag with the formula of the draft, written out.
func TestTagIsHMAC(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyScheme(t)
		s.Layout = LayoutPRVS
		address := rapid.StringMatching(`[a-z0-9.]{1,20}@[a-z]{1,9}\.example\.com`).Draw(t, "address")
		day := rapid.IntRange(0, 40000).Draw(t, "day")
		key := s.Keys.Keys()[0]
		prefix := fmt.Sprintf("%d%03d", key.Number, (day+s.Lifetime)%1000)
		mac := hmac.New(sha1.New, key.Secret)
		mac.Write([]byte(prefix + address))
		want := "prvs=" + prefix + hex.EncodeToString(mac.Sum(nil)[:3]) + "=" + address
		if got, err := s.Sign(address, noon(day)); err != nil || got != want {
			t.Fatalf("Sign(%q) = %q, %v, want %q", address, got, err, want)
		}
	})
}

// TestAnyText verifies text of every sort: nothing of it is valid, and what a
// tag is taken off remains an address that is shorter by just the tag.
func TestAnyText(t *testing.T) {
	piece := rapid.OneOf(
		rapid.String(),
		rapid.SampledFrom([]string{"prvs=", "PRVS=", "0730576ed6", "=", "+", "-", "@", `"`, `\`, ".", "user", "example.com", "btv1==", "msprvs1=", "[", "]", "ü", "\xff"}),
	)
	rapid.Check(t, func(t *rapid.T) {
		s := anyScheme(t)
		text := strings.Join(rapid.SliceOfN(piece, 0, 10).Draw(t, "pieces"), "")
		checkVerdict(t, s, text)
	})
}

// checkVerdict holds what is true of the verdict on any text.
func checkVerdict(t interface{ Fatalf(string, ...any) }, s *Scheme, text string) {
	v := s.Verify(text, noon(20000))
	bare := v.Bare()
	switch {
	case v.Result == Foreign && (bare != "" || v.Key != -1):
		t.Fatalf("Verify(%q): foreign, yet bare %q, key %d", text, bare, v.Key)
	case v.Layout == LayoutNone && (v.Result != Missing && v.Result != Foreign || bare != "" || v.Key != -1):
		t.Fatalf("Verify(%q): %v without a tag, bare %q, key %d", text, v.Result, bare, v.Key)
	case v.Result != Valid && v.Result != Expired && v.DaysLeft != 0:
		t.Fatalf("Verify(%q): %v with %d days left", text, v.Result, v.DaysLeft)
	case bare == "":
		return
	}
	if _, ok := parseMailbox(bare); !ok || len(bare) != len(text)-16 {
		t.Fatalf("Verify(%q): bare %q is no such address", text, bare)
	}
	cut := text[v.from:v.to]
	if !strings.Contains(strings.ToLower(cut), "prvs=") || text[:v.from]+cut+text[v.to:] != text {
		t.Fatalf("Verify(%q): took off %q", text, cut)
	}
}
