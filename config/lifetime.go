package config

import (
	"fmt"
	"time"
)

// ParseLifetime reads a tag's lifetime as it stands in the configuration, for
// command lines that take one.
func ParseLifetime(s string) (time.Duration, error) {
	d, err := wholeDays(1, 99)(s)
	if err != nil {
		return 0, fmt.Errorf("%q: want %s", s, lifetimeAllowed)
	}
	return d, nil
}

// ParseDuration reads a length of time as it stands in the configuration: "90s",
// "24h", "7d", "2w".
func ParseDuration(s string) (time.Duration, error) {
	d, ok := parseDuration(s)
	if !ok || d < 0 {
		return 0, fmt.Errorf(`%q: want a length of time such as "90s", "24h", "7d" or "2w"`, s)
	}
	return d, nil
}
