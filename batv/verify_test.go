package batv

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestExpiry looks at every tag on each of the thousand days that follow.
func TestExpiry(t *testing.T) {
	for _, lifetime := range []int{0, 1, 7, 10, 30, 100, 365, 500, 996, 997} {
		for _, start := range []int{19723, 19989, 19990, 19993, 19999, 20000, 20001, 20500, 0, 999} {
			s := secretScheme(t, LayoutPRVS)
			s.Lifetime = lifetime
			tagged, err := s.Sign("user@example.com", noon(start))
			if err != nil {
				t.Fatal(err)
			}
			for offset := -1; offset < 999; offset++ {
				want, left := Expired, lifetime-offset
				if offset <= lifetime {
					want = Valid
				}
				got := s.Verify(tagged, noon(start+offset))
				if got.Result != want || got.DaysLeft != left {
					t.Fatalf("lifetime %d, signed on day %d: %d days later %v with %d days left, want %v with %d",
						lifetime, start, offset, got.Result, got.DaysLeft, want, left)
				}
			}
			if got := s.Verify(tagged, noon(start+999)); got.Result != Valid || got.DaysLeft != lifetime+1 {
				t.Errorf("lifetime %d: 999 days later %v with %d days left, want valid as on the day before signing",
					lifetime, got.Result, got.DaysLeft)
			}
		}
	}
}

// TestExpiryNever shows the lifetimes whose tags have no day left on which to
// be expired.
func TestExpiryNever(t *testing.T) {
	for _, lifetime := range []int{998, 999} {
		s := secretScheme(t, LayoutPRVS)
		s.Lifetime = lifetime
		tagged, err := s.Sign("user@example.com", noon(19723))
		if err != nil {
			t.Fatal(err)
		}
		for offset := range 1000 {
			if got := s.Verify(tagged, noon(19723+offset)); got.Result != Valid {
				t.Fatalf("lifetime %d: %d days later %v", lifetime, offset, got.Result)
			}
		}
	}
}

// TestExpiryMidnight holds that days begin at midnight UTC.
func TestExpiryMidnight(t *testing.T) {
	s := secretScheme(t, LayoutPRVS)
	tagged := "prvs=0730576ed6=user@example.com"
	end := time.Unix(19731*secondsPerDay, 0)
	if got := s.Verify(tagged, end.Add(-1)); got.Result != Valid || got.DaysLeft != 0 {
		t.Errorf("in the last second: %v", got.Result)
	}
	if got := s.Verify(tagged, end.In(time.FixedZone("west", -11*3600))); got.Result != Expired || got.DaysLeft != -1 {
		t.Errorf("after the last second: %v", got.Result)
	}
}

func TestDayOf(t *testing.T) {
	for _, c := range []struct {
		seconds int64
		want    Day
	}{{0, 0}, {86399, 0}, {86400, 1}, {-1, -1}, {-86400, -1}, {-86401, -2}, {19723 * 86400, 19723}} {
		if got := DayOf(time.Unix(c.seconds, 0)); got != c.want {
			t.Errorf("DayOf(%d s) = %d, want %d", c.seconds, got, c.want)
		}
	}
}

// TestVerifyLifetimeBounds holds that impossible lifetimes stand for the
// nearest possible one.
func TestVerifyLifetimeBounds(t *testing.T) {
	s := secretScheme(t, LayoutPRVS)
	for _, c := range []struct {
		lifetime, day int
		want          Result
	}{{-5, 19730, Valid}, {-5, 19729, Valid}, {-5, 19728, Expired}, {-5, 19731, Expired}, {5000, 19731, Valid}} {
		s.Lifetime = c.lifetime
		if got := s.Verify("prvs=0730576ed6=user@example.com", noon(c.day)); got.Result != c.want {
			t.Errorf("lifetime %d, day %d: %v, want %v", c.lifetime, c.day, got.Result, c.want)
		}
	}
}

// TestVerifyAfterHops takes signed addresses through what mail systems do to
// addresses on their way.
func TestVerifyAfterHops(t *testing.T) {
	for _, c := range []struct {
		name, signed string
		layout       Layout
		from, to     string // what the hop replaces in the tagged address
		bare         string
	}{
		{"tag word raised", "user@example.com", LayoutPRVS, "prvs=", "PRVS=", "user@example.com"},
		{"domain raised", "user@example.com", LayoutPRVS, "example.com", "EXAMPLE.Com", "user@EXAMPLE.Com"},
		{"local part lowered", "User@example.com", LayoutSubaddress, "User", "user", "user@example.com"},
		{"quotes added", "user@example.com", LayoutPRVS, "prvs=0730576ed6=user", `"prvs=0730576ed6=user"`, `"user"@example.com`},
		{"quotes removed", `"user"@example.com`, LayoutSubaddress, `"user+prvs=0730576ed6"`, "user+prvs=0730576ed6", "user@example.com"},
		{"quoted-pair resolved", `"us\er"@example.com`, LayoutPRVS, `us\er`, "user", `"user"@example.com`},
		{"to A-labels", "user@bücher.example.com", LayoutPRVS, "bücher", "xn--bcher-kva", "user@xn--bcher-kva.example.com"},
		{"to U-labels", "user@xn--bcher-kva.example.com", LayoutPRVS, "xn--bcher-kva", "bücher", "user@bücher.example.com"},
		{"U-labels raised", "user@bücher.example.com", LayoutSubaddress, "bücher", "BÜCHER", "user@BÜCHER.example.com"},
	} {
		s := secretScheme(t, c.layout)
		tagged, err := s.Sign(c.signed, noon(19723))
		if err != nil || !strings.Contains(tagged, c.from) {
			t.Errorf("%s: Sign(%q) = %q, %v", c.name, c.signed, tagged, err)
			continue
		}
		hop := strings.Replace(tagged, c.from, c.to, 1)
		if got := s.Verify(hop, noon(19723)); got.Result != Valid || got.Bare() != c.bare {
			t.Errorf("%s: Verify(%q) = %v, bare %q, want %q", c.name, hop, got.Result, got.Bare(), c.bare)
		}
	}
}

