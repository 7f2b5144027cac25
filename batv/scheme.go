package batv

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Layout is where a tag stands in an address.
type Layout uint8

const (
	LayoutNone       Layout = iota // no tag
	LayoutPRVS                     // in front: prvs=KDDDSSSSSS=local@domain
	LayoutSubaddress               // as the extension: local+prvs=KDDDSSSSSS@domain
)

// String returns none, prvs or subaddress.
func (l Layout) String() string {
	switch l {
	case LayoutNone:
		return "none"
	case LayoutPRVS:
		return "prvs"
	case LayoutSubaddress:
		return "subaddress"
	}
	return fmt.Sprintf("Layout(%d)", uint8(l))
}

// Result is what verifying an address found.
type Result uint8

const (
	Missing Result = iota // no tag, or one whose key is not (or no longer) held for the domain
	Valid                 // the signature is right and the tag has not expired
	Expired               // the signature is right, the tag is too old
	Forged                // the signature is wrong
	Foreign               // a tag of another scheme, or of a domain that no key is for
)

// String returns missing, valid, expired, forged or foreign.
func (r Result) String() string {
	switch r {
	case Missing:
		return "missing"
	case Valid:
		return "valid"
	case Expired:
		return "expired"
	case Forged:
		return "forged"
	case Foreign:
		return "foreign"
	}
	return fmt.Sprintf("Result(%d)", uint8(r))
}

// Day is a number of whole days since 1970-01-01 UTC.
type Day int

const secondsPerDay = 24 * 60 * 60

// DayOf returns the day on which t falls in UTC.
func DayOf(t time.Time) Day {
	seconds := t.Unix()
	day := seconds / secondsPerDay
	if seconds%secondsPerDay < 0 {
		day--
	}
	return Day(day)
}

// expiryCycle is the number of days after which DDD begins anew.
const expiryCycle = 1000

// daysUntil returns the days from d to the next day that ends in the digits
// expiry: 0 to 999.
func (d Day) daysUntil(expiry int) int {
	days := (expiry - int(d)) % expiryCycle
	if days < 0 {
		days += expiryCycle
	}
	return days
}

// Reasons for which Sign leaves an address alone.
var (
	ErrNullSender = errors.New("the null sender is never signed")
	ErrNotAddress = errors.New("not a mail address")
	ErrTagged     = errors.New("the address carries a tag already")
	ErrRewritten  = errors.New("the address was rewritten by SRS")
	ErrTooLong    = errors.New("the address would be too long with a tag (local part over 64 octets or path over 256)")
	ErrNoKey      = errors.New("no key signs for this domain")
)

// Scheme is how a site signs: its keys, the layout of its tags and how long
// they live. Its methods may be called by many goroutines at once as long as
// nobody changes it.
type Scheme struct {
	Keys      *Keyring
	Layout    Layout // of the tags that Sign makes; Verify takes both
	Delimiter byte   // recipient delimiter of LayoutSubaddress; 0 is "+"; Verify takes "+" and "-" as well
	Lifetime  int    // days, 0 to 999; from 998 on nothing ever expires, as DDD begins anew after 1000
}

// Sign returns the address, given without angle brackets, with a tag that
// expires Lifetime days after now. The rest of the address stays as written.
// On one day it gives one address always the same tag, unless the key changes.
//
// It answers ErrNullSender, ErrNotAddress, ErrTagged, ErrRewritten, ErrTooLong
// or ErrNoKey for addresses that must go out as they are, and another error if
// the Scheme itself is unsound.
func (s *Scheme) Sign(address string, now time.Time) (string, error) {
	if err := s.check(); err != nil {
		return "", err
	}
	m, err := s.signable(address)
	if err != nil {
		return "", err
	}
	if s.Keys == nil {
		return "", ErrNoKey
	}
	var buffer [maxDomain]byte
	domain := s.Keys.canonicalDomain(buffer[:0], m.domain)
	key := s.Keys.signer(domain, now)
	if key == nil {
		return "", ErrNoKey
	}
	prefix := tagPrefix(key.Number, DayOf(now)+Day(s.Lifetime))
	return s.insert(m, prefix, key.sign(prefix, m, domain)), nil
}

// Signable tells whether the address has a form that Sign signs, without
// asking for a key: nil, ErrNullSender, ErrNotAddress, ErrTagged, ErrRewritten
// or ErrTooLong. An address for which it answers an error cannot miss its tag.
func (s *Scheme) Signable(address string) error {
	_, err := s.signable(address)
	return err
}

func (s *Scheme) signable(address string) (mailbox, error) {
	if address == "" || address == "<>" {
		return mailbox{}, ErrNullSender
	}
	m, ok := parseMailbox(address)
	switch {
	case !ok:
		return mailbox{}, ErrNotAddress
	case isTagged(m, s.delimiter()):
		return mailbox{}, ErrTagged
	case isRewritten(m.local):
		return mailbox{}, ErrRewritten
	case len(address)-len(m.domain)-1+tagLength > maxLocal || len(address)+tagLength+2 > maxPath:
		return mailbox{}, ErrTooLong
	}
	return m, nil
}

