package ledger

import (
	"strings"
	"testing"

	"github.com/dchest/siphash"
)

// TestSip: what is in stores is SipHash-2-4, by its test vectors, key 00 01 ... 0f,
// input 00 01 ... of the given length; that of 15 octets is in the paper's
// appendix A.
func TestSip(t *testing.T) {
	h := hasher{0x0706050403020100, 0x0f0e0d0c0b0a0908}
	input := make([]byte, 64)
	for i := range input {
		input[i] = byte(i)
	}
	for length, want := range map[int]uint64{
		0: 0x726fdb47dd0e0e31, 1: 0x74f839c593dc67fd, 2: 0x0d6c8009d9a94f5a, 7: 0xab0200f58b01d137,
		8: 0x93f5f5799a932462, 15: 0xa129ca6149be45e5, 63: 0x958a324ceb064572,
	} {
		if got := siphash.Hash(h.k0, h.k1, input[:length]); got != want {
			t.Errorf("%d octets: %x, want %x", length, got, want)
		}
	}
}

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"Alice@Example.COM":               "alice@example.com",
		"alice@example.com.":              "alice@example.com",
		"\"a@b\"@example.com":             "\"a@b\"@example.com",
		"Jörg@Bücher.example":             "jörg@xn--bcher-kva.example",
		"jörg@xn--bcher-kva.EXAMPLE":      "jörg@xn--bcher-kva.example",
		"BÜCHER.example":                  "xn--bcher-kva.example",
		"example.com":                     "example.com",
		"":                                "",
		".":                               "",
		"\xff\xfe@\xff":                   "\uFFFD\uFFFD@\uFFFD",
		strings.Repeat("x", maxAddress+9): strings.Repeat("x", maxAddress),
	} {
		if got := string(appendAddress(nil, in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"a@b@c": "c", "a": "", "": "", "a@": "", "@c": "c"} {
		if got := domainOf(in); got != want {
			t.Errorf("domain of %q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		" <a@b>\r\n": "a@b", "a@b": "a@b", "< a@b >": "a@b", "<>": "", "": "", "<<a>>": "<a>", "\t<A@b": "A@b",
	} {
		if got := trimID(in); got != want {
			t.Errorf("id %q: %q, want %q", in, got, want)
		}
	}
}

// TestKindsApart: what is different has different fingerprints, also where the
// fields together read alike.
func TestKindsApart(t *testing.T) {
	h := newHasher([]byte("secret"))
	long := strings.Repeat("x", maxText)
	seen := map[uint64]string{}
	add := func(name string, fp uint64) {
		t.Helper()
		if other, ok := seen[fp]; ok {
			t.Errorf("%s and %s are one", name, other)
		}
		if !known(fp) {
			t.Errorf("%s: %x is of no kind", name, fp)
		}
		seen[fp] = name
	}
	add("id", h.text(kindID, "a", "bc"))
	add("id, cut elsewhere", h.text(kindID, "ab", "c"))
	add("id, other case", h.text(kindID, "a", "Bc"))
	add("queue", h.text(kindQueue, "a", "bc"))
	add("address", h.address(kindAddress, "a", "bc"))
	add("address, cut elsewhere", h.address(kindAddress, "ab", "c"))
	add("domain", h.address(kindDomain, "a", "bc"))
	add("without id", h.address(kindWithoutID, "a", "bc"))
	add("long id", h.text(kindID, "a", long))
	add("longer id", h.text(kindID, "a", long+"x"))
	add("another secret", newHasher([]byte("Secret")).text(kindID, "a", "bc"))
	if known(0) || known(uint64(kinds)<<kindShift) {
		t.Error("an impossible kind is known")
	}
}

// TestCollisions: the kind and 61 bits are used, all of them.
func TestCollisions(t *testing.T) {
	h := newHasher([]byte("secret"))
	var ones, zeros uint64
	seen := map[uint64]bool{}
	for i := range 200_000 {
		fp := h.text(kindID, "alice@example.com", string([]byte{byte(i), byte(i >> 8), byte(i >> 16)}))
		seen[fp] = true
		ones |= fp
		zeros |= ^fp
	}
	if len(seen) != 200_000 || ones<<3>>3 != 1<<61-1 || zeros<<3>>3 != 1<<61-1 {
		t.Errorf("%d of 200000 different; ones %x, zeros %x", len(seen), ones, zeros)
	}
}
