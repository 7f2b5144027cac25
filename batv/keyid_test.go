package batv_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
)

// Two keys may bear one number, each for domains of its own; KeyID tells which
// of them verified a tag, or failed to.
func TestKeyIDTellsKeysApart(t *testing.T) {
	general := batv.Key{Number: 1, Secret: []byte("for everybody"), Signing: true}
	own := batv.Key{Number: 1, Secret: []byte("for one domain"), Signing: true, Domains: []string{"example.net"}}
	if general.ID() == own.ID() || general.ID() == (batv.KeyID{}) {
		t.Fatalf("ids %x and %x", general.ID(), own.ID())
	}
	renumbered := general
	renumbered.Number = 2
	if renumbered.ID() == general.ID() {
		t.Error("the number does not count")
	}
	keys, err := batv.NewKeyring(general, own)
	if err != nil {
		t.Fatal(err)
	}
	scheme := batv.Scheme{Keys: keys, Layout: batv.LayoutPRVS, Lifetime: 7}
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	for address, key := range map[string]batv.Key{"a@example.com": general, "a@example.net": own} {
		tagged, err := scheme.Sign(address, now)
		if err != nil {
			t.Fatal(err)
		}
		if v := scheme.Verify(tagged, now); v.Result != batv.Valid || v.KeyID != key.ID() {
			t.Errorf("%s: %v with key %x, want %x", tagged, v.Result, v.KeyID, key.ID())
		}
		forged := strings.Replace(tagged, "=a@", "=b@", 1)
		if v := scheme.Verify(forged, now); v.Result != batv.Forged || v.KeyID != key.ID() {
			t.Errorf("%s: %v with key %x, want %x", forged, v.Result, v.KeyID, key.ID())
		}
	}
}

func TestSignable(t *testing.T) {
	var scheme batv.Scheme
	for address, want := range map[string]error{
		"user@example.com":                 nil,
		"":                                 batv.ErrNullSender,
		"no-address":                       batv.ErrNotAddress,
		"prvs=0730576ed6=user@example.com": batv.ErrTagged,
		"SRS0=abcd=ef=example.org=bob@example.com": batv.ErrRewritten,
		strings.Repeat("a", 60) + "@example.com":   batv.ErrTooLong,
	} {
		if err := scheme.Signable(address); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", address, err, want)
		}
	}
}
