package config

import (
	"fmt"
	"strings"
)

// check finds settings that are possible by themselves but not together.
func (r *reader) check(c *Config) {
	r.checkSockets(c)
	r.checkToken(c)
	r.checkFlood(c)
	r.checkZones(c)
	r.checkDomains(c)
}

// clash notes that a setting does not go with others, if the file has it. It
// reports whether it did: defaults do not clash among themselves.
func (r *reader) clash(path, want string) bool {
	n := r.nodes[path]
	if n == nil {
		return false
	}
	r.fail(n.line, n.path, showNode(n), want)
	return true
}

// socket is a listener with the key that it comes from.
type socket struct {
	path string
	Listener
}

// checkSockets looks for one address that is listened on twice.
func (r *reader) checkSockets(c *Config) {
	sockets := r.milterSockets(c)
	if l, ok := c.Admin.Listener(); ok {
		sockets = append(sockets, socket{"admin.listen", l})
	}
	sockets = append(sockets, socket{"admin.control", Listener{"unix", c.Admin.Control}})
	for i, s := range sockets {
		for _, before := range sockets[:i] {
			if same(s.Listener, before.Listener) {
				const want = "an address of its own; the same is in "
				_ = r.clash(s.path, want+before.path) || r.clash(before.path, want+s.path)
				break
			}
		}
	}
}

// milterSockets gives those that listen has, with their places in the file,
// where some may be wrong.
func (r *reader) milterSockets(c *Config) []socket {
	var sockets []socket
	if r.nodes["listen"] == nil {
		for _, l := range c.Listen {
			sockets = append(sockets, socket{"listen", l})
		}
		return sockets
	}
	for i := 0; ; i++ {
		n := r.nodes[fmt.Sprintf("listen[%d]", i)]
		if n == nil {
			return sockets
		}
		if l, err := listener(n.value); err == nil {
			sockets = append(sockets, socket{n.path, l})
		}
	}
}

// same compares addresses; with port 0 each socket gets a port of its own.
func same(a, b Listener) bool {
	return a.Address == b.Address && !strings.HasSuffix(a.Address, ":0")
}

// checkToken asks for a token where others than this host can connect.
func (r *reader) checkToken(c *Config) {
	l, ok := c.Admin.Listener()
	if ok && !l.loopback() && c.Admin.Token == "" && !r.bad["admin.token"] {
		r.clash("admin.listen", "an address on loopback, or admin.token set too")
	}
}

func (r *reader) checkFlood(c *Config) {
	if c.Flood.MaxBlock < c.Flood.Block && !r.bad["flood.block"] && !r.bad["flood.max_block"] {
		_ = r.clash("flood.max_block", "no less than flood.block") || r.clash("flood.block", "no more than flood.max_block")
	}
}

func (r *reader) checkZones(c *Config) {
	seen := map[string]int{}
	for i, z := range c.DNSBL {
		at := fmt.Sprintf("dnsbl[%d].", i)
		if before, twice := seen[z.Name]; twice && z.Name != "" {
			r.clash(at+"zone", fmt.Sprintf("each zone once; dnsbl[%d] has the same", before))
		} else {
			seen[z.Name] = i
		}
		if len(z.Codes) == 0 && !r.bad[at+"codes"] {
			r.clash(at+"codes", "at least one code; without, nothing is ever listed")
		}
	}
}

func (r *reader) checkDomains(c *Config) {
	seen := map[string]int{}
	for i, d := range c.DomainSettings {
		at := fmt.Sprintf("domain[%d].name", i)
		before, twice := seen[d.Name]
		switch {
		case d.Name == "":
		case twice:
			r.clash(at, fmt.Sprintf("each domain once; domain[%d] has the same", before))
		case !c.Domains.Empty() && !r.bad["domains"] && !c.Domains.Match(d.Name):
			r.clash(at, "a domain of ours; domains is set, but not to this one")
		}
		if !twice {
			seen[d.Name] = i
		}
	}
}
