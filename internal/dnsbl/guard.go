package dnsbl

import "runtime/debug"

// guard survives a panic, and tells of it.
func (c *Client) guard(do func()) {
	defer func() {
		if v := recover(); v != nil && c.o.Panicked != nil {
			c.o.Panicked(v, debug.Stack())
		}
	}()
	do()
}
