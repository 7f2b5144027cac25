package dkim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// weak makes an RSA key that is fit for nothing but to have its size seen.
func weak(bits int) crypto.Signer { return publicOnly{modulus(bits), 65537} }

func modulus(bits int) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return n.Add(n, big.NewInt(1))
}

type publicOnly struct {
	n *big.Int
	e int
}

func (p publicOnly) Public() crypto.PublicKey { return &rsa.PublicKey{N: p.n, E: p.e} }
func (p publicOnly) Sign(_ io.Reader, _ []byte, _ crypto.SignerOpts) ([]byte, error) {
	panic("signs nothing")
}

func TestParseKey(t *testing.T) {
	k := testKeys()
	p := recordOf(k.rsa2048, "")[len("v=DKIM1; k=rsa; "):]
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, err := x509.MarshalPKIXPublicKey(ec.Public())
	if err != nil {
		t.Fatal(err)
	}
	even := modulus(2048)
	even.Add(even, big.NewInt(1))
	tests := []struct {
		name, record, want string // want: part of the error
	}{
		{"RSA", recordOf(k.rsa2048, ""), ""},
		{"Ed25519", recordOf(k.ed, ""), ""},
		{"nothing but p=", p, ""},
		{"bare RSAPublicKey", "p=" + b64(x509.MarshalPKCS1PublicKey(&k.rsa2048.PublicKey)), ""},
		{"folded", "v=DKIM1 ;\r\n p=" + strings.ReplaceAll(p[2:], "A", "A \t"), ""},
		{"unknown tags", "n=a note; g=*; zz=1;" + p + " ; ", ""},
		{"the right uses", "h=sha1:SHA256; s=other : email; t=; k=RSA;" + p, ""},
		{"1024 bits", recordOf(k.rsa1024, ""), ""},
		{"too weak, which is told later", recordOf(weak(512), ""), ""},
		{"8192 bits", recordOf(weak(8192), ""), ""},
		{"largest exponent", recordOf(publicOnly{modulus(2048), 1<<31 - 1}, ""), ""},

		{"16384 bits", recordOf(weak(16384), ""), "more than 8192 bits"},
		{"8193 bits", recordOf(weak(8193), ""), "8193 bits"},
		{"even modulus", recordOf(publicOnly{even, 65537}, ""), "no RSA key can be such"},
		{"exponent 1", recordOf(publicOnly{modulus(2048), 1}, ""), "no RSA key can be such"},
		{"even exponent", recordOf(publicOnly{modulus(2048), 65536}, ""), "no RSA key can be such"},
		{"huge exponent", recordOf(publicOnly{modulus(2048), 1<<33 + 1}, ""), "no RSA key can be such"},
		{"negative modulus", "p=" + b64(x509.MarshalPKCS1PublicKey(&rsa.PublicKey{N: big.NewInt(-77), E: 3})), "no RSA key"},
		{"revoked", "v=DKIM1; p=", "revoked"},
		{"revoked, of an unknown kind", "k=zz; p=", "revoked"},
		{"no p=", "v=DKIM1; k=rsa", "no p="},
		{"another version", "v=DKIM2; " + p, "v="},
		{"version not first", p + "; v=DKIM1", "v= does not come first"},
		{"twice", p + "; p=", "p= comes twice"},
		{"an SPF record", "v=spf1 -all", "v="},
		{"other hashes", "h=sha1; " + p, "not for SHA-256"},
		{"other services", "s=web; " + p, "not for e-mail"},
		{"another kind", "k=dsa; " + p, "k="},
		{"another kind inside", "p=" + b64(ecDER), "another kind"},
		{"RSA said to be Ed25519", "k=ed25519; " + p, "an Ed25519 key of"},
		{"short Ed25519", "k=ed25519; p=AAAA", "an Ed25519 key of 3 octets"},
		{"junk in p=", "p=*", "no base64"},
		{"junk in base64", "p=AAAAAAAA", "p= is no RSA key"},
		{"empty", "", "is no tag"},
		{"huge", p + ";n=" + strings.Repeat("n", 9000), "longer than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k, err := ParseKey(tt.record)
			if (err == nil) != (tt.want == "") || (k == nil) != (err != nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, %v; want %q", k, err, tt.want)
			}
		})
	}
}

func TestStatic(t *testing.T) {
	k := testKeys()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	record := recordOf(k.rsa2048, "")
	zone := "one._domainkey\tIN\tTXT\t( \"" + strings.Replace(record[:100], ";", `\;`, 1) + "\" ; a \"comment\"\n\t  \"" + record[100:] + "\" )  ; ----- DKIM key \"one\"\n"
	keys, err := ReadKeys(map[string]string{
		"one._domainkey.example.com": write("zone", zone),
		"Two._domainkey.Example.com": write("plain", recordOf(k.ed, "")+"\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := Static{Keys: keys}
	if got, err := s.Key(t.Context(), "one", "example.com"); err != nil || !k.rsa2048.PublicKey.Equal(got.public) {
		t.Errorf("one: %v, %v", got, err)
	}
	if got, err := s.Key(t.Context(), "two", "example.com"); err != nil || !k.ed.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(got.public) {
		t.Errorf("two: %v, %v", got, err)
	}
	if got, err := s.Key(t.Context(), "rsa", "example.com"); !errors.Is(err, ErrNoKey) {
		t.Errorf("three: %v, %v", got, err)
	}
	next := ourKeys()
	next["one._domainkey.example.com"] = "down"
	s.Next = next
	if got, err := s.Key(t.Context(), "one", "example.com"); err != nil || got != keys["one._domainkey.example.com"] {
		t.Errorf("the one given by hand: %v, %v", got, err)
	}
	if got, err := s.Key(t.Context(), "rsa", "example.com"); err != nil || got.bits != 2048 {
		t.Errorf("the next source's: %v, %v", got, err)
	}
	for want, path := range map[string]string{
		"DKIM key k: open ":    filepath.Join(dir, "none"),
		"is revoked":           write("revoked", "v=DKIM1; p="),
		"key record: v=\"2\"":  write("bad", "v=2; p="),
		"key record: \"\" is ": write("empty", ""),
		"bad2: key record":     write("bad2", `"v=DKIM1; p=AAAA`),
		"larger than 64 KiB":   write("large", record+strings.Repeat("\n", maxRecordFile)),
	} {
		if got, err := ReadKeys(map[string]string{"k": path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v; want %q", got, err, want)
		}
	}
}
