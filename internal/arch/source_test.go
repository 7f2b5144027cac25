package arch

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sources are the Go files of a tree: what they hold, by their slash-separated
// names below its root.
type sources map[string][]byte

func TestSources(t *testing.T) {
	files := readSources(t, filepath.Join("..", ".."))
	if _, ok := files["internal/arch/source_test.go"]; !ok {
		t.Fatalf("%d files were found, and this one is not among them", len(files))
	}
	for _, complaint := range checkSources(files) {
		t.Error(complaint)
	}
}

// readSources reads every Go file below root, of all modules and build
// constraints, but for what is built or tested on. That this process reads them
// also keeps `go test` from answering out of its cache when one has changed: it
// does not see what the go command reads for TestImports.
func readSources(t *testing.T, root string) sources {
	t.Helper()
	files := sources{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != root && (d.Name() == "build" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(rel)], err = os.ReadFile(name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// checkSources returns a line for each rule that the files break.
func checkSources(files sources) []string {
	c := sourceChecker{fset: token.NewFileSet(), documented: map[string]bool{}}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		c.file(name, files[name])
	}
	for _, folder := range slices.Sorted(maps.Keys(c.documented)) {
		if !c.documented[folder] {
			c.complain(folder, "no package comment that says what it is for")
		}
	}
	if total := c.short + len(c.long); len(c.long)*100 > total*(100-shortFuncShare) {
		c.complain("all", "%d of %d functions are not under %d lines, more than %d%%:\n\t%s",
			len(c.long), total, shortFuncLines, 100-shortFuncShare, strings.Join(c.long, "\n\t"))
	}
	return c.complaints
}

// sourceChecker reads one file after the other.
type sourceChecker struct {
	fset       *token.FileSet
	documented map[string]bool // folder: it has a package comment
	short      int             // functions under shortFuncLines
	long       []string        // the others
	complaints []string
}

func (c *sourceChecker) complain(where, format string, args ...any) {
	c.complaints = append(c.complaints, where+": "+fmt.Sprintf(format, args...))
}

func (c *sourceChecker) file(name string, src []byte) {
	f, err := parser.ParseFile(c.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		c.complain(name, "%v", err)
		return
	}
	folder := path.Dir(name)
	c.documented[folder] = c.documented[folder] || isPackageComment(f)
	if n := bytes.Count(src, []byte("\n")); n > maxFileLines {
		c.complain(name, "%d lines, more than %d", n, maxFileLines)
	}
	if strings.HasSuffix(name, "_test.go") {
		return
	}
	for _, decl := range f.Decls {
		c.sizes(decl)
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			c.complain(c.at(fn), "an init function: nothing happens here before main")
		}
	}
	if !mayAskTheTime(name, f) {
		c.clock(f)
	}
}

// isPackageComment reports whether f has a comment in the form that go doc
// wants. A command's begins as its author likes.
func isPackageComment(f *ast.File) bool {
	text := f.Doc.Text()
	if f.Name.Name == "main" {
		return text != ""
	}
	return strings.HasPrefix(text, "Package "+strings.TrimSuffix(f.Name.Name, "_test")+" ")
}

// sizes measures a function, or those that a package's variables are made with.
func (c *sourceChecker) sizes(decl ast.Decl) {
	ast.Inspect(decl, func(n ast.Node) bool {
		name := "a function literal"
		switch n := n.(type) {
		case *ast.FuncDecl:
			name = n.Name.Name
		case *ast.FuncLit:
		default:
			return true
		}
		lines := c.fset.Position(n.End()).Line - c.fset.Position(n.Pos()).Line + 1
		if lines > maxFuncLines {
			c.complain(c.at(n), "%s has %d lines, more than %d", name, lines, maxFuncLines)
		}
		if lines < shortFuncLines {
			c.short++
		} else {
			c.long = append(c.long, fmt.Sprintf("%s: %s has %d lines", c.at(n), name, lines))
		}
		return false // what is inside a function counts with it
	})
}

func mayAskTheTime(name string, f *ast.File) bool {
	return f.Name.Name == "main" || slices.ContainsFunc(clockUsers, func(folder string) bool {
		return strings.HasPrefix(name, folder+"/")
	})
}

// clock complains about each use of time.Now, called or handed on, and of the
// functions that call it.
func (c *sourceChecker) clock(f *ast.File) {
	local := importedAs(f, "time")
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := sel.X.(*ast.Ident)
		if ok && x.Name == local && slices.Contains([]string{"Now", "Since", "Until"}, sel.Sel.Name) {
			c.complain(c.at(sel), "time.%s: the clock is passed in", sel.Sel.Name)
		}
		return true
	})
}

