package arch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/backscatter-milter/backscatter-milter"

// pkg is what `go list -json` says of a package.
type pkg struct {
	ImportPath   string
	Imports      []string // of its production code
	TestImports  []string // of its tests inside the package
	XTestImports []string // of its tests outside the package
}

func TestImports(t *testing.T) {
	pkgs := listPackages(t)
	for _, complaint := range checkImports(pkgs, rules, libraries) {
		t.Error(complaint)
	}
}

// listPackages asks the go command for the packages of the module.
func listPackages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			t.Fatalf("go list: %v", err)
		}
		pkgs = append(pkgs, p)
	}
	if !slices.ContainsFunc(pkgs, func(p pkg) bool { return p.ImportPath == module+"/internal/arch" }) {
		t.Fatalf("go list shows %d packages, and this one is not among them", len(pkgs))
	}
	return pkgs
}

// checkImports returns a line for each import that the tables do not allow.
func checkImports(pkgs []pkg, rules []rule, libraries []library) []string {
	var complaints []string
	for _, p := range pkgs {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		i := slices.IndexFunc(rules, func(r rule) bool { return r.pkg == name })
		if i < 0 {
			complaints = append(complaints, fmt.Sprintf("%s: no row in the table of rules_test.go: add it to the table", name))
			continue
		}
		c := checker{rule: rules[i], libraries: libraries}
		for _, path := range p.Imports {
			c.production(path)
		}
		for _, path := range slices.Concat(p.TestImports, p.XTestImports) {
			c.test(path)
		}
		complaints = append(complaints, c.complaints...)
	}
	return complaints
}

// checker holds the imports of one package to its rule.
type checker struct {
	rule       rule
	libraries  []library
	complaints []string
}

func (c *checker) complain(format string, args ...any) {
	c.complaints = append(c.complaints, c.rule.pkg+": "+fmt.Sprintf(format, args...))
}

// production judges an import of the package itself.
func (c *checker) production(path string) {
	own, ours := strings.CutPrefix(path, module+"/")
	switch {
	case ours:
		if !slices.Contains(c.rule.may, own) {
			c.complain("may not import %s, only %q", own, c.rule.may)
		}
	case isStandard(path):
		if slices.Contains(c.rule.never, path) {
			c.complain("stays clear of %s", path)
		}
		if path == "testing" || strings.HasPrefix(path, "testing/") {
			c.complain("imports %s outside its tests", path)
		}
	default:
		if !c.library(path) {
			c.complain("imports %s, which has no row among the libraries", path)
		}
	}
}

// test judges an import of the package's tests.
func (c *checker) test(path string) {
	own, ours := strings.CutPrefix(path, module+"/")
	switch {
	case ours:
		allowed := slices.Concat(c.rule.may, c.rule.tests, []string{c.rule.pkg, "internal/mtatest"})
		if !slices.Contains(allowed, own) {
			c.complain("its tests may not import %s, only %q", own, allowed)
		}
	case !isStandard(path):
		c.library(path)
	}
}

// library complains when the module that path is in has a row that does not
// name the package, and reports whether there is a row.
func (c *checker) library(path string) bool {
	for _, l := range c.libraries {
		if path != l.module && !strings.HasPrefix(path, l.module+"/") {
			continue
		}
		if !slices.Contains(l.users, c.rule.pkg) {
			c.complain("may not import %s, only %q may", path, l.users)
		}
		return true
	}
	return false
}

