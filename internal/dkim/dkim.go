package dkim

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"
)

// What is looked at of a header. What lies beyond is as if it had been cut off,
// which no signature can gain by.
const (
	maxHeader     = 256 << 10 // octets
	maxFields     = 4096
	maxSignatures = 100      // DKIM-Signature fields read, from the bottom up
	maxTried      = 8        // of them those of ours that are verified
	maxSignature  = 16 << 10 // octets of one such field
	maxTags       = 64
	maxNames      = 256 // in h=
	maxName       = 253 // octets of a DNS name
	maxDate       = 200 // octets of a Date that is read
)

// keyWait is how long one Verify waits for keys, for all of them together.
const keyWait = 2 * time.Second

// Status is what became of a signature: the later, the further it came.
type Status uint8

// The statuses. Only Pass proves anything, and no other disproves anything.
const (
	Untried        Status = iota // more of ours came below it than are tried
	Malformed                    // not a signature by the letter of the RFC, or cut
	NotOurs                      // d= is none of our domains
	Unsupported                  // an algorithm, canonicalisation or query method that is not known, or no longer trusted
	Expired                      // the message was sent after x=
	KeyUnavailable               // the key could not be asked for: may be known later
	KeyMissing                   // there is no such key
	KeyRevoked                   // the key has been withdrawn: p= is empty
	KeyUnfit                     // the key record is in error, or forbids this use
	Weak                         // an RSA key of less than 1024 bits
	Fail                         // the header, or the key, is not the one it was signed with or as
	FromUnsigned                 // it verifies, yet there is a From field that it does not cover, or none
	Pass                         // it verifies
)

// String gives the name of the status.
func (s Status) String() string {
	return [...]string{
		"untried", "malformed", "not ours", "unsupported", "expired", "key unavailable", "key missing",
		"key revoked", "key unfit", "weak key", "fail", "from unsigned", "pass",
	}[s]
}

// Options of Verify.
type Options struct {
	// Ours reports whether a d=, in lower case, is of this site. Whether names
	// below or above our domains are, it decides.
	Ours func(domain string) bool
	Keys KeySource
	// At is the time at which x= is judged where the signature does not cover
	// the Date or that cannot be read; else it is judged at the Date. Zero: such
	// a signature never expires.
	At time.Time
}

// Result of Verify.
type Result struct {
	// Signatures are those of the header, from the bottom up, at most 100.
	Signatures []Signature
	// Unread is how many more there were.
	Unread int
}

// A Signature is what became of one DKIM-Signature field, and who made it by
// its own account.
type Signature struct {
	Status   Status
	Err      error  // why it is neither Pass nor NotOurs nor Untried
	Domain   string // d= in lower case; "" where it could not be read
	Selector string // s= in lower case
	Identity string // i=, "@" and d= where there is none

	// Known with Pass alone.

	Algorithm string // "rsa" or "ed25519", with SHA-256
	KeyBits   int    // of an RSA modulus; 256 for Ed25519
	BodyHash  []byte // bh=, SHA-256 of the canonical body
	Repaired  bool   // lines that are no fields were joined to those above
	Signed    Signed
}

// Signed are the values that a signature covers, in one line each and not
// decoded, "" where it does not cover the field. Where fields of a name are
// several it is the lowest.
type Signed struct {
	From      []string // all there are, from the bottom up
	To        string
	Date      string
	MessageID string
	Sent      time.Time // Date, read; zero: not signed, or cannot be read
}

// Passed gives the first signature that passed.
func (r Result) Passed() (Signature, bool) {
	for _, s := range r.Signatures {
		if s.Status == Pass {
			return s, true
		}
	}
	return Signature{}, false
}

// Claimed reports whether the header may carry a signature of ours, verified or
// not: one that names a domain of ours, or one whose domain is not known, such
// as one that was cut.
func (r Result) Claimed() bool {
	for _, s := range r.Signatures {
		if s.Status != NotOurs {
			return true
		}
	}
	return r.Unread > 0
}

// Aligned reports whether d= speaks for a domain, in lower case: it is the same,
// above or below it. That is relaxed alignment (RFC 7489, section 3.1.1) but for
// names that only a common parent joins, which would take a list of public
// suffixes.
func (s Signature) Aligned(domain string) bool {
	return s.Domain != "" && domain != "" && (within(domain, s.Domain) || within(s.Domain, domain))
}

// A refusal is why a signature came no further.
type refusal struct {
	status Status
	reason string
}

func (r *refusal) Error() string { return r.reason }