// importedAs returns the name by which f knows a package of one path element,
// or "" where it does not import it.
func importedAs(f *ast.File, pkg string) string {
	for _, spec := range f.Imports {
		if spec.Path.Value != `"`+pkg+`"` {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return pkg
	}
	return ""
}

func (c *sourceChecker) at(n ast.Node) string {
	p := c.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

// TestSourcesBroken breaks the rules one by one and wants each seen.
func TestSourcesBroken(t *testing.T) {
	const doc = "// Package p does p.\npackage p\n"
	fn := func(lines int) string { return "func f() {\n" + strings.Repeat("\tg()\n", lines-2) + "}\n" }
	one := func(src string) sources { return sources{"p/p.go": []byte(src)} }
	tests := []struct {
		name  string
		files sources
		wants string // part of the one complaint; empty: none
	}{
		{"plain", one(doc + fn(39)), ""},
		{"a comment in another file", sources{"p/doc.go": []byte(doc), "p/a.go": []byte("package p\n")}, ""},
		{"tests alone, with a comment", sources{"p/p_test.go": []byte("// Package p tests p.\npackage p_test\n")}, ""},
		{"a command's comment", one("// Greets.\npackage main\n"), ""},
		{"a long test", sources{"p/p.go": []byte(doc), "p/p_test.go": []byte("package p\n" + fn(300))}, ""},
		{"a tenth of the functions is long", one(doc + strings.Repeat(fn(3), 9) + fn(80)), ""},
		{"one file at the limit", one(doc + strings.Repeat("\n", 398)), ""},
		{"a method called init", one(doc + "func (t) init() {}\n"), ""},
		{"main asks the time", one("// Greets.\npackage main\n\nimport \"time\"\n\nvar t = time.Now()\n"), ""},
		{"the command asks the time", sources{"cmd/x/x.go": []byte(doc + "import \"time\"\n\nvar t = time.Now()\n")}, ""},
		{"a test asks the time", sources{"p/p_test.go": []byte(doc + "import \"time\"\n\nvar t = time.Now()\n")}, ""},
		{"another Now", one(doc + "import \"time\"\n\nvar d time.Duration\nvar t = clock.Now()\n"), ""},

		{"no comment", one("package p\n"), "p: no package comment"},
		{"a comment of another form", one("// This is p.\npackage p\n"), "p: no package comment"},
		{"a comment torn off", one("// Package p does p.\n\npackage p\n"), "p: no package comment"},
		{"a command without comment", one("package main\n"), "p: no package comment"},
		{"a long file", one(doc + strings.Repeat("\n", 399)), "p/p.go: 401 lines, more than 400"},
		{"a long file of tests", sources{"p/p.go": []byte(doc), "p/p_test.go": []byte("package p\n" + strings.Repeat("\n", 400))}, "p/p_test.go: 401 lines, more than 400"},
		{"a long function", one(doc + strings.Repeat(fn(3), 9) + fn(81)), "p/p.go:30: f has 81 lines, more than 80"},
		{"a long literal", one(doc + strings.Repeat(fn(3), 9) + "var v = " + strings.Replace(fn(81), "func f", "func", 1)),
			"p/p.go:30: a function literal has 81 lines, more than 80"},
		{"too many functions not short", one(doc + strings.Repeat(fn(3), 8) + fn(40)), "1 of 9 functions are not under 40 lines"},
		{"init", one(doc + "func init() {}\n"), "p/p.go:3: an init function"},
		{"the time, asked", one(doc + "import \"time\"\n\nvar t = time.Now()\n"), "p/p.go:5: time.Now: the clock is passed in"},
		{"the time, handed on", one(doc + "import \"time\"\n\nvar now = time.Now\n"), "time.Now"},
		{"the time, under another name", one(doc + "import clock \"time\"\n\nvar t = clock.Now()\n"), "time.Now"},
		{"the time since", one(doc + "import \"time\"\n\nvar d = time.Since(t)\n"), "time.Since"},
		{"no Go", one("package"), "p/p.go: p/p.go:1:8: expected 'IDENT'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := checkSources(tt.files)
			switch {
			case tt.wants == "" && len(got) > 0:
				t.Errorf("complaints %q about what is allowed", got)
			case tt.wants != "" && (len(got) != 1 || !strings.Contains(got[0], tt.wants)):
				t.Errorf("complaints %q, want one with %q", got, tt.wants)
			}
		})
	}
}
