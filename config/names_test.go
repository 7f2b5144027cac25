package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func domainSet(t testing.TB, patterns ...string) DomainSet {
	t.Helper()
	var list []string
	for _, p := range patterns {
		name, err := domainPattern(p)
		if err != nil {
			t.Fatalf("%q: %v", p, err)
		}
		list = append(list, name)
	}
	return newDomainSet(list)
}

func addressSet(t testing.TB, patterns ...string) Addresses {
	t.Helper()
	var list []pattern
	for _, text := range patterns {
		p, err := addressPattern(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		list = append(list, p)
	}
	return newAddresses(list)
}

func TestDomainSet(t *testing.T) {
	d := domainSet(t, "example.com", "*.Example.NET", "Bücher.example", "xn--strae-oqa.example.", "*.例え.example")
	for domain, want := range map[string]bool{
		"example.com":                true,
		"EXAMPLE.Com":                true,
		"example.com.":               true,
		"www.example.com":            false,
		"xexample.com":               false,
		"com":                        false,
		"":                           false,
		".":                          false,
		"example.net":                false,
		"a.example.net":              true,
		"a.b.c.Example.Net":          true,
		"xexample.net":               false,
		".example.net":               false,
		"a..example.net":             false,
		"bücher.example":             true,
		"BÜCHER.EXAMPLE":             true,
		"xn--bcher-kva.example":      true,
		"XN--BCHER-KVA.example":      true,
		"bu\u0308cher.example":       true, // ü as two characters
		"straße.example":             true,
		"strasse.example":            false,
		"mail.例え.example":            true,
		"a.mail.xn--r8jz45g.example": true,
		"例え.example":                 false,
		"foo_bar.Example.net":        true,
		"\xff.example.net":           true,
		"*.example.net":              true,
		"example.com\x00":            false,
		strings.Repeat("a.", 1e5):    false,
		strings.Repeat("É.", 1e3):    false,
	} {
		if got := d.Match(domain); got != want {
			t.Errorf("%.40q: %v", domain, got)
		}
	}
	const list = "example.com, *.example.net, xn--bcher-kva.example, xn--strae-oqa.example, *.xn--r8jz45g.example"
	if d.Empty() || d.String() != list || strings.Join(d.List(), ", ") != list {
		t.Errorf("%v", d)
	}
	var none DomainSet
	if !none.Empty() || none.Match("example.com") || none.Match("") || none.String() != "" || none.List() != nil {
		t.Error("the zero value is not empty")
	}
}

func TestHostName(t *testing.T) {
	label := strings.Repeat("a", 63)
	taken(t, hostName, []any{"example.com", "localhost", "a_b.example.com", "3.example", label + ".example", "xn--bcher-kva.example",
		"example.com.", strings.Repeat(label+".", 3) + label[:61]},
		[]any{"", ".", "..", ".example.com", "example..com", "-a.example", "a-.example", "a b.example", label + "a.example",
			strings.Repeat(label+".", 3) + label[:62], "192.0.2.1", "example.123", "user@example.com", "example.com:25", "[192.0.2.1]",
			"*.example.com", "xn--0.example", "xn--.example", "a\x00b.example", "a/b.example", "\xff.example", "ex\u200bample\u202e.com",
			strings.Repeat("ü.", 1000), int64(1)})
}

func TestAddresses(t *testing.T) {
	a := addressSet(t, "User@Example.com", "postmaster@*", "*@example.net", "@Bücher.example", `"John Doe"@example.com`, "größe@example.org", "a=b@example.com")
	for address, want := range map[string]bool{
		"user@example.com":             true,
		"USER@EXAMPLE.COM":             true,
		"user@example.com.":            true,
		"user@www.example.com":         false,
		"use@example.com":              false,
		"user+x@example.com":           false,
		"postmaster@example.org":       true,
		"PostMaster@[192.0.2.1]":       true,
		"postmaster":                   true,
		"Postmaster":                   true,
		"postmaster@":                  true,
		"abuse":                        false,
		"user":                         false,
		"anybody@example.net":          true,
		"any@body@example.net":         true,
		"@example.net":                 true,
		"anybody@sub.example.net":      false,
		"x@xn--bcher-kva.example":      true,
		"x@BÜCHER.example":             true,
		`"john doe"@example.com`:       true,
		"GRÖßE@example.org":            true,
		"a=b@example.com":              true,
		"":                             false,
		"@":                            false,
		"*@example.com":                false,
		"*@*":                          false,
		"\xff@example.net":             true,
		"\xff":                         false,
		strings.Repeat("@", 10000):     false,
		strings.Repeat("x", 10000):     false,
		strings.Repeat("É", 999) + "@": false,
	} {
		if got := a.Match(address); got != want {
			t.Errorf("%.40q: %v", address, got)
		}
	}
	const list = `user@example.com, postmaster@*, *@example.net, *@xn--bcher-kva.example, "john doe"@example.com, größe@example.org, a=b@example.com`
	if a.Empty() || a.String() != list || strings.Join(a.List(), ", ") != list {
		t.Errorf("%v", a)
	}
	var none Addresses
	if !none.Empty() || none.Match("a@example.com") || none.Match("") || none.String() != "" {
		t.Error("the zero value is not empty")
	}
}

func TestAddressPattern(t *testing.T) {
	taken(t, addressPattern, []any{"a@example.com", "a@*", "*@example.com", "@example.com", `"a@b"@example.com`, "o'hara+x@example.com"},
		[]any{"", "@", "*", "a", "@*", "*@*", "a@", "a@*.example.com", "a*@example.com", "a b@example.com", "a@b@example.com", "<a@example.com>",
			"a@[192.0.2.1]", "a@192.0.2.1", `"a@example.com`, `""@example.com`, strings.Repeat("a", 65) + "@example.com", "a\n@example.com", "\xff@example.com"})
}

func TestDestinations(t *testing.T) {
	var list []destination
	for _, text := range []string{"user@example.com", "example.net", "*.example.org", "list@*"} {
		d, err := destinationPattern(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, d)
	}
	d := newDestinations(list)
	for address, want := range map[string]bool{
		"user@example.com":       true,
		"other@example.com":      false,
		"any@example.net":        true,
		"any@lists.example.net":  false,
		"any@lists.example.org":  true,
		"any@example.org":        false,
		"list@mail.example.com":  true,
		"example.net":            false,
		"":                       false,
		"Any@Lists.EXAMPLE.org.": true,
	} {
		if got := d.Match(address); got != want {
			t.Errorf("%q: %v", address, got)
		}
	}
	if d.Empty() || !(Destinations{}).Empty() || (Destinations{}).Match("a@example.com") {
		t.Error("Empty is wrong, or an empty set matches")
	}
	taken(t, destinationPattern, nil, []any{"", "@", "*", ".example.com", "a b", int64(1)})
}

func TestHeaders(t *testing.T) {
	c, err := Parse("c.toml", []byte("[exempt.headers]\nX-Monitor = '^nagios'\nX-Probe = '.'\n"))
	if err != nil {
		t.Fatal(err)
	}
	h := c.Exempt.Headers
	if !h.Match("X-Monitor", "nagios 1") || !h.Match("x-MONITOR", "nagios") || h.Match("X-Monitor", "a nagios") ||
		h.Match("X-Probe", "") || h.Match("X-Other", "nagios") || Headers(nil).Match("X-Monitor", "nagios") {
		t.Errorf("%v", h)
	}
}

// TestMatchAllocates asks that nothing does in what is called for every
// recipient, given lower-case ASCII.
func TestMatchAllocates(t *testing.T) {
	d := domainSet(t, "example.com", "*.example.net")
	a := addressSet(t, "user@example.com", "postmaster@*", "*@example.net")
	if n := testing.AllocsPerRun(100, func() {
		d.Match("example.com")
		d.Match("a.b.example.net")
		d.Match("mail.example.org")
		a.Match("user@example.com")
		a.Match("somebody@example.org")
		a.Match("postmaster@example.org")
		a.Match("x@example.net")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// manyDomains writes a list of domains, every tenth with a wildcard.
func manyDomains(t testing.TB, n int) string {
	t.Helper()
	var b strings.Builder
	for i := range n {
		if i%10 == 0 {
			b.WriteString("*.")
		}
		fmt.Fprintf(&b, "domain%d.example.com\n", i)
	}
	return filepath.Join(filepath.Dir(write(t, t.TempDir(), "list", b.String())), "config.toml")
}

func TestManyDomains(t *testing.T) {
	name := manyDomains(t, 10000)
	c, err := Parse(name, []byte("domains = ['file:list']"))
	if err != nil {
		t.Fatal(err)
	}
	d := c.Domains
	if len(d.List()) != 10000 || !d.Match("domain9999.example.com") || d.Match("domain9990.example.com") ||
		!d.Match("x.domain9990.example.com") || d.Match("domain10000.example.com") {
		t.Error("not the domains of the list")
	}
}

func BenchmarkLoad10000Domains(b *testing.B) {
	name := manyDomains(b, 10000)
	for b.Loop() {
		if _, err := Parse(name, []byte("domains = ['file:list']")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMatch10000Domains(b *testing.B) {
	c, err := Parse(manyDomains(b, 10000), []byte("domains = ['file:list']"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		c.Domains.Match("a.b.domain777.example.com")
	}
}
