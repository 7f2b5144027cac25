package config

import (
	"regexp"
	"strings"
)

// Headers are header fields, by their names in lower case, and what their
// values must match.
type Headers map[string]*regexp.Regexp

// Match reports whether a field, whose name may be in any case, is one of
// them.
func (h Headers) Match(name, value string) bool {
	if len(h) == 0 {
		return false
	}
	re := h[strings.ToLower(name)]
	return re != nil && re.MatchString(value)
}

// headers is a key whose value is a table of field names and expressions.
func headers[S any](path string, at func(*S) *Headers) key[S] {
	const want = `a table of field names with regular expressions, such as { "X-Monitor" = "^nagios" }`
	return table(path, want, func(_ *reader, name string, v any) (*regexp.Regexp, error) {
		if _, err := fieldName(name); err != nil {
			return nil, errAllowed
		}
		return expression(v)
	}, strings.ToLower, at)
}

// dkimKeys is a key whose value is a table of DNS names and files, whose relative
// names are relative to the folder of the configuration.
func dkimKeys[S any](path string, at func(*S) *map[string]string) key[S] {
	const want = `a table of DNS names with files, such as { "s1._domainkey.example.com" = "s1.txt" }`
	return table(path, want, func(r *reader, name string, v any) (string, error) {
		selector, domain, ok := strings.Cut(name, "._domainkey.")
		if _, err := hostName(domain); !ok || selector == "" || err != nil || !validName(selector+".x") {
			return "", errAllowed
		}
		file, err := fileName(v)
		return r.beside(file), err
	}, strings.ToLower, at)
}

// table is a key whose value is a table with names that the user chooses. Two
// names that norm makes the same are a mistake.
func table[S, T any, M ~map[string]T](path, allowed string, parse func(r *reader, name string, v any) (T, error),
	norm func(string) string, at func(*S) *M) key[S] {
	return key[S]{path: path, allowed: allowed, same: sameAt(at),
		read: func(r *reader, k key[S], n *node, s *S) {
			if n.table == nil {
				r.ok(n, k.allowed, errAllowed)
				return
			}
			var m M
			for _, name := range n.names {
				child := n.table[name]
				v, err := parse(r, name, child.plain())
				if !r.ok(child, k.allowed, err) {
					r.bad[n.path] = true
					continue
				}
				if m == nil {
					m = M{}
				}
				if _, dup := m[norm(name)]; dup {
					r.fail(child.line, child.path, showNode(child), "set twice; upper and lower case are the same here")
				}
				m[norm(name)] = v
			}
			*at(s) = m
		}}
}
