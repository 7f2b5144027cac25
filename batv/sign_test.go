package batv

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// secretScheme signs with the secret of the vectors.
func secretScheme(t testing.TB, layout Layout) *Scheme {
	t.Helper()
	return &Scheme{
		Keys:     mustKeyring(t, Key{Secret: []byte("secret"), Signing: true}),
		Layout:   layout,
		Lifetime: 7,
	}
}

func TestSign(t *testing.T) {
	for _, c := range []struct {
		name, address, prvs, subaddress string
	}{
		{"plain", "user@example.com",
			"prvs=0730576ed6=user@example.com", "user+prvs=0730576ed6@example.com"},
		{"capitals stay and are not hashed", "User@Example.COM",
			"prvs=0730576ed6=User@Example.COM", "User+prvs=0730576ed6@Example.COM"},
		{"needless quotes stay and are not hashed", `"user"@example.com`,
			`"prvs=0730576ed6=user"@example.com`, `"user+prvs=0730576ed6"@example.com`},
		{"quoted-pairs stay and are not hashed", `"\u\ser"@example.com`,
			`"prvs=0730576ed6=\u\ser"@example.com`, `"\u\ser+prvs=0730576ed6"@example.com`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for layout, want := range map[Layout]string{LayoutPRVS: c.prvs, LayoutSubaddress: c.subaddress} {
				s := secretScheme(t, layout)
				got, err := s.Sign(c.address, noon(19723))
				if err != nil || got != want {
					t.Errorf("%v: Sign(%q) = %q, %v, want %q", layout, c.address, got, err, want)
				}
				if v := s.Verify(got, noon(19723)); v.Result != Valid || v.Layout != layout || v.Bare() != c.address {
					t.Errorf("Verify(%q) = %v %v, bare %q", got, v.Result, v.Layout, v.Bare())
				}
			}
		})
	}
}

// TestSignRoundTrip signs addresses whose form invites mistakes.
func TestSignRoundTrip(t *testing.T) {
	for _, address := range []string{
		"a=b@example.com",
		"=@example.com",
		"first+ext@example.com",
		"a..b.@example.com",
		"!#$%&'*+-/=?^_`{|}~@example.com",
		"user@[192.0.2.1]",
		"user@[IPv6:2001:db8::1]",
		"user@localhost",
		"user@example.com.",
		"user@under_score.example.com",
		`"john smith"@example.com`,
		`"a@b"@example.com`,
		`"a@b@c\"@d"@example.com`,
		`"back\\"@example.com`,
		`"\\\"+"@example.com`,
		`" "@example.com`,
		`"\ \"@\\"@example.com`,
		"jürgen@example.com",
		"用户@example.com",
		`"zwei wörter"@example.com`,
		"user@bücher.example.com",
		"用户@例子.example.com",
		"user@XN--BCHER-KVA.example.com",
		strings.Repeat("a", 48) + "@example.com",
	} {
		for _, layout := range []Layout{LayoutPRVS, LayoutSubaddress} {
			s := secretScheme(t, layout)
			tagged, err := s.Sign(address, noon(19723))
			if err != nil {
				t.Errorf("%v: Sign(%q): %v", layout, address, err)
				continue
			}
			if _, ok := parseMailbox(tagged); !ok {
				t.Errorf("%v: Sign(%q) = %q, which is no address", layout, address, tagged)
			}
			for _, hop := range []string{tagged, upper(tagged), strings.ToLower(tagged)} {
				v := s.Verify(hop, noon(19723))
				if v.Result != Valid || v.Layout != layout || v.DaysLeft != 7 {
					t.Errorf("%v: Verify(%q) = %v %v, %d days left", layout, hop, v.Result, v.Layout, v.DaysLeft)
				}
			}
			if got := s.Verify(tagged, noon(19723)).Bare(); got != address {
				t.Errorf("%v: Verify(%q).Bare() = %q, want %q", layout, tagged, got, address)
			}
		}
	}
}

// upper raises ASCII letters, as a hop without SMTPUTF8 would.
func upper(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
}

