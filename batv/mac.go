package batv

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"hash"
	"sync"
)

const sumLength = 3 // octets of the HMAC that a tag carries

// hasher is an HMAC under one key, with the memory it works in.
type hasher struct {
	mac     hash.Hash
	message []byte
	sum     [sha1.Size]byte
}

// KeyID tells keys apart without giving their secrets away, also those that
// bear the same number at different times or for different domains. It can be
// kept and compared; the zero KeyID is no key's.
type KeyID [8]byte

// ID returns the key's identity, made of its number and its secret alone.
func (k Key) ID() KeyID {
	mac := hmac.New(sha256.New, k.Secret)
	mac.Write([]byte{'i', 'd', byte(k.Number)})
	return KeyID(mac.Sum(nil)[:len(KeyID{})])
}

// ringKey is a key as a Keyring holds it.
type ringKey struct {
	Key
	id      KeyID
	hashers sync.Pool // of *hasher: verifying allocates nothing
}

func newRingKey(k Key) *ringKey {
	held := &ringKey{Key: k.clone(), id: k.ID()}
	secret := held.Secret
	held.hashers.New = func() any {
		return &hasher{mac: hmac.New(sha1.New, secret)}
	}
	return held
}

// sign returns the signature of a mailbox in its canonical form; prefix is
// KDDD.
func (k *ringKey) sign(prefix string, m mailbox, domain []byte) [sumLength]byte {
	h := k.hashers.Get().(*hasher)
	defer k.hashers.Put(h)
	h.message = m.appendCanonical(append(h.message[:0], prefix...), domain)
	return h.short(h.message)
}

// matches reports whether the tag is this key's: over the address as received,
// as other software signs it, or over its canonical form.
func (k *ringKey) matches(t *tag, domain []byte) bool {
	h := k.hashers.Get().(*hasher)
	defer k.hashers.Put(h)
	h.message = t.bare.appendTo(append(h.message[:0], t.prefix...))
	received := len(h.message)
	h.message = t.bare.appendCanonical(append(h.message, t.prefix...), domain)
	asReceived, canonical := h.message[:received], h.message[received:]
	if h.equal(asReceived, t) {
		return true
	}
	return !bytes.Equal(asReceived, canonical) && h.equal(canonical, t)
}

func (h *hasher) equal(message []byte, t *tag) bool {
	sum := h.short(message)
	return subtle.ConstantTimeCompare(sum[:], t.sum[:]) == 1
}

func (h *hasher) short(message []byte) [sumLength]byte {
	h.mac.Reset()
	h.mac.Write(message)
	return [sumLength]byte(h.mac.Sum(h.sum[:0]))
}
