package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/dchest/siphash"
	"golang.org/x/net/idna"
)

// kind is what a fingerprint is of: its upper three bits. None is zero.
type kind uint64

const (
	kindID        kind = 1 + iota // (sender, Message-ID)
	kindQueue                     // (sender, queue id)
	kindAddress                   // (sender, recipient)
	kindDomain                    // (sender, recipient's domain)
	kindWithoutID                 // (sender, recipient) of a message without Message-ID
	kinds                         // how many there are, and the impossible one

	kindShift = 61
)

const (
	// anyone stands for the recipients beyond those recorded. It is neither an
	// address nor a domain.
	anyone = "*"

	maxAddress = 512  // octets of an address that count; SMTP allows 320
	maxText    = 1024 // octets of an id that count, and its length
)

func kindOf(fp uint64) kind { return kind(fp >> kindShift) }

func known(fp uint64) bool { k := kindOf(fp); return k > 0 && k < kinds }

// hasher makes fingerprints under a secret.
type hasher struct{ k0, k1 uint64 }

func newHasher(secret []byte) hasher {
	sum := sha256.Sum256(append([]byte("ledger fingerprints\x00"), secret...))
	return hasher{binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])}
}

// address is the fingerprint of two addresses, or an address and a domain.
func (h hasher) address(k kind, sender, other string) uint64 {
	var room [2*maxAddress + 64]byte
	buf := startField(room[:0], k, sender)
	return h.sum(k, appendAddress(buf, other))
}

// text is the fingerprint of an address and an id, which counts octet by octet.
func (h hasher) text(k kind, sender, id string) uint64 {
	var room [maxAddress + maxText + 64]byte
	buf := startField(room[:0], k, sender)
	buf = binary.LittleEndian.AppendUint64(buf, uint64(len(id)))
	return h.sum(k, append(buf, id[:min(len(id), maxText)]...))
}

// startField begins the input of a fingerprint with the kind and the sender,
// behind its length: what follows cannot be taken for part of it.
func startField(buf []byte, k kind, sender string) []byte {
	buf = appendAddress(append(buf, byte(k), 0, 0), sender)
	binary.LittleEndian.PutUint16(buf[1:], uint16(len(buf)-3))
	return buf
}

func (h hasher) sum(k kind, input []byte) uint64 {
	return uint64(k)<<kindShift | siphash.Hash(h.k0, h.k1, input)>>3
}

// appendAddress appends an address, or a domain alone, as it is compared: in
// lower case, the domain in A-labels (RFC 5891) and without a final dot.
// Octets beyond maxAddress do not count. ASCII allocates nothing.
func appendAddress(buf []byte, address string) []byte {
	address = address[:min(len(address), maxAddress)]
	from := len(buf)
	for i := range len(address) {
		c := address[i]
		if c >= utf8.RuneSelf {
			return appendForeign(buf[:from], address)
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf = append(buf, c)
	}
	if n := len(buf); n > from && buf[n-1] == '.' {
		buf = buf[:n-1]
	}
	return buf
}

// appendForeign is appendAddress for what is not ASCII (RFC 6531).
func appendForeign(buf []byte, address string) []byte {
	address = strings.ToLower(strings.TrimSuffix(address, "."))
	local, domain := splitAddress(address)
	if ascii, err := idna.Lookup.ToASCII(domain); err == nil {
		domain = strings.ToLower(ascii)
	}
	if len(local) > 0 {
		local += "@"
	}
	folded := local + domain
	return append(buf, folded[:min(len(folded), maxAddress)]...)
}

// splitAddress cuts at the last @. Without one all of it is the domain.
func splitAddress(address string) (local, domain string) {
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		return address[:at], address[at+1:]
	}
	return "", address
}

// domainOf is the domain of an address, empty where it has none.
func domainOf(address string) string {
	if local, domain := splitAddress(address); len(local)+len(domain) < len(address) {
		return domain
	}
	return ""
}

// trimID takes white space and one pair of angle brackets off a Message-ID.
// What is left is compared octet by octet, case included (RFC 5322 3.6.4).
func trimID(id string) string {
	id = strings.TrimSpace(id)
	id = strings.TrimSuffix(strings.TrimPrefix(id, "<"), ">")
	return strings.TrimSpace(id)
}
