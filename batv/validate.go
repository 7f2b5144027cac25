package batv

import (
	"fmt"
	"slices"
	"time"
)

const maxSecret = 1024 // octets

// problem is one thing wrong with a key, in the words of the key file.
type problem struct {
	key     int    // index
	field   string // "number", ...
	value   string // as shown to the user
	allowed string
}

func (p problem) at(i int) error {
	return fmt.Errorf("key[%d].%s: %s: %s", i, p.field, p.value, p.allowed)
}

const hidden = "(not shown)" // stands for secrets in errors

// checkKey finds what is wrong with a key by itself.
func checkKey(k *Key) []problem {
	var found []problem
	report := func(field, value, allowed string) {
		found = append(found, problem{field: field, value: value, allowed: allowed})
	}
	if k.Number < 0 || k.Number > 9 {
		report("number", fmt.Sprint(k.Number), "must be an integer from 0 to 9")
	}
	if len(k.Secret) == 0 || len(k.Secret) > maxSecret {
		report("secret", hidden, fmt.Sprintf("must hold 1 to %d octets", maxSecret))
	}
	if !k.Retired.IsZero() && !k.SignFrom.IsZero() && !k.Retired.After(k.SignFrom) {
		report("retired", k.Retired.UTC().Format(time.RFC3339), "must be later than sign_from")
	}
	for i, domain := range k.Domains {
		switch {
		case !validDomain(domain) || domain[0] == '[':
			report("domains", fmt.Sprintf("%q", domain), "must be a domain name; wildcards are not allowed")
		case slices.ContainsFunc(k.Domains[:i], func(d string) bool { return domainKey(d) == domainKey(domain) }):
			report("domains", fmt.Sprintf("%q", domain), "must name each domain once")
		}
	}
	return found
}

// checkSets finds what is wrong between keys that are sound by themselves.
func checkSets(keys []Key) []problem {
	if len(keys) == 0 || !slices.ContainsFunc(keys, func(k Key) bool { return k.signs() }) {
		return []problem{{0, "signing", "false", "one key must sign: set signing = true"}}
	}
	found := checkDoubles(keys)
	for _, scope := range scopes(keys) {
		if p, wrong := checkSigner(keys, scope); wrong {
			found = append(found, p)
		}
	}
	return found
}

// checkDoubles finds numbers used twice, and keys that both sign, for the same
// domain. One key is reported once for each mistake, whatever the number of
// domains.
func checkDoubles(keys []Key) []problem {
	var found []problem
	for i := range keys {
		k := &keys[i]
		for j := range keys[:i] {
			scope, both := shared(&keys[j], k)
			if !both {
				continue
			}
			if keys[j].Number == k.Number {
				found = append(found, problem{i, "number", fmt.Sprint(k.Number),
					"another key for " + scope + " has this number: each number may stand once"})
			}
			if keys[j].signsAlways() && k.signsAlways() {
				found = append(found, problem{i, "signing", "true", fmt.Sprintf(
					"key number %d already signs for %s: one key signs, the others have signing = false (a successor: and sign_from)",
					keys[j].Number, scope)})
			}
		}
	}
	return found
}

// signsAlways reports whether the key signs without a date to begin at.
func (k *Key) signsAlways() bool { return k.Signing && k.SignFrom.IsZero() }

// checkSigner reports a domain none of whose keys ever signs. Keys that are all
// retired need no signer: what they signed runs out.
func checkSigner(keys []Key, scope string) (problem, bool) {
	first := -1
	retired := true
	for i := range keys {
		if !inScope(&keys[i], scope) {
			continue
		}
		if keys[i].signs() {
			return problem{}, false
		}
		if first < 0 {
			first = i
		}
		retired = retired && !keys[i].Retired.IsZero()
	}
	return problem{first, "signing", "false",
		"one key for " + scopeName(scope) + " must sign: set signing = true"}, !retired
}

// scopes returns every canonical domain that keys are for, and "" for all
// domains, each once.
func scopes(keys []Key) []string {
	var all []string
	for i := range keys {
		if len(keys[i].Domains) == 0 {
			all = append(all, "")
		}
		for _, domain := range keys[i].Domains {
			all = append(all, domainKey(domain))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func inScope(k *Key, scope string) bool {
	if scope == "" {
		return len(k.Domains) == 0
	}
	return slices.ContainsFunc(k.Domains, func(d string) bool { return domainKey(d) == scope })
}

// shared returns the name of a set of domains that both keys are for.
func shared(a, b *Key) (string, bool) {
	for _, scope := range scopes([]Key{*a}) {
		if inScope(b, scope) {
			return scopeName(scope), true
		}
	}
	return "", false
}

func scopeName(scope string) string {
	if scope == "" {
		return "all domains"
	}
	return scope
}
