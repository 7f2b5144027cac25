//go:build linux

package mta

import (
	"os"
	"strings"
	"testing"
)

// TestReadme holds the lines that the README tells a postmaster to write to
// those that the servers of these tests are run with.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for server, files := range map[string][]string{
		"Postfix":  {"main.cf", "untag.re", "untag-any.re", "plain.re", "bare.re", "local.re", "known.re"},
		"Sendmail": {"sendmail.mc"},
	} {
		t.Run(server, func(t *testing.T) {
			var run strings.Builder
			for _, name := range files {
				content, err := conf.ReadFile("conf/" + name)
				if err != nil {
					t.Fatal(err)
				}
				run.Write(content)
			}
			lines := linesToAdd(string(readme), server)
			if len(lines) < 5 {
				t.Fatalf("the README has %d lines to add", len(lines))
			}
			for _, line := range lines {
				line = strings.NewReplacer("inet:127.0.0.1:8895", "inet:@MILTER@", "inet:8895@127.0.0.1", "@MILTER@").Replace(line)
				if !strings.Contains("\n"+run.String(), "\n"+line+"\n") {
					t.Errorf("the README has a line that no test runs with:\n%s", line)
				}
			}
		})
	}
}

// linesToAdd are the indented lines of one section of the README.
func linesToAdd(readme, section string) []string {
	_, text, _ := strings.Cut(readme, "\n### "+section+"\n")
	text, _, _ = strings.Cut(text, "\n#")
	var lines []string
	for line := range strings.Lines(text) {
		if code, ok := strings.CutPrefix(line, "    "); ok {
			lines = append(lines, strings.TrimSuffix(code, "\n"))
		}
	}
	return lines
}
