package dnsbl

import (
	"net/netip"
	"strconv"
	"strings"
)

// public reports whether an address can be in a list of mail servers.
func public(a netip.Addr) bool { return a.IsGlobalUnicast() && !a.IsPrivate() }

// nameOf is the name under which a zone lists an address: its octets backwards
// (RFC 5782, section 2.1), or its nibbles (section 2.4).
func nameOf(addr netip.Addr, zone string) string {
	var b strings.Builder
	if addr.Is4() {
		octets := addr.As4()
		for i := len(octets) - 1; i >= 0; i-- {
			b.WriteString(strconv.Itoa(int(octets[i])))
			b.WriteByte('.')
		}
	} else {
		const digits = "0123456789abcdef"
		octets := addr.As16()
		for i := len(octets) - 1; i >= 0; i-- {
			b.Write([]byte{digits[octets[i]&15], '.', digits[octets[i]>>4], '.'})
		}
	}
	b.WriteString(strings.TrimSuffix(zone, "."))
	b.WriteByte('.')
	return b.String()
}
