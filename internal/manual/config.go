package manual

import (
	"errors"
	"fmt"
	"strings"

	"github.com/backscatter-milter/backscatter-milter/config"
)

// headOnly is how many paragraphs at the head of the example speak of how that
// file is laid out.
const headOnly = 2

// Config writes the page of the configuration file, section 5: a section for
// each key, from the comments of the example configuration and what the reader
// of the file allows. A key that one of them lacks is an error.
func Config(program, exampleText string, h Header) (string, error) {
	e, err := readExample(exampleText)
	if err != nil {
		return "", err
	}
	name := program + ".toml"
	p := newPage(name, 5, h)
	p.section("NAME")
	p.line(`%s \- configuration of %s(8)`, escape(name), escape(program))
	p.section("DESCRIPTION")
	p.text("The file is /etc/" + program + "/config.toml, if no other is named. It is in TOML: KEY = VALUE, with [tables] of keys and [[lists of tables]]. " +
		"It need not exist, and only what differs from the defaults need be in it.")
	for _, paragraph := range e.intro[min(headOnly, len(e.intro)):] {
		p.text(paragraph)
	}
	err = p.keys(e)
	p.section("SEE ALSO")
	p.line(`\fB%s\fR(8)`, escape(program))
	return p.b.String(), err
}

// keys writes a section for each table and one below it for each key.
func (p *page) keys(e *example) error {
	f := file{}
	for _, k := range config.Keys() {
		f[k.Path] = k
	}
	var errs []error
	table := "none"
	var shared []setting
	seen := map[string]bool{}
	for _, s := range e.settings {
		if s.table != table {
			shared = p.endShared(shared)
			table = s.table
			p.table(table, e.tables[table])
		}
		k, ok := f[s.path()]
		seen[s.path()] = true
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("%s is in the example, and is no key", s.path()))
		case s.table == domainPolicy:
			shared = append(shared, s)
		default:
			p.key(s, k)
			p.example(f.written(s.table, s.name))
		}
	}
	p.endShared(shared)
	for _, k := range config.Keys() {
		if !seen[k.Path] {
			errs = append(errs, fmt.Errorf("%s is not in the example", k.Path))
		}
	}
	return errors.Join(errs...)
}

// domainPolicy is the table whose keys share a section: they are those of
// [policy] once more.
const domainPolicy = "[domain.policy]"

func (p *page) endShared(shared []setting) []setting {
	if len(shared) == 0 {
		return nil
	}
	var names []string
	for _, s := range shared {
		names = append(names, s.name)
	}
	p.subsection("domain.policy.REASON (default: that of policy.REASON)")
	p.text("As policy.REASON, for the domain. REASON is one of " + strings.Join(names, ", ") + ".")
	p.example("[[domain]]\nname = \"example.com\"\n\n" + domainPolicy + "\n" + names[len(names)-1] + ` = "quarantine"`)
	return nil
}

func (p *page) table(header, prose string) {
	if header == "" {
		p.section("GENERAL SETTINGS")
		p.text("These stand above the first table.")
		return
	}
	p.section(header)
	if prose != "" {
		p.text(prose)
	}
}

// key writes the section of one key, in the manner of postconf(5).
func (p *page) key(s setting, k config.Key) {
	prose, standard := s.prose, "default: "+s.value
	if above, ok := strings.CutPrefix(prose, "As above"); ok {
		general := strings.TrimPrefix(k.Path, "domain.")
		prose = "As " + general + above
		if !strings.Contains(above, "added") {
			standard = "default: that of " + general
		}
	}
	if k.Required {
		standard = "required"
	}
	p.subsection(k.Path + " (" + standard + ")")
	p.text(prose)
	allowed := k.Allowed
	if strings.HasPrefix(s.value, "[") {
		allowed = "a list in [ ] of: " + allowed
	}
	p.text("Allowed: " + strings.TrimSuffix(allowed, ".") + ".")
	p.text("Example:")
}

// file is every key by its path.
type file map[string]config.Key

// written is the example of a setting as it stands in a file, with the table
// that it needs and what that needs.
func (f file) written(table, name string) string {
	path := setting{table: table, name: name}.path()
	line := name + " = " + f[path].Example
	outer, _, nested := strings.Cut(strings.Trim(table, "[]"), ".")
	switch {
	case table == "":
		return line
	case !nested && !strings.HasPrefix(table, "[["):
		return table + "\n" + line
	}
	lines := []string{"[[" + outer + "]]"}
	for _, k := range config.Keys() {
		if in, ok := strings.CutPrefix(k.Path, outer+"."); ok && k.Required {
			lines = append(lines, in+" = "+k.Example)
		}
	}
	if nested {
		lines = append(lines, "", table)
	}
	if !f[path].Required {
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
