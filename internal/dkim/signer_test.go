package dkim

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// testKeys are made once. The Ed25519 key is always the same, so that what a
// fuzzer found can be run again.
var testKeys = sync.OnceValue(func() (k struct {
	rsa2048, rsa1024 *rsa.PrivateKey
	ed               *ed25519.PrivateKey
}) {
	var err error
	if k.rsa2048, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		panic(err)
	}
	if k.rsa1024, err = rsa.GenerateKey(rand.Reader, 1024); err != nil {
		panic(err)
	}
	ed := ed25519.NewKeyFromSeed([]byte("a seed of thirty-two octets here"))
	k.ed = &ed
	return k
})

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// recordOf gives a key record, with more tags in front of p=.
func recordOf(key crypto.Signer, more string) string {
	switch public := key.Public().(type) {
	case ed25519.PublicKey:
		return "v=DKIM1; k=ed25519; " + more + "p=" + b64(public)
	default:
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			panic(err)
		}
		return "v=DKIM1; k=rsa; " + more + "p=" + b64(der)
	}
}

// records is a KeySource of records by DNS name. A record "down" cannot be
// asked for.
type records map[string]string

func (r records) Key(_ context.Context, selector, domain string) (*Key, error) {
	switch record, ok := r[selector+"._domainkey."+domain]; {
	case !ok:
		return nil, ErrNoKey
	case record == "down":
		return nil, errors.New("no server could be reached")
	default:
		return ParseKey(record)
	}
}

// ourKeys has the keys of the tests under example.com.
func ourKeys() records {
	k := testKeys()
	return records{
		"rsa._domainkey.example.com": recordOf(k.rsa2048, ""),
		"old._domainkey.example.com": recordOf(k.rsa1024, ""),
		"ed._domainkey.example.com":  recordOf(k.ed, ""),
	}
}

func ourOptions() Options {
	return Options{Ours: func(d string) bool { return within(d, "example.com") }, Keys: ourKeys()}
}

// signing is how a test signs. It shares nothing with what it tests.
type signing struct {
	key    crypto.Signer     // none: RSA, 2048 bits
	tags   map[string]string // over the usual ones; the value "-" leaves one out
	sep    string            // between tags; none: "; "
	simple bool
	name   string // of the field; none: DKIM-Signature
}

var blanks = regexp.MustCompile(`[ \t\r\n]+`)

func plainCanon(field string, simple bool) string {
	if simple {
		return field
	}
	name, value, _ := strings.Cut(field, ":")
	return strings.ToLower(strings.TrimSpace(name)) + ":" + strings.TrimSpace(blanks.ReplaceAllString(value, " "))
}

// sign puts a signature in front of a header, given as fields without their
// last CRLF.
func (s signing) sign(t testing.TB, header []string) []string {
	t.Helper()
	if s.key == nil {
		s.key = testKeys().rsa2048
	}
	tags := map[string]string{
		"v": "1", "a": "rsa-sha256", "c": "relaxed/relaxed", "d": "example.com", "s": "rsa",
		"h": "From:To:Subject:Date:Message-ID", "bh": b64(make([]byte, 32)),
	}
	switch {
	case s.key == testKeys().ed:
		tags["a"], tags["s"] = "ed25519-sha256", "ed"
	case s.key == testKeys().rsa1024:
		tags["s"] = "old"
	}
	if s.simple {
		tags["c"] = "simple/simple"
	}
	maps.Copy(tags, s.tags)
	if s.sep == "" {
		s.sep = "; "
	}
	if s.name == "" {
		s.name = "DKIM-Signature"
	}
	field := s.name + ": "
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		if tags[name] != "-" && name != "b" {
			field += name + "=" + tags[name] + s.sep
		}
	}
	field += "b="
	var data strings.Builder
	used := map[string]int{}
	for name := range strings.SplitSeq(tags["h"], ":") {
		name = strings.ToLower(strings.TrimSpace(name))
		var same []string
		for _, f := range header {
			if n, _, _ := strings.Cut(f, ":"); strings.EqualFold(strings.TrimSpace(n), name) {
				same = append(same, f)
			}
		}
		used[name]++
		if at := len(same) - used[name]; at >= 0 {
			data.WriteString(plainCanon(same[at], s.simple) + "\r\n")
		}
	}
	data.WriteString(plainCanon(field, s.simple))
	value := b64(s.signature(t, data.String()))
	if b, ok := tags["b"]; ok {
		value = b
	}
	for at := 60; at < len(value); at += 66 {
		value = value[:at] + "\r\n    " + value[at:]
	}
	return append([]string{field + value}, header...)
}

func (s signing) signature(t testing.TB, data string) []byte {
	hash := sha256.Sum256([]byte(data))
	var opts crypto.SignerOpts = crypto.SHA256
	if s.key == testKeys().ed {
		opts = crypto.Hash(0)
	}
	signed, err := s.key.Sign(rand.Reader, hash[:], opts)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func block(fields []string) []byte { return []byte(strings.Join(fields, "\r\n") + "\r\n\r\n") }

// letter is a header of ours, not signed.
func letter() []string {
	return []string{
		"Received: from laptop.example.com\r\n\tby mail.example.com; Fri, 20 Nov 2026 10:00:01 +0100",
		"From: Alice <alice@example.com>",
		"To: Bob <bob@example.net>,\r\n\tCarol <carol@example.org>",
		"Subject:  Two  spaces\r\n and a fold ",
		"Date: Fri, 20 Nov 2026 10:00:00 +0100",
		"Message-ID: <one@example.com>",
		"MIME-Version: 1.0",
	}
}

// one verifies a header with one signature.
func one(t testing.TB, header []byte, o Options) Signature {
	t.Helper()
	r := Verify(t.Context(), header, o)
	if len(r.Signatures) != 1 || r.Unread != 0 {
		t.Fatalf("%d signatures, %d unread", len(r.Signatures), r.Unread)
	}
	return r.Signatures[0]
}

func (s Signature) line() string { return fmt.Sprintf("%v: %v", s.Status, s.Err) }
