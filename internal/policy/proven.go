package policy

import (
	"sync"

	"github.com/backscatter-milter/backscatter-milter/batv"
)

// ProvenKeys remembers which keys have verified a tag that came back. Only
// for these is a wrong signature a forgery: hosts that share a domain may by
// mistake hold different keys under one number. It is safe for concurrent use
// and holds at most one entry a key.
type ProvenKeys struct {
	mu   sync.RWMutex
	keys map[batv.KeyID]bool
}

// Prove notes that a tag has verified.
func (p *ProvenKeys) Prove(v batv.Verdict) {
	if p.Proven(v) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keys == nil {
		p.keys = make(map[batv.KeyID]bool)
	}
	p.keys[v.KeyID] = true
}

// Proven reports whether the key that the tag names has verified a tag before.
func (p *ProvenKeys) Proven(v batv.Verdict) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.keys[v.KeyID]
}
