package policy

import (
	"sync"

	"github.com/backscatter-milter/backscatter-milter/batv"
)

// Unknown is the Site of which nothing has been found out but which keys have
// proved themselves; that is kept in memory, an entry a key at the most. Its
// zero value is ready to use.
type Unknown struct {
	mu   sync.RWMutex
	keys map[batv.KeyID]bool
}

// Ours reports that no domain has been learned.
func (*Unknown) Ours(string) bool { return false }

// Strict reports that a missing tag means nothing.
func (*Unknown) Strict(string) bool { return false }

// StrictByRecord reports that there is no record.
func (*Unknown) StrictByRecord(string) bool { return false }

// Layout reports that no layout has been seen to come home.
func (*Unknown) Layout(string) batv.Layout { return batv.LayoutNone }

// Probing reports that nothing is asked for.
func (*Unknown) Probing(string) bool { return false }

// Prove notes that the key has verified a tag.
func (u *Unknown) Prove(key batv.KeyID) {
	if u.Proven(key) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.keys == nil {
		u.keys = make(map[batv.KeyID]bool)
	}
	u.keys[key] = true
}

// Proven reports whether the key has verified a tag.
func (u *Unknown) Proven(key batv.KeyID) bool {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return u.keys[key]
}