func TestSignRefuses(t *testing.T) {
	general := Key{Secret: []byte("secret"), Signing: true}
	own := general
	own.Domains = []string{"example.com"}
	for _, c := range []struct {
		address string
		key     Key
		want    error
	}{
		{"", general, ErrNullSender},
		{"<>", general, ErrNullSender},

		{"user", general, ErrNotAddress},
		{"@example.com", general, ErrNotAddress},
		{"user@", general, ErrNotAddress},
		{`""@example.com`, general, ErrNotAddress},
		{"<user@example.com>", general, ErrNotAddress},
		{"@relay.example.net:user@example.com", general, ErrNotAddress},
		{"@example.net,@example.org:user@example.com", general, ErrNotAddress},
		{"a@b@example.com", general, ErrNotAddress},
		{"john smith@example.com", general, ErrNotAddress},
		{" user@example.com", general, ErrNotAddress},
		{"user@example.com ", general, ErrNotAddress},
		{"user@example..com", general, ErrNotAddress},
		{"user@.example.com", general, ErrNotAddress},
		{"user@.", general, ErrNotAddress},
		{"user@[]", general, ErrNotAddress},
		{"user@[192.0.2.1", general, ErrNotAddress},
		{"user@exa mple.com", general, ErrNotAddress},
		{"us\x00er@example.com", general, ErrNotAddress},
		{"us\ner@example.com", general, ErrNotAddress},
		{"\"us\rer\"@example.com", general, ErrNotAddress},
		{"us\u0085er@example.com", general, ErrNotAddress},
		{"us\xffer@example.com", general, ErrNotAddress},
		{"user@ex\xffample.com", general, ErrNotAddress},
		{`"user@example.com`, general, ErrNotAddress},
		{`"user\"@example.com`, general, ErrNotAddress},
		{`"us"er@example.com`, general, ErrNotAddress},
		{`"us".er@example.com`, general, ErrNotAddress},
		{`us"e"r@example.com`, general, ErrNotAddress},
		{"user@" + strings.Repeat("a", 256), general, ErrNotAddress},
		{strings.Repeat("a", 2000) + "@example.com", general, ErrNotAddress},

		{"prvs=0730576ed6=user@example.com", general, ErrTagged},
		{"PRVS=0730576ED6=user@example.com", general, ErrTagged},
		{"user+prvs=0730576ed6@example.com", general, ErrTagged},
		{"user-PRVS=0730576ed6@example.com", general, ErrTagged},
		{`"prvs=0730576ed6=john smith"@example.com`, general, ErrTagged},
		{"prvs=not-a-tag@example.com", general, ErrTagged},
		{"prvs=joe=123ABCDEFG@example.com", general, ErrTagged},
		{"btv1==760cdc7c545==user@example.com", general, ErrTagged},
		{"msprvs1=17353dDNJGUPh=user@example.com", general, ErrTagged},

		{"SRS0=HHH=TT=example.org=user@example.com", general, ErrRewritten},
		{"srs0+HHH=TT=example.org=user@example.com", general, ErrRewritten},
		{"SRS1-HHH=example.net==HHH=TT=example.org=user@example.com", general, ErrRewritten},

		{strings.Repeat("a", 49) + "@example.com", general, ErrTooLong},
		{`"` + strings.Repeat("a", 47) + `"@example.com`, general, ErrTooLong},
		{strings.Repeat("ü", 25) + "@example.com", general, ErrTooLong},
		{"user@" + strings.Repeat("a.", 118), general, ErrTooLong},

		{"user@example.org", own, ErrNoKey},
		{"user@sub.example.com", own, ErrNoKey},
		{"user@example.com", Key{Secret: []byte("s"), SignFrom: noon(19724)}, ErrNoKey},
		{"user@example.com", Key{Secret: []byte("s"), Signing: true, Retired: noon(19723)}, ErrNoKey},
	} {
		s := &Scheme{Keys: mustKeyring(t, c.key), Layout: LayoutPRVS, Lifetime: 7}
		if got, err := s.Sign(c.address, noon(19723)); !errors.Is(err, c.want) || got != "" {
			t.Errorf("Sign(%q) = %q, %v, want %v", c.address, got, err, c.want)
		}
	}
}

