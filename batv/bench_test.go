package batv

import "testing"

func benchScheme(b *testing.B) *Scheme {
	return &Scheme{
		Keys:     mustKeyring(b, Key{Secret: []byte("0123456789abcdef0123456789abcdef"), Signing: true}),
		Layout:   LayoutPRVS,
		Lifetime: 10,
	}
}

func BenchmarkSign(b *testing.B) {
	s, now := benchScheme(b), noon(20000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Sign("user@example.com", now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	s, now := benchScheme(b), noon(20000)
	valid, err := s.Sign("user@example.com", now)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name, address string
		want          Result
	}{
		{"valid", valid, Valid},
		{"forged", "prvs=0010abcdef=user@example.com", Forged},
		{"forged-mixed-case", "prvs=0010abcdef=User@Example.com", Forged},
		{"missing", "user@example.com", Missing},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := s.Verify(c.address, now).Result; got != c.want {
					b.Fatal(got)
				}
			}
		})
	}
}
