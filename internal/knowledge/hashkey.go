package knowledge

import "crypto/rand"

const (
	hashKeyName   = "hash-key" // in siteBucket
	hashKeyOctets = 32
)

// hashKey gives the key of the hashes that stand for addresses under privacy =
// "hash", made at the first start: with the same key an address has the same hash
// in the log and in the journal for as long as the store lasts.
func (k *Site) hashKey(readOnly bool) []byte {
	var key []byte
	err := k.store.Bucket(siteBucket).Each(func(name string, value []byte) error {
		if name == hashKeyName && len(value) == hashKeyOctets {
			key = value
		}
		return nil
	})
	if err != nil {
		k.failed("read store", err)
	}
	if key != nil {
		return key
	}
	key = make([]byte, hashKeyOctets)
	_, _ = rand.Read(key) // which does not fail
	if err == nil && !readOnly {
		k.store.Bucket(siteBucket).Put(hashKeyName, key)
	}
	return key
}