// TestSignLooksLikeSRS signs addresses that only begin like those of SRS.
func TestSignLooksLikeSRS(t *testing.T) {
	s := secretScheme(t, LayoutPRVS)
	for _, address := range []string{"srs0@example.com", "srs0a=b@example.com", "srs2=a@example.com"} {
		if _, err := s.Sign(address, noon(19723)); err != nil {
			t.Errorf("Sign(%q): %v", address, err)
		}
	}
}

func TestSignDelimiter(t *testing.T) {
	s := secretScheme(t, LayoutSubaddress)
	s.Delimiter = '_'
	got, err := s.Sign("user@example.com", noon(19723))
	if err != nil || got != "user_prvs=0730576ed6@example.com" {
		t.Fatalf("Sign = %q, %v", got, err)
	}
	if v := s.Verify(got, noon(19723)); v.Result != Valid || v.Bare() != "user@example.com" {
		t.Errorf("Verify(%q) = %v, bare %q", got, v.Result, v.Bare())
	}
	if _, err := s.Sign(got, noon(19723)); !errors.Is(err, ErrTagged) {
		t.Errorf("Sign(%q): %v, want ErrTagged", got, err)
	}
	if v := secretScheme(t, LayoutSubaddress).Verify(got, noon(19723)); v.Result != Missing || v.Bare() != "" {
		t.Errorf("Verify(%q) with another delimiter = %v, bare %q", got, v.Result, v.Bare())
	}
}

func TestSignUnsoundScheme(t *testing.T) {
	keys := mustKeyring(t, Key{Secret: []byte("secret"), Signing: true})
	for want, s := range map[string]Scheme{
		"cannot sign with layout none: must be prvs or subaddress":                                   {Keys: keys, Lifetime: 7},
		"cannot sign with layout Layout(9): must be prvs or subaddress":                              {Keys: keys, Layout: 9},
		"cannot sign for -1 days: must be 0 to 999":                                                  {Keys: keys, Layout: LayoutPRVS, Lifetime: -1},
		"cannot sign for 1000 days: must be 0 to 999":                                                {Keys: keys, Layout: LayoutPRVS, Lifetime: 1000},
		"cannot sign with delimiter '=': must be a mark that may stand in a local part, such as +":   {Keys: keys, Layout: LayoutPRVS, Delimiter: '='},
		"cannot sign with delimiter 'a': must be a mark that may stand in a local part, such as +":   {Keys: keys, Layout: LayoutPRVS, Delimiter: 'a'},
		"cannot sign with delimiter '@': must be a mark that may stand in a local part, such as +":   {Keys: keys, Layout: LayoutPRVS, Delimiter: '@'},
		"cannot sign with delimiter '\\n': must be a mark that may stand in a local part, such as +": {Keys: keys, Layout: LayoutPRVS, Delimiter: '\n'},
	} {
		if got, err := s.Sign("user@example.com", noon(0)); err == nil || err.Error() != want || got != "" {
			t.Errorf("Sign = %q, %v, want %s", got, err, want)
		}
	}
	if _, err := (&Scheme{Layout: LayoutPRVS}).Sign("user@example.com", noon(0)); !errors.Is(err, ErrNoKey) {
		t.Errorf("Sign without keys: %v, want ErrNoKey", err)
	}
}

// TestSignSameAllDay holds what greylisting needs: one address, one tag a day.
func TestSignSameAllDay(t *testing.T) {
	s := secretScheme(t, LayoutPRVS)
	midnight := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC) // day 19723
	east := time.FixedZone("east", 14*3600)
	for _, at := range []time.Time{midnight, midnight.Add(24*time.Hour - 1), midnight.Add(12 * time.Hour).In(east)} {
		if got, err := s.Sign("user@example.com", at); err != nil || got != "prvs=0730576ed6=user@example.com" {
			t.Errorf("at %v: Sign = %q, %v", at, got, err)
		}
	}
	if got, _ := s.Sign("user@example.com", midnight.Add(-1)); !strings.HasPrefix(got, "prvs=0729") {
		t.Errorf("the night before: Sign = %q", got)
	}
}