// isStandard reports whether path is of the standard library: its first element
// is no host name.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// TestImportsBroken breaks the rules one by one and wants each seen; the tables
// are the real ones.
func TestImportsBroken(t *testing.T) {
	const goMilter, cobra = "github.com/d--j/go-milter", "github.com/spf13/cobra"
	own := func(name string) string { return module + "/" + name }
	tests := []struct {
		name  string
		pkg   pkg
		wants string // part of the one complaint; empty: none
	}{
		{"a leaf", pkg{ImportPath: own("batv"), Imports: []string{"crypto/hmac"}}, ""},
		{"down the layers", pkg{ImportPath: own("milter"), Imports: []string{own("internal/policy"), goMilter}}, ""},
		{"the command", pkg{ImportPath: own("cmd/backscatter-milter"), Imports: []string{own("internal/mtatest"), cobra, "os"}}, ""},
		{"a library's sub-package", pkg{ImportPath: own("milter"), Imports: []string{goMilter + "/milterutil"}}, ""},
		{"tests use the MTA in miniature", pkg{ImportPath: own("milter"), XTestImports: []string{own("milter"), own("internal/mtatest"), "testing"}}, ""},
		{"tests use libraries of their own", pkg{ImportPath: own("batv"), TestImports: []string{"pgregory.net/rapid"}}, ""},

		{"no row", pkg{ImportPath: own("internal/misc")}, "internal/misc: no row in the table of rules_test.go: add it to the table"},
		{"a library imports a sibling", pkg{ImportPath: own("batv"), Imports: []string{own("config")}}, "batv: may not import config"},
		{"config imports a sibling", pkg{ImportPath: own("config"), Imports: []string{own("batv")}}, "config: may not import batv"},
		{"up the layers", pkg{ImportPath: own("internal/policy"), Imports: []string{own("milter")}}, "internal/policy: may not import milter"},
		{"past a layer", pkg{ImportPath: own("milter"), Imports: []string{own("internal/ledger")}}, "milter: may not import internal/ledger"},
		{"the store looks up", pkg{ImportPath: own("internal/store"), Imports: []string{own("internal/ledger")}}, "internal/store: may not import internal/ledger"},
		{"metrics outside the daemon", pkg{ImportPath: own("milter"), Imports: []string{own("internal/metrics")}}, "milter: may not import internal/metrics"},
		{"mtatest in production", pkg{ImportPath: own("milter"), Imports: []string{own("internal/mtatest")}}, "milter: may not import internal/mtatest"},
		{"go-milter in the policy", pkg{ImportPath: own("internal/policy"), Imports: []string{goMilter}}, "internal/policy: may not import " + goMilter},
		{"go-milter in the policy's tests", pkg{ImportPath: own("internal/policy"), TestImports: []string{goMilter}}, "internal/policy: may not import " + goMilter},
		{"go-milter in the command", pkg{ImportPath: own("cmd/backscatter-milter"), Imports: []string{goMilter}}, "may not import " + goMilter},
		{"the daemon knows its command line", pkg{ImportPath: own("internal/daemon"), Imports: []string{cobra}}, "internal/daemon: may not import " + cobra},
		{"what is known of the site knows the daemon", pkg{ImportPath: own("internal/knowledge"), Imports: []string{own("internal/daemon")}}, "internal/knowledge: may not import internal/daemon"},
		{"the daemon's parts in the command", pkg{ImportPath: own("cmd/backscatter-milter"), Imports: []string{own("internal/ledger")}}, "may not import internal/ledger"},
		{"cobra in a library", pkg{ImportPath: own("config"), Imports: []string{cobra}}, "config: may not import " + cobra},
		{"a library nobody decided on", pkg{ImportPath: own("config"), Imports: []string{"example.com/left/pad"}}, "config: imports example.com/left/pad, which has no row"},
		{"the testing package", pkg{ImportPath: own("milter"), Imports: []string{"testing"}}, "milter: imports testing outside its tests"},
		{"beneath the testing package", pkg{ImportPath: own("milter"), Imports: []string{"testing/iotest"}}, "milter: imports testing/iotest outside its tests"},
		{"a parser that opens files", pkg{ImportPath: own("classify"), Imports: []string{"os"}}, "classify: stays clear of os"},
		{"a test reaches across", pkg{ImportPath: own("batv"), XTestImports: []string{own("batv"), own("milter")}}, "batv: its tests may not import milter"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := checkImports([]pkg{tt.pkg}, rules, libraries)
			switch {
			case tt.wants == "" && len(got) > 0:
				t.Errorf("complaints %q about what is allowed", got)
			case tt.wants != "" && (len(got) != 1 || !strings.Contains(got[0], tt.wants)):
				t.Errorf("complaints %q, want one with %q", got, tt.wants)
			}
		})
	}
}

// TestRules holds the tables to themselves: a name misspelt in a row would
// allow or forbid nothing.
func TestRules(t *testing.T) {
	var names []string
	for _, r := range rules {
		if slices.Contains(names, r.pkg) {
			t.Errorf("%s has two rows", r.pkg)
		}
		names = append(names, r.pkg)
	}
	known := func(where string, refs []string) {
		for _, ref := range refs {
			if !slices.Contains(names, ref) {
				t.Errorf("%s names %s, which has no row", where, ref)
			}
		}
	}
	for _, r := range rules {
		known(r.pkg, slices.Concat(r.may, r.tests))
	}
	for _, l := range libraries {
		known(l.module, l.users)
	}
}
