package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Targets that are not ratios; those stand with the workloads.
const (
	mostEach       = 25.0    // KiB a connection
	leastRefusals  = 10000.0 // a second
	floodWorkload  = 0       // in workloads
	markdownLayout = "2006-01-02 15:04 MST"
)

// report is everything that was measured.
type report struct {
	options  options
	started  time.Time
	took     time.Duration
	busy     string // the machine's load average before
	daemonGo string
	rows     []row
	crowds   []crowd
	flood    *deluge // nil: not measured
}

// verdict says beside a figure what was wanted of it.
func verdict(target string, met bool) string {
	if met {
		return target + ", met"
	}
	return target + ", **missed**"
}

func (r row) verdict() string {
	if r.workload.target == 0 {
		return "none set"
	}
	return verdict(fmt.Sprintf("<= %.1f", r.workload.target), r.met())
}

func (r row) met() bool {
	return r.workload.target == 0 || median(r.ratios()) <= r.workload.target
}

// missed lists the targets that were missed.
func (r report) missed() []string {
	var missed []string
	for _, w := range r.rows {
		if !w.met() {
			missed = append(missed, fmt.Sprintf("%s, %s: ratio %.2f, want %.1f at most", w.network, w.workload.name, median(w.ratios()), w.workload.target))
		}
		if rate := median(w.daemon.rate); w.isFlood() && rate < leastRefusals {
			missed = append(missed, fmt.Sprintf("%s: %.0f refusals a second, want %.0f", w.network, rate, leastRefusals))
		}
	}
	for _, c := range r.crowds {
		if each := median(c.each); c.program == "daemon" && each > mostEach {
			missed = append(missed, fmt.Sprintf("%s: %.1f KiB a connection, want %.0f at most", c.network, each, mostEach))
		}
	}
	if r.flood != nil {
		missed = append(missed, r.flood.missed()...)
	}
	return missed
}

func (r row) isFlood() bool { return r.workload.name == workloads()[floodWorkload].name }

// markdown writes the report.
func (r report) markdown() string {
	var b strings.Builder
	r.writeHead(&b)
	if len(r.rows) > 0 {
		r.writeWorkloads(&b)
		r.writeCrowds(&b)
	}
	if r.flood != nil {
		r.flood.write(&b)
	}
	return b.String()
}

func (r report) writeHead(b *strings.Builder) {
	o := r.options
	fmt.Fprintf(b, "# Load\n\n")
	fmt.Fprintf(b, "- %s, %s, load average before %s\n", r.started.UTC().Format(markdownLayout), processor(runtime.NumCPU()), r.busy)
	fmt.Fprintf(b, "- daemon built with %s, load with %s, for %s/%s\n", r.daemonGo, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprintf(b, "- `%s` in e2e/, %.0f s\n\n", o.command, r.took.Seconds())
	if o.floodOnly {
		return
	}
	fmt.Fprintf(b, "Played as Postfix does, one message a connection, %d connections at a time; %d rounds of %d transactions for each line, the two programs in turn. ", o.parallel, o.rounds, o.n)
	fmt.Fprintf(b, "CPU is the server's, all threads, user and system, in µs a transaction; the load shares the processors. Figures are medians of the rounds, the ratio that of the ratios round by round, with the least and the most of them. ")
	negotiated := "headers and body negotiated away"
	if o.lean {
		negotiated = "all negotiated away that can be"
	}
	fmt.Fprintf(b, "Stock is go-milter's NoOpMilter with %s; where the daemon refuses, it refuses, and otherwise it does nothing.\n\n", negotiated)
}

func (r report) writeWorkloads(b *strings.Builder) {
	fmt.Fprintf(b, "| socket | transaction | daemon CPU | stock CPU | ratio | target | daemon tx/s | stock tx/s |\n|---|---|---:|---:|---:|---|---:|---:|\n")
	for _, w := range r.rows {
		ratios := w.ratios()
		fmt.Fprintf(b, "| %s | %s | %.1f | %.1f | %.2f (%.2f to %.2f) | %s | %.0f | %.0f |\n",
			w.network, w.workload.name, median(w.daemon.cpu), median(w.stock.cpu),
			median(ratios), slices.Min(ratios), slices.Max(ratios), w.verdict(), median(w.daemon.rate), median(w.stock.rate))
	}
	fmt.Fprintf(b, "\nRefusals a second, target >= %.0f:", leastRefusals)
	for _, w := range r.rows {
		if rate := median(w.daemon.rate); w.isFlood() {
			fmt.Fprintf(b, " %s %.0f (%s).", w.network, rate, verdict("one message a connection", rate >= leastRefusals))
		}
	}
	fmt.Fprintf(b, "\n\n")
}

func (r report) writeCrowds(b *strings.Builder) {
	fmt.Fprintf(b, "Connections opened at once, each negotiated and a message refused on it; resident memory while all are open, the median of %d fresh processes (the most of any):\n\n", crowdRounds)
	fmt.Fprintf(b, "| socket | program | connections | failed | all answered after | KiB each | target |\n|---|---|---:|---:|---:|---:|---|\n")
	for _, c := range r.crowds {
		target := ""
		if c.program == "daemon" {
			target = verdict(fmt.Sprintf("none fails, <= %.0f KiB", mostEach), c.failed == 0 && median(c.each) <= mostEach)
		}
		fmt.Fprintf(b, "| %s | %s | %d × %d | %d | %.2f s | %.1f (%.1f) | %s |\n",
			c.network, c.program, len(c.each), c.conns, c.failed, c.took.Seconds(), median(c.each), slices.Max(c.each), target)
	}
	fmt.Fprintf(b, "\n")
}
