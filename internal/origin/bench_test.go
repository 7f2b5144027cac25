package origin

import (
	"testing"

	"github.com/backscatter-milter/backscatter-milter/internal/ledger"
)

func BenchmarkAsk(b *testing.B) {
	s := newSite(b)
	s.Record(ledger.Entry{Sender: "alice@example.com", MessageID: "one@example.com", Recipients: []string{"dave@example.org"}})
	s.live(now)
	o := options(s.Ledger)
	o.Keys = ourKeys()
	for name, header := range map[string][]string{
		"silent": letter("Message-ID: <spam@example.net>"), "hit": letter(), "rsa": signing{}.sign(b, letter("Message-ID: <spam@example.net>")),
	} {
		b.Run(name, func(b *testing.B) {
			q, f := parsed(b, returned(header, true)), New(o)
			want := map[string]Evidence{"silent": Foreign, "hit": Ledger, "rsa": DKIM}[name]
			b.ReportAllocs()
			for b.Loop() {
				if a := f.Ask(b.Context(), q); a.Evidence != want {
					b.Fatalf("%+v", a)
				}
			}
		})
	}
}
