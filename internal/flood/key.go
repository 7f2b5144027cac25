package flood

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind is what events are counted by.
type Kind uint8

// The kinds of keys.
const (
	None        Kind = iota
	ByClient         // client network, the /24 or /64
	ByRecipient      // address, in lower case
	BySubject        // client network and normalised subject
	ByDomain         // of recipients: surges only
	BySender         // of proven bounces: alarms only
	kinds
)

// String is the kind as metrics and the names of keys have it: "client".
func (k Kind) String() string {
	return [...]string{"none", "client", "recipient", "subject", "domain", "sender"}[min(k, kinds-1)]
}

const (
	maxAddress = 320 // octets of an address that are looked at: 64 and 255, and the @ (RFC 5321, section 4.5.3.1)
	maxName    = 120 // octets of an address that are shown
)

// key is what one event is counted by. It lives on the stack: names are put
// together only for keys worth showing.
type key struct {
	kind    Kind
	sum     uint64 // 0: no key, nothing is counted
	client  netip.Addr
	text    string // address or domain
	subject *Subject
}

// network is the part of a client's address that it is counted by. The zero
// Prefix stands for no address.
func network(client netip.Addr) netip.Prefix {
	client = client.Unmap().WithZone("")
	bits := 64
	if client.Is4() {
		bits = 24
	}
	p, _ := client.Prefix(bits) // which fails for the zero Addr alone
	return p
}

// appendNetwork writes the network: three octets of IPv4, eight of IPv6.
func appendNetwork(b []byte, client netip.Addr) []byte {
	if client.Is4() || client.Is4In6() {
		v4 := client.As4()
		return append(b, v4[:3]...)
	}
	v6 := client.As16()
	return append(b, v6[:8]...)
}

func (f *Flood) clientKey(client netip.Addr) key {
	k := key{kind: ByClient, client: client}
	if client.IsValid() {
		var buf [16]byte
		k.sum = sum(f.secret.Load(), appendNetwork(append(buf[:0], byte(ByClient)), client))
	}
	return k
}

func (f *Flood) subjectKey(client netip.Addr, s *Subject) key {
	k := key{kind: BySubject, client: client, subject: s}
	if client.IsValid() && s.sum != 0 {
		var buf [24]byte
		b := binary.LittleEndian.AppendUint64(append(buf[:0], byte(BySubject)), s.sum)
		k.sum = sum(f.secret.Load(), appendNetwork(b, client))
	}
	return k
}

// textKey is the key of an address or a domain; there is none for "".
func (f *Flood) textKey(kind Kind, text string) key {
	k := key{kind: kind, text: text}
	if text != "" {
		var buf [1 + maxAddress]byte
		k.sum = sum(f.secret.Load(), appendLower(append(buf[:0], byte(kind)), text))
	}
	return k
}

func (f *Flood) domainKey(recipient string) key {
	return f.textKey(ByDomain, recipient[strings.LastIndexByte(recipient, '@')+1:])
}

// appendLower writes s in lower case, as much of it as there is room for.
func appendLower(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		if len(b)+utf8.UTFMax > cap(b) {
			return b
		}
		c := s[i]
		if c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			b = append(b, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError {
			b = append(b, s[i:i+size]...)
		} else {
			b = utf8.AppendRune(b, unicode.ToLower(r))
		}
		i += size
	}
	return b
}

// name is how a key is shown, and named to Unblock.
func (k *key) name() string {
	switch k.kind {
	case ByClient:
		return "client " + network(k.client).String()
	case BySubject:
		return "subject " + network(k.client).String() + fmt.Sprintf(" %016x", k.subject.sum)
	}
	return k.kind.String() + " " + shown(k.text)
}

// shown makes outside text safe to print, and short.
func shown(s string) string {
	var buf [maxName]byte
	lower := appendLower(buf[:0], s)
	cut := len(lower) < len(s)
	out := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == ' ' || r == utf8.RuneError {
			return '?'
		}
		return r
	}, string(lower))
	if cut {
		out += "…"
	}
	return out
}
