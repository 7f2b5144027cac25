package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/backscatter-milter/backscatter-milter/internal/manual"
)

// TestManual wants every command and every flag that --help shows in the page
// of the commands.
func TestManual(t *testing.T) {
	dir := t.TempDir()
	root := newRootCommand()
	if err := writeManual(root, dir, manual.Header{Version: "1.2", Date: "2026-11-22"}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "backscatter-milter.8"))
	if err != nil {
		t.Fatal(err)
	}
	page := strings.ReplaceAll(string(data), `\-`, "-")
	seen := 0
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Runnable() && !cmd.HasSubCommands() && !cmd.Hidden {
			seen++
			name := strings.TrimPrefix(cmd.CommandPath(), "backscatter-milter ")
			_, section, found := strings.Cut(page, "\n.SS \""+name)
			section, _, _ = strings.Cut(section, "\n.S")
			if !found {
				t.Errorf("%s is not in it", name)
			}
			cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
				if !f.Hidden && f.Name != "help" && !strings.Contains(section, "--"+f.Name) {
					t.Errorf("%s: --%s is not in it", name, f.Name)
				}
			})
		}
		for _, child := range cmd.Commands() {
			walk(child)
		}
	}
	walk(root)
	if seen < 17 {
		t.Errorf("only %d commands were looked at", seen)
	}
	if _, err := os.Stat(filepath.Join(dir, "backscatter-milter.toml.5")); err != nil {
		t.Error(err)
	}
}
