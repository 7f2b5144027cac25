package dkim

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func benchmark(b *testing.B, header []byte, want string) {
	keys := map[string]*Key{}
	for name, record := range ourKeys() {
		keys[name], _ = ParseKey(record)
	}
	o := ourOptions()
	o.Keys = Static{Keys: keys}
	b.SetBytes(int64(len(header)))
	b.ReportAllocs()
	for b.Loop() {
		if got := statuses(Verify(b.Context(), header, o)); !strings.HasPrefix(got, want) {
			b.Fatal(got)
		}
	}
}

func BenchmarkRSA2048(b *testing.B) { benchmark(b, block(signing{}.sign(b, letter())), "[pass]") }

func BenchmarkEd25519(b *testing.B) {
	benchmark(b, block(signing{key: testKeys().ed}.sign(b, letter())), "[pass]")
}

// BenchmarkThousand has a thousand signatures that name a key of ours.
func BenchmarkThousand(b *testing.B) {
	junk := "DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=rsa; h=From:To; b=AAAA; bh=" + b64(make([]byte, 32))
	benchmark(b, block(slices.Concat(slices.Repeat([]string{junk}, 1000), letter())), "[fail fail")
}

// BenchmarkThousandOthers has a thousand that name others.
func BenchmarkThousandOthers(b *testing.B) {
	junk := "DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=rsa; h=From:To; b=AAAA; bh=" + b64(make([]byte, 32))
	benchmark(b, block(slices.Concat(slices.Repeat([]string{junk}, 1000), letter())), "[not ours not ours")
}

// Benchmark256K has the largest header there can be, all of it signed, eight
// times, and a stray line: read twice.
func Benchmark256K(b *testing.B) {
	fields := slices.Concat(letter(), slices.Repeat([]string{"X-Long: " + strings.Repeat("ab ", 500)}, 160))
	wide := signing{tags: changes{"h": "From" + strings.Repeat(":X-Long", 160), "b": b64(make([]byte, 256))}}.sign(b, fields)
	header := slices.Concat(slices.Repeat(wide[:1], 8), fields)
	benchmark(b, append([]byte("X: y\r\nstray\r\n"), block(header)...), "[fail")
}

// BenchmarkTiny has a header of 4096 empty fields.
func BenchmarkTiny(b *testing.B) {
	benchmark(b, block(slices.Concat(slices.Repeat([]string{"X:"}, 4000), signing{}.sign(b, letter()))), "[pass]")
}

// BenchmarkCR has nothing but ends of lines, which are none of LF.
func BenchmarkCR(b *testing.B) {
	benchmark(b, bytes.Repeat([]byte("\r"), 256<<10), "[]")
}
