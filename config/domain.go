package config

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// DomainSet is a set of domains, some of them with all their sub-domains. The
// zero value is empty.
type DomainSet struct {
	list  []string // as List gives them
	names map[string]struct{}
	above map[string]struct{} // domains whose sub-domains are in the set
}

// newDomainSet takes what domainPattern gives.
func newDomainSet(list []string) DomainSet {
	if len(list) == 0 {
		return DomainSet{}
	}
	d := DomainSet{list: list, names: map[string]struct{}{}, above: map[string]struct{}{}}
	for _, name := range list {
		if parent, ok := strings.CutPrefix(name, "*."); ok {
			d.above[parent] = struct{}{}
		} else {
			d.names[name] = struct{}{}
		}
	}
	return d
}

// Match reports whether a domain is in the set. Case, a final dot, and whether
// a name is in A- or U-label form (RFC 5890) make no difference. "*.example.com"
// matches at any depth, but not example.com itself.
func (d DomainSet) Match(domain string) bool {
	if len(d.list) == 0 {
		return false
	}
	domain = FoldDomain(domain)
	if _, ok := d.names[domain]; ok {
		return true
	}
	if len(d.above) == 0 {
		return false
	}
	for {
		label, parent, ok := strings.Cut(domain, ".")
		if !ok || label == "" {
			return false
		}
		if _, ok := d.above[parent]; ok {
			return true
		}
		domain = parent
	}
}

// Empty reports whether nothing is in the set.
func (d DomainSet) Empty() bool {
	return len(d.list) == 0
}

// List gives the names and "*.name" patterns of the set in lower case and
// A-label form, in the order of the file.
func (d DomainSet) List() []string {
	return slices.Clone(d.list)
}

// String gives the list with commas.
func (d DomainSet) String() string {
	return strings.Join(d.list, ", ")
}

// FoldDomain gives the form in which domains are compared. Lower-case ASCII is
// returned as it is; names turn into A-labels as RFC 5891, section 5, has it.
func FoldDomain(domain string) string {
	domain = strings.TrimSuffix(domain, ".")
	if isLowerASCII(domain) {
		return domain
	}
	if a, err := idna.Lookup.ToASCII(domain); err == nil {
		return a
	}
	return strings.ToLower(domain)
}

// fold gives the form in which local parts are compared.
func fold(s string) string {
	if isLowerASCII(s) {
		return s
	}
	return strings.ToLower(s)
}

func isLowerASCII(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}

// hostName parses the name of a domain or a host, and gives it in lower case
// and A-label form.
func hostName(v any) (string, error) {
	s, ok := v.(string)
	s = strings.TrimSuffix(s, ".")
	if !ok || s == "" || len(s) > 4*253 || strings.ContainsRune(s, utf8.RuneError) {
		return "", errAllowed
	}
	ascii := fold(s)
	if !isLowerASCII(ascii) || strings.HasPrefix(ascii, "xn--") || strings.Contains(ascii, ".xn--") {
		var err error
		if ascii, err = idna.Lookup.ToASCII(s); err != nil {
			return "", errAllowed
		}
	}
	return ascii, allowed(validName(ascii))
}

// validName checks lengths and letters (RFC 1035, section 2.3.4; RFC 1123,
// section 2.1), but allows the underscore, which is seen in host names. A name
// whose last label is a number would be an address.
func validName(s string) bool {
	if len(s) > 253 {
		return false
	}
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if !validLabel(label) {
			return false
		}
	}
	last := labels[len(labels)-1]
	return strings.Trim(last, "0123456789") != ""
}

func validLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(label, func(c rune) bool {
		return c >= utf8.RuneSelf || !isAlnum(byte(c)) && c != '-' && c != '_'
	})
}

const domainAllowed = `a domain such as "example.com", "*.example.com" for its sub-domains, or "file:PATH"`

// domainPattern parses a name or "*.name".
func domainPattern(v any) (string, error) {
	s, _ := v.(string)
	if rest, ok := strings.CutPrefix(s, "."); ok {
		if name, err := hostName(rest); err == nil {
			return "", fmt.Errorf("sub-domains are written %q", "*."+name)
		}
	}
	rest, wild := strings.CutPrefix(s, "*.")
	name, err := hostName(rest)
	if wild && err == nil {
		name = "*." + name
	}
	return name, err
}

// domains is a key whose value is a list of domains, some in files.
func domains(path string, at func(*Config) *DomainSet) key[Config] {
	return key[Config]{path: path, allowed: domainAllowed, same: sameAt(at),
		read: func(r *reader, k key[Config], n *node, c *Config) {
			var list []string
			parts := readList(r, n, k.allowed, func(v any) ([]string, error) {
				s, _ := v.(string)
				if name, ok := strings.CutPrefix(s, "file:"); ok {
					return r.domainFile(n, name)
				}
				name, err := domainPattern(v)
				return []string{name}, err
			})
			for _, part := range parts {
				list = append(list, part...)
			}
			*at(c) = newDomainSet(list)
		}}
}

const (
	maxDomainFile  = 64 << 20 // octets; more than a million domains
	maxDomainFails = 20       // bad lines of a file that are shown
)

// domainFile reads a file with one domain a line; "#" begins a comment. A
// relative name is relative to the folder of the configuration.
func (r *reader) domainFile(n *node, name string) ([]string, error) {
	if name == "" {
		return nil, errors.New(`the name of a file after "file:"`)
	}
	path := r.beside(name)
	data, err := readRegular(path)
	if err != nil {
		return nil, fmt.Errorf("a file with one domain a line: %w", cause(err))
	}
	var list []string
	fails := 0
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	lines.Buffer(nil, len(data)+1)
	for number := 1; lines.Scan(); number++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		domain, err := domainPattern(line)
		if err == nil {
			list = append(list, domain)
			continue
		}
		if fails++; fails <= maxDomainFails {
			r.failIn(path, number, n, line, err)
		}
	}
	if fails > maxDomainFails {
		return nil, fmt.Errorf("a file with one domain a line: %d lines are wrong, the first %d shown", fails, maxDomainFails)
	}
	return list, nil
}

// failIn notes a mistake in a file that a key names. The file may be another
// than was meant, with passwords or keys in it, which are not shown.
func (r *reader) failIn(file string, line int, n *node, value string, err error) {
	shown := show(value)
	if strings.ContainsAny(value, "=:") {
		shown = hidden
	}
	want := `a domain such as "example.com", or "*.example.com" for its sub-domains`
	if !errors.Is(err, errAllowed) {
		want = err.Error()
	}
	r.errs = append(r.errs, &Error{File: file, Line: line, Key: n.path, Value: shown, Want: want, from: n.line})
	r.bad[n.path] = true
}

// readRegular reads a file, but neither a device nor a pipe, which may never
// end.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readUpTo(f, maxDomainFile)
}

// readUpTo reads all, and fails where there is more than limit.
func readUpTo(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("larger than %d MiB", limit>>20)
	}
	return data, err
}

// cause leaves the name out of a file error, which the message has already.
func cause(err error) error {
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		return pe.Err
	}
	return err
}
