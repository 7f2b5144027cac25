// Package filters runs the mail filters that examples/ has rules for, each in a
// box of its own, on messages that it is given, and tells what the filter made
// of them. What that should have been it does not know.
package filters

// Packages names the Debian packages of each filter.
func Packages() map[string][]string {
	return map[string][]string{
		"sieve":        {"dovecot-sieve"},
		"spamassassin": {"spamassassin"},
		"rspamd":       {"rspamd"},
	}
}
