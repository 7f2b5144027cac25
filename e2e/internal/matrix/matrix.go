// Package matrix compares what the end-to-end tests did with the list of what
// they must do, so that a case that was renamed, skipped or forgotten is
// noticed. It judges nothing else.
package matrix

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Cell is one case on one mail server.
type Cell struct {
	MTA, Case string
}

func (c Cell) String() string { return c.MTA + "/" + c.Case }

// Parse reads one cell a line: the mail server, the case, and a description of
// what it shows. Empty lines and lines that begin with # are skipped.
func Parse(r io.Reader) ([]Cell, error) {
	var cells []Cell
	scanner := bufio.NewScanner(r)
	for number := 1; scanner.Scan(); number++ {
		line := strings.TrimSpace(scanner.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 3 {
			return nil, fmt.Errorf("line %d: want a mail server, a case and a description: %q", number, line)
		}
		cell := Cell{MTA: fields[0], Case: fields[1]}
		if slices.Contains(cells, cell) {
			return nil, fmt.Errorf("line %d: %s stands here twice", number, cell)
		}
		cells = append(cells, cell)
	}
	return cells, scanner.Err()
}

// Compare returns a finding for each listed cell that did not pass and for each
// cell that ran without being listed. results holds "PASS", "FAIL" or "SKIP".
// With part only what ran is compared: some cases were selected.
func Compare(listed []Cell, results map[Cell]string, part bool) []string {
	var findings []string
	for _, cell := range listed {
		result, ran := results[cell]
		switch {
		case !ran && !part:
			findings = append(findings, fmt.Sprintf("%s: listed, but it did not run", cell))
		case ran && result != "PASS":
			findings = append(findings, fmt.Sprintf("%s: %s", cell, result))
		}
	}
	for cell := range results {
		if !slices.Contains(listed, cell) {
			findings = append(findings, fmt.Sprintf("%s: it ran, but it is not listed", cell))
		}
	}
	slices.Sort(findings)
	return findings
}