// check reports settings with which no sound tag can be made.
func (s *Scheme) check() error {
	if s.Layout != LayoutPRVS && s.Layout != LayoutSubaddress {
		return fmt.Errorf("cannot sign with layout %s: must be prvs or subaddress", s.Layout)
	}
	if s.Lifetime < 0 || s.Lifetime >= expiryCycle {
		return fmt.Errorf("cannot sign for %d days: must be 0 to 999", s.Lifetime)
	}
	if c := s.delimiter(); strings.IndexByte("!#$%&'*+-./?^_`{|}~", c) < 0 {
		return fmt.Errorf("cannot sign with delimiter %q: must be a mark that may stand in a local part, such as +", c)
	}
	return nil
}

func (s *Scheme) delimiter() byte {
	if s.Delimiter == 0 {
		return '+'
	}
	return s.Delimiter
}

// tagPrefix returns KDDD.
func tagPrefix(number int, expiry Day) string {
	ddd := Day(0).daysUntil(int(expiry))
	return string([]byte{
		'0' + byte(number), '0' + byte(ddd/100), '0' + byte(ddd/10%10), '0' + byte(ddd%10),
	})
}

// insert puts a tag into a mailbox, within its quotes if it has any.
func (s *Scheme) insert(m mailbox, prefix string, sum [sumLength]byte) string {
	const hex = "0123456789abcdef"
	b := make([]byte, 0, maxPath)
	if m.quoted {
		b = append(b, '"')
	}
	if s.Layout == LayoutSubaddress {
		b = append(b, m.local...)
		b = append(b, s.delimiter())
	}
	b = append(b, tagWord...)
	b = append(b, prefix...)
	for _, octet := range sum {
		b = append(b, hex[octet>>4], hex[octet&15])
	}
	if s.Layout == LayoutPRVS {
		b = append(b, '=')
		b = append(b, m.local...)
	}
	if m.quoted {
		b = append(b, '"')
	}
	b = append(b, '@')
	return string(append(b, m.domain...))
}

// Verify tells what the tag of an address, given without angle brackets, is
// worth. It takes any text: what is no address carries no tag. The
// signature is looked at before the date, so a tag that is wrong in both is
// Forged. It allocates nothing, so a flood of forgeries costs no memory, but
// for a domain in U-labels that has not been seen lately.
func (s *Scheme) Verify(address string, now time.Time) Verdict {
	m, ok := parseMailbox(address)
	if !ok {
		return Verdict{Key: -1}
	}
	t, ok := findTag(m, s.delimiter())
	if !ok {
		if isForeign(m.local) {
			return Verdict{Result: Foreign, Key: -1}
		}
		return Verdict{Key: -1}
	}
	if s.Keys == nil {
		return Verdict{Result: Foreign, Layout: t.layout, Key: -1}
	}
	var buffer [maxDomain]byte
	domain := s.Keys.canonicalDomain(buffer[:0], m.domain)
	own, general := s.Keys.sets(domain)
	if own == nil && general == nil {
		return Verdict{Result: Foreign, Layout: t.layout, Key: -1}
	}
	v := Verdict{Layout: t.layout, Key: t.number, address: address, from: t.from, to: t.to}
	today, lifetime := DayOf(now), min(max(s.Lifetime, 0), expiryCycle-1)
	v.Result, v.KeyID = signature(&t, domain, own.held(t.number, today, lifetime), general.held(t.number, today, lifetime))
	if v.Result == Valid {
		v.DaysLeft = today.daysUntil(t.expiry)
		if v.DaysLeft > lifetime+clockSkew {
			v.Result = Expired
			v.DaysLeft -= expiryCycle
		}
	}
	return v
}

// clockSkew is the number of days that the signer's clock may be ahead of ours.
// See the package documentation for why the far end has no such allowance.
const clockSkew = 1

// signature checks the tag with the keys that may have made it, of which each
// may be nil: Valid with the key that matches, Forged with the first one that
// does not, or Missing where there is no such key.
func signature(t *tag, domain []byte, keys ...*ringKey) (Result, KeyID) {
	result, id := Missing, KeyID{}
	for _, k := range keys {
		switch {
		case k == nil:
			continue
		case k.matches(t, domain):
			return Valid, k.id
		case result == Missing:
			result, id = Forged, k.id
		}
	}
	return result, id
}

// Verdict is the answer of Verify.
type Verdict struct {
	Result Result
	Layout Layout // of the tag, where it has our form; else LayoutNone
	Key    int    // the tag's key number, held or not; -1: no tag of our form, or Foreign
	// DaysLeft is how many days the tag stays valid after today, when Valid (0
	// on its last day), and minus the days since then, when Expired. As the
	// date has three digits, the latter is right modulo 1000.
	DaysLeft int
	// KeyID tells which key that number stands for: the one that matched, or
	// when Forged the one that did not. Zero otherwise.
	KeyID KeyID

	address  string
	from, to int // the tag in address
}

// Bare returns the address without its tag, or "" where there is no tag that
// may be taken off: none at all, or a foreign one. Only where the tag does not
// begin the address (LayoutSubaddress, quoted local parts) is it put together
// anew, which allocates.
func (v Verdict) Bare() string {
	return v.address[:v.from] + v.address[v.to:]
}
