package batv

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Key is one secret and the times at which it is used. A key signs from
// SignFrom (from the beginning where that is zero and Signing is set) until
// Retired; a key with neither Signing nor SignFrom only verifies. Printing a
// Key, with any verb, never shows its secret.
type Key struct {
	Number   int       // the K digit of the tag, 0 to 9
	Secret   []byte    `json:"-"` // 1 to 1024 octets; keys of one's own have 32 random ones
	Signing  bool      // this key signs; within a set of domains one key does
	SignFrom time.Time // it signs from then on; until then it verifies only; zero: no such time
	Retired  time.Time // it stops signing then, and verifies for a lifetime longer; zero: never
	Created  time.Time // zero: not known
	Domains  []string  // the domains it is for, A- or U-labels; none: all
}

// String describes the key without its secret.
func (k Key) String() string {
	parts := []string{fmt.Sprintf("key %d", k.Number)}
	if k.Signing {
		parts = append(parts, "signing")
	}
	for _, at := range []struct {
		name string
		time time.Time
	}{{"sign_from", k.SignFrom}, {"retired", k.Retired}, {"created", k.Created}} {
		if !at.time.IsZero() {
			parts = append(parts, at.name+" "+at.time.UTC().Format(time.RFC3339))
		}
	}
	if len(k.Domains) > 0 {
		parts = append(parts, "domains "+strings.Join(k.Domains, " "))
	}
	return strings.Join(append(parts, "secret not shown"), ", ")
}

// Format writes String whatever the verb, %#v and %d included.
func (k Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, k.String()) }

// LogValue describes the key without its secret.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

func (k Key) clone() Key {
	k.Secret = slices.Clone(k.Secret)
	k.Domains = slices.Clone(k.Domains)
	return k
}

// signs reports whether the key is ever meant to sign.
func (k *Key) signs() bool { return k.Signing || !k.SignFrom.IsZero() }

// signsAt reports whether the key may sign at that time.
func (k *Key) signsAt(now time.Time) bool {
	return k.signs() && !now.Before(k.SignFrom) &&
		(k.Retired.IsZero() || now.Before(k.Retired))
}

// start is the time by which the newer of two signing keys is known.
func (k *Key) start() time.Time {
	if !k.SignFrom.IsZero() {
		return k.SignFrom
	}
	return k.Created
}

// newerThan orders keys that may both sign. At the same start the one that was
// given a date to take over has done so.
func (k *Key) newerThan(other *Key) bool {
	if c := k.start().Compare(other.start()); c != 0 {
		return c > 0
	}
	return !k.SignFrom.IsZero() && other.SignFrom.IsZero()
}

// verifiesOn reports whether a tag signed before the key was retired may still
// be valid on that day.
func (k *Key) verifiesOn(day Day, lifetime int) bool {
	return k.Retired.IsZero() || day <= DayOf(k.Retired)+Day(lifetime)
}
