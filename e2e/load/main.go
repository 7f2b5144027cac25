// Command load measures what the daemon costs an MTA, beside a stock go-milter that does nothing (../stock), in one
// run: server CPU for each kind of transaction with one message a connection, refusals a second, and what thousands of
// connections at once cost. It plays Postfix with internal/mtatest and prints a report in Markdown.
//
//	go run ./load                        build both, measure, print
//	go run ./load -enforce -out FILE     and fail where a target is missed
//
// It fails if anything is answered otherwise than expected or a connection fails. Ratios say something anywhere, the
// figures themselves only about the machine they were taken on; the load shares its processors with what it measures.
// All of it stays on loopback and on sockets in a temporary folder, and is bounded in count and in time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	daemon   string
	stock    string
	lean     bool
	n        int
	rounds   int
	parallel int
	conns    int
	out      string
	enforce  bool
	timeout  time.Duration

	floodMinutes float64
	floodRate    int
	floodOnly    bool

	command string // the run as it can be repeated
}

func parseFlags(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("load", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.daemon, "daemon", "", "daemon `binary` (default: built from this checkout)")
	f.StringVar(&o.stock, "stock", "", "stock `binary` (default: built from this checkout)")
	f.BoolVar(&o.lean, "lean", false, "let the stock milter negotiate away all it can, not only headers and body")
	f.IntVar(&o.n, "n", 500, "transactions a round")
	f.IntVar(&o.rounds, "rounds", 31, "rounds, of which the median counts")
	f.IntVar(&o.parallel, "parallel", 8, "connections at a time")
	f.IntVar(&o.conns, "conns", 4000, "connections opened at once")
	f.StringVar(&o.out, "out", "", "write the report to this `file`, too")
	f.BoolVar(&o.enforce, "enforce", false, "fail where a target is missed")
	f.DurationVar(&o.timeout, "timeout", 10*time.Minute, "give up after this `time`")
	f.Float64Var(&o.floodMinutes, "flood-minutes", 0.5, "how long a flood is to go on; 0: none")
	f.IntVar(&o.floodRate, "flood-rate", 10500, "its transactions a second")
	f.BoolVar(&o.floodOnly, "flood-only", false, "measure nothing else")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	for _, limit := range []struct {
		name       string
		value, top int
	}{{"n", o.n, 1_000_000}, {"rounds", o.rounds, 100}, {"parallel", o.parallel, 1000}, {"conns", o.conns, 4000}, {"flood-rate", o.floodRate, 1_000_000}} {
		if limit.value < 1 || limit.value > limit.top {
			return o, fmt.Errorf("-%s: %d: want 1 to %d", limit.name, limit.value, limit.top)
		}
	}
	if o.floodMinutes < 0 || o.floodMinutes > 60 || o.floodOnly && o.floodMinutes == 0 {
		return o, fmt.Errorf("-flood-minutes: %v: want 0 to 60, and more than 0 with -flood-only", o.floodMinutes)
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("%q: want flags only", f.Arg(0))
	}
	o.command = "go run ./load"
	f.Visit(func(set *flag.Flag) {
		if set.Name != "daemon" && set.Name != "stock" && set.Name != "out" { // paths of this machine
			o.command += fmt.Sprintf(" -%s=%v", set.Name, set.Value)
		}
	})
	return o, nil
}

func main() { os.Exit(command(os.Args[1:], os.Stdout, os.Stderr)) }

// command is main with what it depends on; it returns the exit status.
func command(args []string, stdout, stderr io.Writer) int {
	o, err := parseFlags(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "load: error:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if err := run(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "load: error:", err)
		return 1
	}
	return 0
}

// measure measures all that is asked for.
func (r *report) measure(ctx context.Context, bin programs, dir string, progress io.Writer) (err error) {
	o := r.options
	if !o.floodOnly {
		if r.rows, err = measureWorkloads(ctx, o, bin, dir, progress); err != nil {
			return err
		}
		if r.crowds, err = measureCrowds(ctx, o, bin, dir, progress); err != nil {
			return err
		}
	}
	if o.floodMinutes > 0 {
		r.flood, err = measureFlood(ctx, o, bin, filepath.Join(dir, "flood"), progress)
	}
	return err
}

// run measures and reports; progress goes to stderr.
func run(ctx context.Context, o options, stdout, stderr io.Writer) error {
	dir, err := os.MkdirTemp("", "load")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bin, err := binaries(ctx, o, dir)
	if err != nil {
		return err
	}
	r := report{options: o, started: time.Now(), busy: loadAverage(), daemonGo: goVersion(bin.daemon)}
	if err := r.measure(ctx, bin, dir, stderr); err != nil {
		return err
	}
	r.took = time.Since(r.started)
	text := r.markdown()
	if _, err := io.WriteString(stdout, text); err != nil {
		return err
	}
	if o.out != "" {
		if err := os.WriteFile(o.out, []byte(text), 0o644); err != nil {
			return err
		}
	}
	if missed := r.missed(); o.enforce && len(missed) > 0 {
		return fmt.Errorf("targets missed: %s", strings.Join(missed, "; "))
	}
	return nil
}
