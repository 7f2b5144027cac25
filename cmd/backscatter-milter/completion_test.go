package main

import (
	"regexp"
	"testing"

	"github.com/spf13/cobra"
)

// No command offers files because nobody has thought of what stands there.
func TestEveryArgumentIsCompleted(t *testing.T) {
	seen := map[string]bool{}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.ValidArgsFunction == nil && len(cmd.ValidArgs) == 0 {
			t.Errorf("%s: arguments", cmd.CommandPath())
		}
		for _, name := range regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch(cmd.LocalFlags().FlagUsages(), -1) {
			f := cmd.LocalFlags().Lookup(name[1])
			if f == nil || f.NoOptDefVal != "" { // named in a text; takes no value
				continue
			}
			seen[name[1]] = true
			if _, known := cmd.GetFlagCompletionFunc(name[1]); !known {
				t.Errorf("%s: --%s", cmd.CommandPath(), name[1])
			}
		}
		for _, child := range cmd.Commands() {
			walk(child)
		}
	}
	walk(newRootCommand())
	for _, name := range []string{"config", "state", "keys", "at", "domain", "postconf"} {
		if !seen[name] {
			t.Errorf("--%s was not looked at", name)
		}
	}
}
