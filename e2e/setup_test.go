//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/mta"
)

// setupPrinted asks the program for the lines to add to the very server that
// the cases run on: they must be the ones that it runs with.
func setupPrinted(d *desk) {
	root := strings.TrimSuffix(d.socket, mta.SocketPath)
	options := []string{"--sendmail-cf", filepath.Join(root, "etc/mail/sendmail.cf")}
	configured := filepath.Join(root, "etc/mail/sendmail.mc")
	if d.mta.Name() == "postfix" {
		postconf := filepath.Join(d.TempDir(), "postconf")
		script := fmt.Sprintf("#!/bin/sh\nexec chroot %s /usr/sbin/postconf \"$@\"\n", root)
		if err := os.WriteFile(postconf, []byte(script), 0o700); err != nil {
			d.Fatal(err)
		}
		options = []string{"--postconf", postconf}
		configured = filepath.Join(root, "etc/postfix/*")
	}
	printed, err := d.daemon.Setup(d.mta.Name(), options...)
	if err != nil {
		d.Fatal(err)
	}
	run := lines(d, configured)
	count := 0
	for line := range strings.Lines(printed) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "" || line[0] == '#':
			continue
		case strings.HasPrefix(line, "C{Tagged}") && strings.Contains(line, " relay.example.net "): // and all others
		case !slices.Contains(run, line):
			d.Errorf("setup prints a line that %s does not run with:\n%s", d.mta.Name(), line)
		}
		count++
	}
	const least = 8
	if count < least {
		d.Errorf("setup prints %d lines:\n%s", count, printed)
	}
}

// lines are those of all plain files whose paths match a pattern.
func lines(d *desk, pattern string) []string {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		d.Fatal(err)
	}
	var all []string
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			d.Fatal(err)
		}
		all = append(all, strings.Split(string(content), "\n")...)
	}
	return all
}
