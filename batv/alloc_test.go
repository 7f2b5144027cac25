//go:build !race

package batv

import "testing"

// TestVerifyAllocatesNothing keeps a flood of forged bounces from costing
// memory. The race detector makes sync.Pool drop things, so it is left out.
func TestVerifyAllocatesNothing(t *testing.T) {
	s := secretScheme(t, LayoutPRVS)
	own := &Scheme{Lifetime: 7, Keys: mustKeyring(t,
		Key{Secret: []byte("secret"), Signing: true, Domains: []string{"example.com", "bücher.example.com"}})}
	for _, c := range []struct {
		scheme  *Scheme
		address string
		day     int
		want    Result
	}{
		{s, "", 19723, Missing},
		{s, "user@example.com", 19723, Missing},
		{s, "User@Bücher.example.com", 19723, Missing},
		{s, "not an address", 19723, Missing},
		{s, "prvs=3730576ed6=user@example.com", 19723, Missing},
		{s, "prvs=0730576ed7=user@example.com", 19723, Forged},
		{s, "prvs=0730576ed7=User@Example.COM", 19723, Forged},
		{s, "prvs=0730576ed7=user@bücher.example.com", 19723, Forged},
		{s, "user+prvs=0730576ed7@example.com", 19723, Forged},
		{s, `"user+prvs=0730576ed7"@example.com`, 19723, Forged},
		{s, "prvs=0730576ed6=user@example.com", 19731, Expired},
		{s, "user+prvs=0730576ed6@EXAMPLE.com", 19731, Expired},
		{s, "prvs=0730576ed6=user@example.com", 19723, Valid},
		{s, "prvs=0730576ed6=USER@EXAMPLE.COM", 19723, Valid},
		{s, "btv1==760cdc7c545==user@example.com", 19723, Foreign},
		{s, "prvs=joe=123ABCDEFG@example.com", 19723, Foreign},
		{own, "prvs=0730576ed6=user@Example.org", 19723, Foreign},
		{own, "prvs=0730576ed7=user@Example.com", 19723, Forged},
		{own, "prvs=0730576ed7=user@BÜCHER.example.com", 19723, Forged},
	} {
		now := noon(c.day)
		bare := ""
		allocations := testing.AllocsPerRun(200, func() {
			v := c.scheme.Verify(c.address, now)
			if v.Result != c.want {
				t.Fatalf("Verify(%q) = %v, want %v", c.address, v.Result, c.want)
			}
			if v.Layout == LayoutPRVS {
				bare = v.Bare()
			}
		})
		if allocations != 0 {
			t.Errorf("Verify(%q), %v: %v allocations (bare %q)", c.address, c.want, allocations, bare)
		}
	}
}

func TestSignAllocatesOnce(t *testing.T) {
	for _, layout := range []Layout{LayoutPRVS, LayoutSubaddress} {
		s, now := secretScheme(t, layout), noon(19723)
		if n := testing.AllocsPerRun(200, func() {
			if _, err := s.Sign("User@Example.com", now); err != nil {
				t.Fatal(err)
			}
		}); n != 1 {
			t.Errorf("%v: %v allocations, want the result alone", layout, n)
		}
	}
}
