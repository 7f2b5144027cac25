package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

const troubleshooting = "../../docs/troubleshooting.md"

// TestTroubleshooting wants what the page on troubles quotes to be real: texts of
// the program, commands and their flags, settings, and parameters of the MTAs.
func TestTroubleshooting(t *testing.T) {
	page := readText(t, troubleshooting)
	said := programTexts(t)
	files := readText(t, "../../examples/config.toml") + readText(t, "../../README.md") +
		readText(t, "../../examples/systemd/backscatter-milter.service") + readText(t, "../../examples/systemd/backscatter-milter.socket")
	commands, texts, spans := 0, 0, 0
	for line := range strings.Lines(page) {
		quoted := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "    ") && isCommand(quoted):
			wantCommand(t, quoted)
			commands++
		case strings.HasPrefix(line, "    "):
			if !occurs(quoted, said) {
				t.Errorf("the program does not say %q", quoted)
			}
			texts++
		default:
			for _, span := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(line, -1) {
				if isCommand(span[1]) {
					wantCommand(t, span[1])
				} else if !occurs(span[1], said+files) {
					t.Errorf("%q is in no text of the program, setting or example", span[1])
				}
				spans++
			}
		}
	}
	if commands < 12 || texts < 25 || spans < 80 {
		t.Errorf("only %d commands, %d texts and %d names were looked at", commands, texts, spans)
	}
}

// isCommand reports whether a quotation is to be typed into a shell.
func isCommand(s string) bool {
	first, _, _ := strings.Cut(s, " ")
	return s != first && (first == "backscatter-milter" || first == "systemctl" || first == "journalctl")
}

// wantCommand wants a command line to name a command and flags that there are.
func wantCommand(t *testing.T, line string) {
	t.Helper()
	words := strings.Fields(line)
	if words[0] != "backscatter-milter" {
		if words[len(words)-1] != "backscatter-milter" { // the unit
			t.Errorf("%q is not about the service", line)
		}
		return
	}
	root := newRootCommand()
	cmd, rest, err := root.Find(words[1:])
	if err != nil || cmd == root {
		t.Errorf("%q names no command: %v", line, err)
		return
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Errorf("%q: %v", line, err)
		return
	}
	if args := cmd.Flags().Args(); len(args) > 0 { // else the page merely names the command
		wantArguments(t, line, cmd, args)
	}
}

func wantArguments(t *testing.T, line string, cmd *cobra.Command, args []string) {
	t.Helper()
	if cmd.HasSubCommands() {
		t.Errorf("%q names no command of %s", line, cmd.Name())
	} else if err := cmd.ValidateArgs(args); err != nil {
		t.Errorf("%q: %v", line, err)
	}
}

// occurs reports whether each part of a quotation, between the ellipses for what is
// left out, is in a text.
func occurs(quoted, text string) bool {
	long := false
	for part := range strings.SplitSeq(quoted, "…") {
		part = strings.TrimSpace(part)
		long = long || len(part) > 2
		if !strings.Contains(text, part) {
			return false
		}
	}
	return long
}

// programTexts are all string constants of the program, one a line, with those
// put together that are written in parts.
func programTexts(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "e2e" || d.Name() == "tools" || d.Name() == "build" || d.Name() == ".git"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok {
				if text := constant(e); text != "" {
					all.WriteString(text + "\n")
					return false
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// constant is the value of a string literal or of several put together, "" of
// any other expression.
func constant(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return text
		}
	case *ast.BinaryExpr:
		if left, right := constant(e.X), constant(e.Y); left != "" && right != "" {
			return left + right
		}
	}
	return ""
}

func readText(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
