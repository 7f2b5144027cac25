package flood

import (
	"encoding/binary"

	"github.com/dchest/siphash"
)

// sum is a short hash that, without the secret, nobody can find collisions of.
// Never zero, which stands for no key.
func sum(secret *[16]byte, p []byte) uint64 {
	k0, k1 := binary.LittleEndian.Uint64(secret[:8]), binary.LittleEndian.Uint64(secret[8:])
	return max(siphash.Hash(k0, k1, p), 1)
}
