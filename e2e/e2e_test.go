//go:build linux

package e2e

import (
	"flag"
	"os"
	"sync"
	"testing"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/matrix"
)

// testCase is one thing that must be seen to work. It runs on Postfix and on
// Sendmail, unless only names one of them.
type testCase struct {
	name     string
	only     string
	settings settings
	run      func(*desk)
}

// cases are all there are; matrix.txt says what each of them shows.
func cases() []testCase {
	var all []testCase
	for _, some := range [][]testCase{outboundCases(), inboundCases(), refusalCases(), recipientCases(), graceCases(), originCases(), foreignCases(), recordCases(), reasonCases(), memoCases(), listCases(), listFaultCases(), listLoadCases(), classCases(), eximCases(), lifeCases(), trafficCases(), sitesCases(), floodCases(), surgeCases(), floodRateCases(), ipv6Cases(), rowCases(), signCostCases(), reportCases(), pageCases()} {
		all = append(all, some...)
	}
	return all
}

// TestMail runs the cases on all mail servers, one server beside the other, and
// the scripts of miltertest and the filters of examples/ beside them.
func TestMail(t *testing.T) {
	if here.Skip != "" {
		t.Skip(here.Skip)
	}
	var results scoreboard
	t.Cleanup(func() { results.judge(t) })
	for _, name := range []string{"postfix", "sendmail"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := openSite(t, name)
			for _, c := range cases() {
				if c.only != "" && c.only != name {
					continue
				}
				t.Run(c.name, func(t *testing.T) {
					t.Cleanup(func() { results.record(matrix.Cell{MTA: name, Case: c.name}, t) })
					c.run(site.openDesk(t, c.settings))
				})
			}
		})
	}
	t.Run("miltertest", func(t *testing.T) {
		t.Parallel()
		runMiltertest(t, &results)
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		runHosts(t, &results)
	})
	t.Run("examples", func(t *testing.T) {
		t.Parallel()
		runExamples(t, &results)
	})
	t.Run("package", func(t *testing.T) {
		t.Parallel()
		runPackages(t, &results)
	})
}

// scoreboard keeps how each case ended.
type scoreboard struct {
	mu      sync.Mutex
	results map[matrix.Cell]string
}

func (s *scoreboard) record(cell matrix.Cell, t *testing.T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.results == nil {
		s.results = make(map[matrix.Cell]string)
	}
	switch {
	case t.Failed():
		s.results[cell] = "FAIL"
	case t.Skipped():
		s.results[cell] = "SKIP"
	default:
		s.results[cell] = "PASS"
	}
}

// judge compares the results with matrix.txt; where -run or -skip has selected
// some cases, only these.
func (s *scoreboard) judge(t *testing.T) {
	file, err := os.Open("matrix.txt")
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = file.Close() }()
	listed, err := matrix.Parse(file)
	if err != nil {
		t.Errorf("matrix.txt: %v", err)
		return
	}
	for _, finding := range matrix.Compare(listed, s.results, selected()) {
		t.Errorf("matrix.txt: %s", finding)
	}
	t.Logf("%d cells listed, %d ran", len(listed), len(s.results))
}

func selected() bool {
	return flag.Lookup("test.run").Value.String() != "" || flag.Lookup("test.skip").Value.String() != ""
}
