package dkim

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	maxRecord = 8 << 10 // octets of a key record
	minBits   = 1024    // of an RSA modulus (RFC 8301, section 3.2)
	maxBits   = 8192    // one more costs an attacker nothing and us ever more
)

// A KeySource finds public keys. Selector and domain are in lower case. Beside
// a key it gives ErrNoKey, ErrRevoked, a *KeyError, or another error: that it
// could not be asked. It is safe for concurrent use.
type KeySource interface {
	Key(ctx context.Context, selector, domain string) (*Key, error)
}

// What a KeySource knows instead of a key.
var (
	ErrNoKey   = errors.New("there is no such key")
	ErrRevoked = errors.New("the key is revoked")
)

// A KeyError is a key record in error, or one for another purpose.
type KeyError struct{ reason string }

func (e *KeyError) Error() string { return "key record: " + e.reason }

func badKey(format string, args ...any) error { return &KeyError{fmt.Sprintf(format, args...)} }

// A Key is a public key that e-mail may be signed with.
type Key struct {
	public crypto.PublicKey // *rsa.PublicKey or ed25519.PublicKey
	bits   int
	strict bool // i= must have the very domain of d=
}

// keyName is where a key stands in the DNS (RFC 6376, section 3.6.2.1).
func keyName(selector, domain string) string { return selector + "._domainkey." + domain }

// ParseKey reads a key record (RFC 6376, section 3.6.1; RFC 8463, section 4).
// The error is ErrRevoked or a *KeyError.
func ParseKey(record string) (*Key, error) {
	if len(record) > maxRecord {
		return nil, badKey("longer than %d octets", maxRecord)
	}
	list, err := parseTags(record)
	if err != nil {
		return nil, badKey("%v", err)
	}
	if v := list.or("v", "DKIM1"); v != "DKIM1" {
		return nil, badKey("v=%q", shorten(v))
	}
	if _, ok := list.get("v"); ok && list[0].name != "v" {
		return nil, badKey("v= does not come first")
	}
	if h, ok := list.get("h"); ok && !slices.Contains(splitList(h), "sha256") {
		return nil, badKey("not for SHA-256")
	}
	if s := splitList(list.or("s", "*")); !slices.Contains(s, "*") && !slices.Contains(s, "email") {
		return nil, badKey("not for e-mail")
	}
	p, ok := list.get("p")
	if !ok {
		return nil, badKey("no p=")
	}
	if p == "" {
		return nil, ErrRevoked
	}
	octets, err := decode64(p)
	if err != nil {
		return nil, badKey("p= is %v", err)
	}
	k, err := parsePublic(list.or("k", "rsa"), octets)
	if err != nil {
		return nil, err
	}
	k.strict = slices.Contains(splitList(list.or("t", "")), "s")
	return k, nil
}

func parsePublic(kind string, octets []byte) (*Key, error) {
	switch strings.ToLower(kind) {
	case "rsa":
		return parseRSA(octets)
	case "ed25519": // RFC 8463, section 4
		if len(octets) != ed25519.PublicKeySize {
			return nil, badKey("an Ed25519 key of %d octets", len(octets))
		}
		return &Key{public: ed25519.PublicKey(octets), bits: 256}, nil
	}
	return nil, badKey("k=%q", shorten(kind))
}

// parseRSA reads a SubjectPublicKeyInfo, which is what records hold, or a bare
// RSAPublicKey, which is what RFC 6376, section 3.6.1, asks for (erratum 3017).
func parseRSA(octets []byte) (*Key, error) {
	if len(octets) > maxBits/8+100 {
		return nil, badKey("an RSA key of more than %d bits", maxBits)
	}
	public, err := x509.ParsePKCS1PublicKey(octets)
	if err != nil {
		other, err := x509.ParsePKIXPublicKey(octets)
		if err != nil {
			return nil, badKey("p= is no RSA key")
		}
		var ok bool
		if public, ok = other.(*rsa.PublicKey); !ok {
			return nil, badKey("p= is a key of another kind than RSA")
		}
	}
	bits := public.N.BitLen()
	switch {
	case bits > maxBits:
		return nil, badKey("an RSA key of %d bits", bits)
	case public.N.Bit(0) == 0 || public.E < 3 || public.E%2 == 0 || public.E > 1<<31-1:
		return nil, badKey("no RSA key can be such")
	}
	return &Key{public: public, bits: bits}, nil
}
