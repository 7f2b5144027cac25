package batv

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func ringOf(t *testing.T, keys ...Key) *Keyring {
	t.Helper()
	r, err := NewKeyring(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func states(r *Keyring) string {
	var all []string
	for _, k := range r.Keys() {
		all = append(all, k.String())
	}
	return strings.ReplaceAll(strings.Join(all, "\n"), ", secret not shown", "")
}

func TestRotate(t *testing.T) {
	first := Key{Number: 8, Secret: []byte("first"), Signing: true, Created: noon(0)}
	r, done, err := ringOf(t, first).Rotate(noon(100), RotateOptions{Wait: 24 * time.Hour, Lifetime: 10})
	if err != nil {
		t.Fatal(err)
	}
	want := `key 8, signing, retired 1970-04-12T12:00:00Z, created 1970-01-01T12:00:00Z
key 9, sign_from 1970-04-12T12:00:00Z, created 1970-04-11T12:00:00Z`
	if got := states(r); got != want {
		t.Errorf("announced:\n%s\nwant:\n%s", got, want)
	}
	if !done.Added || done.Next.Number != 9 || len(done.Next.Secret) != 32 || len(done.Retired) != 1 || len(done.Dropped) != 0 {
		t.Errorf("%+v", done)
	}

	// Until then there is nothing more to announce, but it can sign earlier.
	if _, _, err := r.Rotate(noon(100).Add(time.Hour), RotateOptions{Wait: 24 * time.Hour, Lifetime: 10}); !errors.Is(err, ErrAnnounced) {
		t.Errorf("a second time: %v", err)
	}
	early, done, err := r.Rotate(noon(100).Add(time.Hour), RotateOptions{Lifetime: 10})
	if err != nil {
		t.Fatal(err)
	}
	want = `key 8, signing, retired 1970-04-11T13:00:00Z, created 1970-01-01T12:00:00Z
key 9, sign_from 1970-04-11T13:00:00Z, created 1970-04-11T12:00:00Z`
	if got := states(early); got != want || done.Added {
		t.Errorf("earlier:\n%s\nwant:\n%s", got, want)
	}

	// A lifetime and a day after its last tag the first key is dropped.
	for day, kept := range map[int]bool{101 + 10 + 1: true, 101 + 10 + 2: false} {
		later, done, err := r.Rotate(noon(day), RotateOptions{Wait: 24 * time.Hour, Lifetime: 10})
		if err != nil {
			t.Fatal(err)
		}
		if has := later.Keys()[0].Number == 8; has != kept || kept == (len(done.Dropped) == 1) || done.Next.Number != 0 {
			t.Errorf("day %d: %s", day, states(later))
		}
	}
}

// Whoever rotates without a pause gets a sound file each time.
func TestRotateAtOnceAgain(t *testing.T) {
	r := ringOf(t, Key{Secret: []byte("first"), Signing: true})
	for i := range 10 {
		var err error
		if r, _, err = r.Rotate(noon(5), RotateOptions{Lifetime: 10}); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	// The third key signs a second after the second one, and until then it is
	// announced: nothing more is added.
	if k, ok := r.Signer("", noon(6)); !ok || k.Number != 2 || len(r.Keys()) != 3 {
		t.Errorf("key %d signs:\n%s", k.Number, states(r))
	}
}

func TestRotateTenNumbers(t *testing.T) {
	keys := []Key{{Number: 3, Secret: []byte("3"), Signing: true}}
	for n := range 10 {
		if n != 3 {
			keys = append(keys, Key{Number: n, Secret: []byte{byte(n)}, Signing: false, SignFrom: noon(n), Retired: noon(50 + n)})
		}
	}
	r := ringOf(t, keys...)
	_, _, err := r.Rotate(noon(60), RotateOptions{Wait: time.Hour, Lifetime: 10})
	if want := "all ten numbers for all domains are in use: the first to come free is 0, retired 1970-02-20, a lifetime and a day later"; err == nil || err.Error() != want {
		t.Errorf("error: %v", err)
	}
	if _, done, err := r.Rotate(noon(62), RotateOptions{Wait: time.Hour, Lifetime: 10}); err != nil || done.Next.Number != 0 || len(done.Dropped) != 1 {
		t.Errorf("when one is free: %v, %v", done.Next, err)
	}
	for i := range keys {
		keys[i].Retired, keys[i].SignFrom = time.Time{}, time.Time{}
	}
	_, _, err = ringOf(t, keys...).Rotate(noon(60), RotateOptions{Lifetime: 10})
	if want := "all ten numbers for all domains are in use: retire keys, or delete those that never sign, first"; err == nil || err.Error() != want {
		t.Errorf("error: %v", err)
	}
}

func TestRotateDomains(t *testing.T) {
	general := Key{Number: 1, Secret: []byte("general"), Signing: true}
	own := Key{Number: 1, Secret: []byte("own"), Signing: true, Domains: []string{"Bücher.example.com", "example.net"}}
	r, done, err := ringOf(t, general, own).Rotate(noon(9), RotateOptions{Domain: "EXAMPLE.net", Wait: time.Hour, Lifetime: 7})
	if err != nil {
		t.Fatal(err)
	}
	if done.Next.Number != 2 || !slices.Equal(done.Next.Domains, own.Domains) || len(done.Retired) != 1 || done.Retired[0].ID() != own.ID() {
		t.Errorf("%+v", done)
	}
	if k, _ := r.Signer("example.org", noon(99)); k.ID() != general.ID() {
		t.Error("the key for all domains does not sign any more")
	}
	for name, c := range map[string]struct {
		keys   []Key
		domain string
		want   string
	}{
		"no such domain": {[]Key{general, own}, "example.org", `no key is for "example.org" alone`},
		"none general":   {[]Key{own}, "", "no key is for all domains: name one of the domains that have keys"},
		"sets that overlap": {[]Key{own, {Number: 2, Secret: []byte("x"), Domains: []string{"example.net"}}}, "xn--bcher-kva.example.com",
			"key number 2 is for example.net and for other domains, too: give the domains that share a key the same list in every key"},
	} {
		if _, _, err := ringOf(t, c.keys...).Rotate(noon(9), RotateOptions{Domain: c.domain}); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// host is one of two that share a key file: its clock is wrong by offset, and
// it reads a file lag after that was written.
type host struct {
	offset, lag   time.Duration
	before, after *Keyring
	rotated       time.Time // true time
	lifetime      int
}

func (h host) scheme(at time.Time) *Scheme {
	keys := h.before
	if !at.Before(h.rotated.Add(h.lag)) {
		keys = h.after
	}
	return &Scheme{Keys: keys, Layout: LayoutPRVS, Lifetime: h.lifetime}
}

func (h host) sign(t *testing.T, at time.Time) string {
	tagged, err := h.scheme(at).Sign("alice@example.com", at.Add(h.offset))
	if err != nil {
		t.Fatal(err)
	}
	return tagged
}

func (h host) verify(tagged string, at time.Time) Verdict {
	return h.scheme(at).Verify(tagged, at.Add(h.offset))
}

// TestRotateTwoHosts has two hosts, whose clocks are up to twelve hours apart,
// sign at every hour of two weeks around a rotation, while the file reaches
// them within eleven hours. What comes back is valid on the other one for as
// long as a tag lives, and never taken for a forgery.
func TestRotateTwoHosts(t *testing.T) {
	const lifetime = 10
	rotated := noon(20000).Add(7*time.Hour + 13*time.Minute)
	before := ringOf(t, Key{Number: 4, Secret: []byte("before"), Signing: true})
	for _, apart := range []time.Duration{-12 * time.Hour, -7 * time.Hour, 0, 5 * time.Hour, 12 * time.Hour} {
		after, _, err := before.Rotate(rotated, RotateOptions{Wait: 24 * time.Hour, Lifetime: lifetime})
		if err != nil {
			t.Fatal(err)
		}
		for _, lags := range [][2]time.Duration{{0, 0}, {0, 11 * time.Hour}, {11 * time.Hour, 0}} {
			a := host{before: before, after: after, rotated: rotated, lifetime: lifetime, lag: lags[0]}
			b := host{before: before, after: after, rotated: rotated, lifetime: lifetime, lag: lags[1], offset: apart}
			signers := map[int]bool{}
			for hour := -7 * 24; hour <= 7*24; hour++ {
				at := rotated.Add(time.Duration(hour) * time.Hour)
				for _, pair := range [][2]host{{a, b}, {b, a}, {a, a}, {b, b}} {
					tagged := pair[0].sign(t, at)
					for back := time.Duration(0); back <= (lifetime-1)*24*time.Hour; back += 5 * time.Hour {
						v := pair[1].verify(tagged, at.Add(back))
						if v.Result != Valid {
							t.Fatalf("clocks %v apart, lags %v: signed %v after the rotation, back %v later: %v", apart, lags, at.Sub(rotated), back, v.Result)
						}
						signers[v.Key] = true
					}
				}
			}
			if !signers[4] || !signers[5] {
				t.Errorf("keys %v signed: no rotation was seen", signers)
			}
		}
	}
}

// Without a pause the other host may not know the key yet, and takes such a tag
// for none at all, but not for a forgery.
func TestRotateTwoHostsAtOnce(t *testing.T) {
	rotated := noon(20000)
	before := ringOf(t, Key{Number: 4, Secret: []byte("before"), Signing: true})
	after, _, err := before.Rotate(rotated, RotateOptions{Lifetime: 10})
	if err != nil {
		t.Fatal(err)
	}
	a := host{before: before, after: after, rotated: rotated, lifetime: 10}
	b := host{before: before, after: after, rotated: rotated, lifetime: 10, lag: 6 * time.Hour}
	seen := map[string]bool{}
	for hour := range 24 {
		at := rotated.Add(time.Duration(hour-2) * time.Hour)
		v := b.verify(a.sign(t, at), at)
		seen[fmt.Sprintf("%v %v", hour-2 >= 6 || hour < 2, v.Result)] = true
	}
	if len(seen) != 2 || !seen["true valid"] || !seen["false missing"] {
		t.Errorf("%v", seen)
	}
}
