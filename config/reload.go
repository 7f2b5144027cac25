package config

import "slices"

// restartKeys are the keys, or whole tables, that take effect at a start only.
func restartKeys() []string {
	return []string{
		"listen", "socket_mode", "socket_group", "max_connections", "store",
		"admin.listen", "admin.token", "admin.control",
	}
}

// NeedsRestart lists the keys that differ in next and that a reload does not
// bring into force.
func (c *Config) NeedsRestart(next *Config) []string {
	var list []string
	for _, k := range schema() {
		if slices.Contains(restartKeys(), k.path) && !k.same(c, next) {
			list = append(list, k.path)
		}
	}
	return list
}
