package batv

import (
	"regexp"
	"strings"
	"testing"
)

// FuzzVerify holds what is true of any text, and that whatever can be signed
// verifies and comes back as it was.
func FuzzVerify(f *testing.F) {
	f.Fuzz(func(t *testing.T, address string) {
		for _, layout := range []Layout{LayoutPRVS, LayoutSubaddress} {
			s := secretScheme(t, layout)
			checkVerdict(t, s, address)
			tagged, err := s.Sign(address, noon(20000))
			if err != nil {
				continue
			}
			if v := s.Verify(tagged, noon(20000)); v.Result != Valid || v.Layout != layout || v.Bare() != address {
				t.Errorf("Sign(%q) = %q, which is %v %v with bare %q", address, tagged, v.Result, v.Layout, v.Bare())
			}
			if v := s.Verify(upper(tagged), noon(20000)); v.Result != Valid {
				t.Errorf("Sign(%q) = %q, which in capitals is %v", address, tagged, v.Result)
			}
		}
	})
}

// FuzzParseKeys holds that every complaint names the file and a line of it,
// and that the keys of an accepted file make up a sound keyring.
func FuzzParseKeys(f *testing.F) {
	complaint := regexp.MustCompile(`^keys\.toml:([1-9][0-9]*): [^\n]+$`)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ParseKeys("keys.toml", data)
		if err != nil {
			for _, line := range strings.Split(err.Error(), "\n") {
				if !complaint.MatchString(line) {
					t.Errorf("complaint %q", line)
				}
			}
			return
		}
		keys := r.Keys()
		if _, err := NewKeyring(keys...); err != nil {
			t.Errorf("accepted, yet: %v", err)
		}
		for _, k := range keys {
			if len(k.Secret) == 0 || k.Number < 0 || k.Number > 9 {
				t.Errorf("accepted: %v with a secret of %d octets", k, len(k.Secret))
			}
		}
	})
}
