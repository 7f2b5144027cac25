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
