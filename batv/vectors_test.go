package batv

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// vectors is testdata/vectors.json: what Exim 4.96 and batv-tools made of
// addresses when they were run.
type vectors struct {
	Vectors []struct {
		KeyHex    string `json:"key_hex"`
		Address   string
		SignDay   int `json:"sign_day"`
		Expiry    int `json:"expiry_day_mod1000"`
		Lifetime  int `json:"lifetime_days"`
		KeyNumber int `json:"key_number"`
		Tagged    string
		Layout    string
	}
	Expiry []struct {
		Tagged   string
		KeyHex   string `json:"key_hex"`
		CheckDay int    `json:"check_day"`
		Exim     string `json:"exim_4_96"`
		Tools    string `json:"batv_tools"`
		Want     string `json:"batv"`
	} `json:"expiry_behaviour"`
	Case []struct {
		Tagged   string
		KeyHex   string `json:"key_hex"`
		CheckDay int    `json:"check_day"`
		Want     string `json:"batv"`
	} `json:"case_behaviour"`
	Samples []struct {
		Tagged string
		Want   string `json:"batv"`
	} `json:"field_samples_syntax_only"`
	Exhaustive struct {
		Tagged    string
		KeyHex    string `json:"key_hex"`
		SignedDay int    `json:"signed_day"`
		Lifetime  int    `json:"lifetime_days"`
		ToolsDays int    `json:"batv_tools_valid_days"`
		ValidDays int    `json:"batv_valid_days"`
	} `json:"expiry_exhaustive"`
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Vectors) != 37 || len(v.Expiry) != 16 || len(v.Case) != 9 || len(v.Samples) != 12 {
		t.Fatalf("testdata/vectors.json is not whole: %d vectors, %d expiry, %d case, %d samples",
			len(v.Vectors), len(v.Expiry), len(v.Case), len(v.Samples))
	}
	return v
}

// noon is a time on that day.
func noon(day int) time.Time { return time.Unix(int64(day)*secondsPerDay+12*3600, 0) }

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustKeyring(t testing.TB, keys ...Key) *Keyring {
	t.Helper()
	r, err := NewKeyring(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func layoutOf(t *testing.T, name string) Layout {
	t.Helper()
	for _, l := range []Layout{LayoutPRVS, LayoutSubaddress} {
		if l.String() == name {
			return l
		}
	}
	t.Fatalf("unknown layout %q", name)
	return LayoutNone
}

func TestVectorsVerify(t *testing.T) {
	for _, v := range readVectors(t).Vectors {
		s := Scheme{Keys: mustKeyring(t, Key{Number: v.KeyNumber, Secret: unhex(t, v.KeyHex), Signing: true}), Lifetime: v.Lifetime}
		got := s.Verify(v.Tagged, noon(v.SignDay))
		if got.Result != Valid || got.Layout != layoutOf(t, v.Layout) || got.Key != v.KeyNumber ||
			got.DaysLeft != v.Lifetime || got.Bare() != v.Address {
			t.Errorf("Verify(%q) on its first day = %v %v key %d, %d days left, bare %q",
				v.Tagged, got.Result, got.Layout, got.Key, got.DaysLeft, got.Bare())
		}
		last := s.Verify(v.Tagged, noon(v.SignDay+v.Lifetime))
		if last.Result != Valid || last.DaysLeft != 0 {
			t.Errorf("Verify(%q) on its last day = %v, %d days left", v.Tagged, last.Result, last.DaysLeft)
		}
	}
}

// TestVectorsSign makes the vectors anew. Other software hashes an address as
// it is written, so only those without capitals come out the same, and it does
// not mind local parts that grow too long.
func TestVectorsSign(t *testing.T) {
	same, long, capitals := 0, 0, 0
	for _, v := range readVectors(t).Vectors {
		s := Scheme{
			Keys:     mustKeyring(t, Key{Number: v.KeyNumber, Secret: unhex(t, v.KeyHex), Signing: true}),
			Layout:   layoutOf(t, v.Layout),
			Lifetime: v.Lifetime,
		}
		if strings.Contains(v.Tagged, "-prvs=") {
			s.Delimiter = '-'
		}
		got, err := s.Sign(v.Address, noon(v.SignDay))
		local, _, _ := strings.Cut(v.Address, "@")
		switch {
		case len(local) > 48:
			long++
			if !errors.Is(err, ErrTooLong) {
				t.Errorf("Sign(%q): %v, want ErrTooLong", v.Address, err)
			}
		case v.Address != strings.ToLower(v.Address):
			capitals++
			if check := s.Verify(got, noon(v.SignDay)); err != nil || check.Result != Valid || check.Bare() != v.Address {
				t.Errorf("Sign(%q) = %q, %v, which verifies as %v with bare %q", v.Address, got, err, check.Result, check.Bare())
			}
		default:
			same++
			if err != nil || got != v.Tagged {
				t.Errorf("Sign(%q) = %q, %v, want %q", v.Address, got, err, v.Tagged)
			}
		}
	}
	if same < 25 || long != 3 || capitals != 4 {
		t.Errorf("%d made anew, %d too long, %d with capitals", same, long, capitals)
	}
}

func TestVectorsExpiry(t *testing.T) {
	for _, v := range readVectors(t).Expiry {
		s := Scheme{Keys: mustKeyring(t, Key{Secret: unhex(t, v.KeyHex), Signing: true}), Lifetime: 7}
		if got := s.Verify(v.Tagged, noon(v.CheckDay)); got.Result.String() != v.Want {
			t.Errorf("Verify(%q) on day %d = %v, want %s (Exim: %s, batv-tools: %s)",
				v.Tagged, v.CheckDay, got.Result, v.Want, v.Exim, v.Tools)
		}
	}
}

func TestVectorsExhaustive(t *testing.T) {
	v := readVectors(t).Exhaustive
	s := Scheme{Keys: mustKeyring(t, Key{Secret: unhex(t, v.KeyHex), Signing: true}), Lifetime: v.Lifetime}
	valid := 0
	for offset := range 1000 {
		if s.Verify(v.Tagged, noon(v.SignedDay+offset)).Result == Valid {
			valid++
		}
	}
	if valid != v.ValidDays || valid != v.ToolsDays+clockSkew {
		t.Errorf("valid on %d days of 1000, want %d", valid, v.ValidDays)
	}
}

func TestVectorsCase(t *testing.T) {
	for _, v := range readVectors(t).Case {
		s := Scheme{Keys: mustKeyring(t, Key{Secret: unhex(t, v.KeyHex), Signing: true}), Lifetime: 7}
		if got := s.Verify(v.Tagged, noon(v.CheckDay)); got.Result.String() != v.Want {
			t.Errorf("Verify(%q) = %v, want %s", v.Tagged, got.Result, v.Want)
		}
	}
}

// TestVectorsForeign shows tags seen in the field to a site whose only keys are
// for example.com.
func TestVectorsForeign(t *testing.T) {
	s := Scheme{Keys: mustKeyring(t, Key{Secret: []byte("secret"), Signing: true, Domains: []string{"example.com"}}), Lifetime: 7}
	for _, v := range readVectors(t).Samples {
		for _, address := range []string{v.Tagged, strings.ToLower(v.Tagged), strings.ToUpper(v.Tagged)} {
			got := s.Verify(address, noon(19723))
			if got.Result.String() != v.Want || got.Bare() != "" || got.Key != -1 {
				t.Errorf("Verify(%q) = %v, key %d, bare %q, want %s", address, got.Result, got.Key, got.Bare(), v.Want)
			}
		}
	}
}