func refuse(status Status, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// statusOf says what an error means, a refusal or one of a KeySource.
func statusOf(err error) Status {
	var why *refusal
	switch {
	case errors.As(err, &why):
		return why.status
	case errors.Is(err, ErrNoKey):
		return KeyMissing
	case errors.Is(err, ErrRevoked):
		return KeyRevoked
	case errors.As(err, new(*KeyError)):
		return KeyUnfit
	}
	return KeyUnavailable
}

// Verify verifies the signatures in a header, which may come with any line
// endings, with a postmark, and cut. It waits for keys, but for no longer than
// two seconds or until ctx ends.
func Verify(ctx context.Context, header []byte, o Options) Result {
	ctx, cancel := context.WithTimeout(ctx, keyWait)
	defer cancel()
	fields, strays := splitHeader(header, false)
	v := verifier{ctx: ctx, o: o, readings: []*reading{newReading(fields)}}
	if strays {
		joined, _ := splitHeader(header, true)
		v.readings = append(v.readings, newReading(joined))
	}
	all := v.readings[0].byName["dkim-signature"]
	var r Result
	for i := len(all) - 1; i >= 0 && len(r.Signatures) < maxSignatures; i-- {
		s := v.signature(all[i])
		if s.Status != NotOurs && s.Domain != "" {
			v.tried++
		}
		r.Signatures = append(r.Signatures, s)
	}
	r.Unread = len(all) - len(r.Signatures)
	return r
}

// verifier is at work on one header.
type verifier struct {
	ctx      context.Context
	o        Options
	readings []*reading // as it stands, and with stray lines joined
	tried    int        // signatures of ours
	buf      []byte
}

// signature judges the field of that number, in the reading that takes it
// furthest. Both readings have the same fields, of other lengths.
func (v *verifier) signature(own int) (best Signature) {
	for i, r := range v.readings {
		got := v.try(r, own)
		got.Repaired = i > 0 && got.Status == Pass
		if i == 0 || got.Status > best.Status {
			best = got
		}
		if best.Status == Pass {
			break
		}
	}
	return best
}

func (v *verifier) try(r *reading, own int) Signature {
	s, err := parseSignature(r.fields[own])
	out := Signature{Domain: s.domain, Selector: s.selector, Identity: s.identity}
	switch {
	case s.domain != "" && !v.o.Ours(s.domain):
		out.Status = NotOurs
	case s.domain != "" && v.tried >= maxTried:
		out.Status = Untried
	case err != nil:
		out.Status, out.Err = statusOf(err), err
	default:
		passed := out
		if out.Err = v.check(r, own, s, &passed); out.Err == nil {
			passed.Status = Pass
			return passed
		}
		out.Status = statusOf(out.Err)
	}
	return out
}

// check takes a signature of ours the rest of the way and notes what it covers.
func (v *verifier) check(r *reading, own int, s signature, out *Signature) error {
	picked := r.pick(s.names, own)
	out.Signed = r.signed(picked)
	at := out.Signed.Sent
	if at.IsZero() {
		at = v.o.At
	}
	if !s.expires.IsZero() && !at.IsZero() && at.After(s.expires) {
		return refuse(Expired, "expired on %s", s.expires.UTC().Format(time.DateOnly))
	}
	key, err := v.o.Keys.Key(v.ctx, s.selector, s.domain)
	if err != nil {
		return err
	}
	if err := key.fits(s); err != nil {
		return err
	}
	// RFC 6376, section 3.7: the fields, each with CRLF, then the signature's
	// own without.
	hash := sha256.New()
	for _, i := range picked {
		v.buf = append(r.fields[i].canonical(v.buf[:0], s.relaxed), "\r\n"...)
		hash.Write(v.buf)
	}
	v.buf = s.unsigned.canonical(v.buf[:0], s.relaxed)
	hash.Write(v.buf)
	if !key.verifies(hash.Sum(nil), s.signed) {
		return refuse(Fail, "the header is not what was signed, or was signed with another key")
	}
	if from := len(r.byName["from"]); from == 0 || from > len(out.Signed.From) {
		return refuse(FromUnsigned, "%d of %d From fields are signed", len(out.Signed.From), from)
	}
	out.Algorithm, out.KeyBits, out.BodyHash = s.algorithm, key.bits, s.bodyHash
	return nil
}

// signed gives the values of the fields that were picked.
func (r *reading) signed(picked []int) (s Signed) {
	once := func(to *string, f field) {
		if *to == "" {
			*to = f.text()
		}
	}
	for _, i := range picked {
		switch f := r.fields[i]; f.name {
		case "from":
			s.From = append(s.From, f.text())
		case "to":
			once(&s.To, f)
		case "date":
			once(&s.Date, f)
		case "message-id":
			once(&s.MessageID, f)
		}
	}
	if len(s.Date) <= maxDate {
		if t, err := mail.ParseDate(s.Date); err == nil {
			s.Sent = t
		}
	}
	return s
}

// fits says what keeps a key from being used for a signature.
func (k *Key) fits(s signature) error {
	_, isRSA := k.public.(*rsa.PublicKey)
	switch {
	case isRSA != (s.algorithm == "rsa"):
		return refuse(KeyUnfit, "the key is not one for %s", s.algorithm)
	case isRSA && k.bits < minBits: // RFC 8301, section 3.2
		return refuse(Weak, "an RSA key of %d bits", k.bits)
	case k.strict && !strings.EqualFold(s.identity[strings.LastIndexByte(s.identity, '@')+1:], s.domain):
		// RFC 6376, section 3.6.1, "s" of t=.
		return refuse(KeyUnfit, "the key does not allow i= below d=")
	}
	return nil
}

// verifies reports whether the signature is one of the hash. For Ed25519 the
// hash is what is signed (RFC 8463, section 3).
func (k *Key) verifies(hash, signature []byte) bool {
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, hash, signature) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(public, hash, signature)
	}
	return false
}