// TestForgedBeforeExpired holds that a wrong signature is found first.
func TestForgedBeforeExpired(t *testing.T) {
	s := secretScheme(t, LayoutPRVS)
	for day := 19723; day < 20723; day += 111 {
		if got := s.Verify("prvs=0730576ed7=user@example.com", noon(day)); got.Result != Forged || got.DaysLeft != 0 {
			t.Errorf("on day %d: %v, %d days left", day, got.Result, got.DaysLeft)
		}
	}
}

// TestForgedEverywhere changes each part that the signature covers.
func TestForgedEverywhere(t *testing.T) {
	s := secretScheme(t, LayoutPRVS)
	for _, address := range []string{
		"prvs=0731576ed6=user@example.com",
		"prvs=0730576ed6=usер@example.com",
		"prvs=0730576ed6=user1@example.com",
		"prvs=0730576ed6=user@example.org",
		"prvs=0730576ed6=user@example.com.",
		"prvs=0730676ed6=user@example.com",
		"user+a+prvs=0730576ed6@example.com",
	} {
		got := s.Verify(address, noon(19723))
		if got.Result != Forged || got.Key != 0 || got.Bare() == "" {
			t.Errorf("Verify(%q) = %v, key %d, bare %q", address, got.Result, got.Key, got.Bare())
		}
	}
}

func TestMissing(t *testing.T) {
	s := secretScheme(t, LayoutPRVS)
	for _, address := range []string{
		"", "<>", "user", "user@example.com", "@", "@@", `"`, `"\`, `"@`, "\x00",
		"<prvs=0730576ed6=user@example.com>",
		"prvs=0730576ed6=user",
		"prvs=0730576ed6=@example.com",
		"prvs=0730576ed6@example.com",
		"prvs=0730576ed=user@example.com",
		"prvs=0730576ed66=user@example.com",
		"prvs=0730576edg=user@example.com",
		"prvs=a730576ed6=user@example.com",
		"prvs=07x0576ed6=user@example.com",
		"prvs=0730576ed6+user@example.com",
		"prv=0730576ed6=user@example.com",
		"+prvs=0730576ed6@example.com",
		"user=prvs=0730576ed6@example.com",
		"user+prvs=0730576ed6+x@example.com",
		`"user\+prvs=0730576ed6"@example.com`,
		"@example.net:prvs=0730576ed6=user@example.com",
		"prvs=0730576ed6=us er@example.com",
		"prvs=0730576ed6=user@example.com\n",
		"prvs=0730576ed6=" + strings.Repeat("a", 2000) + "@example.com",
		"btv1==760cdc7c545==@example.com",
		"btv1====user@example.com",
		"btv1=760cdc7c545=user@example.com",
		"msprvs1==user@example.com",
		"msprvs1=17353dDNJGUPh=@example.com",
		"prvs=joe=123ABCDEF@example.com",
		"prvs==123ABCDEFG@example.com",
		"prvs=joe=123ABC-EFG@example.com",
	} {
		got := s.Verify(address, noon(19723))
		if got != (Verdict{Result: Missing, Layout: LayoutNone, Key: -1}) || got.Bare() != "" {
			t.Errorf("Verify(%q) = %v %v, key %d, bare %q", address, got.Result, got.Layout, got.Key, got.Bare())
		}
	}
}

// TestMissingKey holds that a tag with an unknown key counts as none and can
// yet be taken off.
func TestMissingKey(t *testing.T) {
	s := secretScheme(t, LayoutPRVS)
	for address, layout := range map[string]Layout{
		"prvs=3730576ed6=user@example.com": LayoutPRVS,
		"user+prvs=3730576ed6@example.com": LayoutSubaddress,
		"user-prvs=3730576ed6@example.com": LayoutSubaddress,
	} {
		got := s.Verify(address, noon(19723))
		if got.Result != Missing || got.Layout != layout || got.Key != 3 || got.Bare() != "user@example.com" {
			t.Errorf("Verify(%q) = %v %v, key %d, bare %q", address, got.Result, got.Layout, got.Key, got.Bare())
		}
	}
}

