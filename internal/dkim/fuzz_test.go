package dkim

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// FuzzVerify holds what is true of any header: it is bounded, is not written to,
// and what passes is what was signed.
func FuzzVerify(f *testing.F) {
	signed := block(signing{key: testKeys().ed}.sign(f, letter()))
	f.Add(signed)
	f.Add(block(signing{key: testKeys().ed, simple: true}.sign(f, letter())))
	f.Add([]byte(strings.ReplaceAll(string(signed), "\r\n\t", "\n")))
	f.Add([]byte(rfc6376))
	f.Add([]byte(rfc8463))
	f.Add([]byte("From a\r\rDKIM-Signature: v=1; d=example.com"))
	keys := ourKeys()
	for name, record := range rfcKeys() {
		keys[name] = record
	}
	o := ourOptions()
	o.Keys = keys
	f.Fuzz(func(t *testing.T, header []byte) {
		before := slices.Clone(header)
		r := Verify(context.Background(), header, o)
		if !slices.Equal(before, header) {
			t.Fatal("the header was written to")
		}
		if len(r.Signatures) > maxSignatures || r.Unread < 0 || r.Unread > maxFields {
			t.Errorf("%d signatures, %d unread", len(r.Signatures), r.Unread)
		}
		for _, s := range r.Signatures {
			if (s.Err == nil) != (s.Status == Pass || s.Status == NotOurs || s.Status == Untried) {
				t.Errorf("%+v", s)
			}
			if s.Status == Pass && !slices.Equal(s.Signed.From, []string{"Alice <alice@example.com>"}) &&
				!slices.Equal(s.Signed.From, []string{"Joe SixPack <joe@football.example.com>"}) {
				t.Errorf("forged: %+v", s)
			}
		}
	})
}

// FuzzParseKey holds that any record is a key within bounds, or an error.
func FuzzParseKey(f *testing.F) {
	for _, record := range ourKeys() {
		f.Add(record)
	}
	f.Add("v=DKIM1; k=rsa; t=s:y; h=sha256; s=email; n=a note; p=")
	f.Add(recordOf(weak(1025), ""))
	hash := make([]byte, 32)
	f.Fuzz(func(t *testing.T, record string) {
		k, err := ParseKey(record)
		if (k == nil) != (err != nil) {
			t.Fatalf("%v, %v", k, err)
		}
		if err != nil {
			if s := statusOf(err); s != KeyUnfit && s != KeyRevoked {
				t.Errorf("%v: %v", s, err)
			}
			return
		}
		if k.bits < 1 || k.bits > maxBits || k.verifies(hash, make([]byte, (k.bits+7)/8)) {
			t.Errorf("%+v", k)
		}
	})
}