func TestForeignDomain(t *testing.T) {
	own := Scheme{Lifetime: 7, Keys: mustKeyring(t,
		Key{Secret: []byte("secret"), Signing: true, Domains: []string{"example.com", "bücher.example.org."}})}
	for address, want := range map[string]Result{
		"prvs=0730576ed6=user@example.com":               Valid,
		"prvs=0730576ed6=user@EXAMPLE.com":               Valid,
		"prvs=0730576ed6=user@example.com.":              Forged,
		"prvs=0730576ed6=user@bücher.example.org":        Forged,
		"prvs=0730576ed6=user@BÜCHER.example.org":        Forged,
		"prvs=0730576ed6=user@xn--bcher-kva.example.org": Forged,
		"prvs=0730576ed6=user@example.net":               Foreign,
		"prvs=0730576ed6=user@sub.example.com":           Foreign,
		"user+prvs=0730576ed6@example.net":               Foreign,
		"prvs=0730576ed6=user@bücher.example.net":        Foreign,
		"user@example.net":                               Missing,
	} {
		got := own.Verify(address, noon(19723))
		if got.Result != want {
			t.Errorf("Verify(%q) = %v, want %v", address, got.Result, want)
		}
		if want == Foreign && (got.Key != -1 || got.Layout == LayoutNone || got.Bare() != "") {
			t.Errorf("Verify(%q): %v, key %d, bare %q: a foreign tag is not ours to take off", address, got.Layout, got.Key, got.Bare())
		}
	}
	if got := (&Scheme{}).Verify("prvs=0730576ed6=user@example.com", noon(19723)); got.Result != Foreign {
		t.Errorf("without keys: %v", got.Result)
	}
}

// TestRetired follows a key that stops signing in the middle of day 19730.
func TestRetired(t *testing.T) {
	retired := noon(19730)
	s := &Scheme{Layout: LayoutPRVS, Lifetime: 7, Keys: mustKeyring(t,
		Key{Number: 0, Secret: []byte("secret"), Signing: true, Retired: retired},
		Key{Number: 1, Secret: []byte("next"), SignFrom: retired})}
	last, err := s.Sign("user@example.com", retired.Add(-time.Second))
	if err != nil || !strings.HasPrefix(last, "prvs=0737") {
		t.Fatalf("before it retires: Sign = %q, %v", last, err)
	}
	if next, err := s.Sign("user@example.com", retired); err != nil || !strings.HasPrefix(next, "prvs=1737") {
		t.Fatalf("once it has retired: Sign = %q, %v", next, err)
	}
	if got := s.Verify(last, noon(19737)); got.Result != Valid || got.DaysLeft != 0 {
		t.Errorf("on its tags' last day: %v", got.Result)
	}
	got := s.Verify(last, noon(19738))
	if got.Result != Missing || got.Key != 0 || got.Bare() != "user@example.com" {
		t.Errorf("a lifetime later: %v, key %d, bare %q", got.Result, got.Key, got.Bare())
	}
	if got := s.Verify(last, noon(20730)); got.Result != Missing {
		t.Errorf("when the date comes round: %v", got.Result)
	}
}

// TestDomainKeys holds that keys of a domain and keys for all domains verify
// side by side, even with one number.
func TestDomainKeys(t *testing.T) {
	general := Key{Number: 0, Secret: []byte("general"), Signing: true}
	own := Key{Number: 0, Secret: []byte("own"), Signing: true, Domains: []string{"example.com"}}
	alone := func(k Key) *Scheme {
		return &Scheme{Layout: LayoutPRVS, Lifetime: 7, Keys: mustKeyring(t, k)}
	}
	both := &Scheme{Layout: LayoutPRVS, Lifetime: 7, Keys: mustKeyring(t, general, own)}
	for _, domain := range []string{"example.com", "example.org"} {
		address := "user@" + domain
		byGeneral, _ := alone(general).Sign(address, noon(19723))
		byOwn, _ := alone(own).Sign(address, noon(19723))
		want := byGeneral
		if domain == "example.com" {
			want = byOwn
			if got := both.Verify(byOwn, noon(19723)); got.Result != Valid {
				t.Errorf("signed with the domain's own key: %v", got.Result)
			}
		}
		if got, err := both.Sign(address, noon(19723)); err != nil || got != want {
			t.Errorf("Sign(%q) = %q, %v, want %q", address, got, err, want)
		}
		if got := both.Verify(byGeneral, noon(19723)); got.Result != Valid {
			t.Errorf("%s, signed with the key for all domains: %v", domain, got.Result)
		}
	}
}

func TestStrings(t *testing.T) {
	got := fmt.Sprint(Missing, Valid, Expired, Forged, Foreign, Result(7), LayoutNone, LayoutPRVS, LayoutSubaddress, Layout(7))
	want := "missing valid expired forged foreign Result(7) none prvs subaddress Layout(7)"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
