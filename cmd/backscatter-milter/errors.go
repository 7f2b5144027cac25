package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/internal/problem"
)

// usageError is a mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usage checks arguments, and says what is wrong with them.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if check(cmd, args) == nil {
			return nil
		}
		if len(args) > 0 && cmd.HasSubCommands() {
			return usageError{fmt.Errorf("unknown command %q", args[0])}
		}
		for n, stray := range args {
			if check(cmd, args[:n]) == nil {
				return usageError{fmt.Errorf("stray argument %q: want %s", stray, cmd.UseLine())}
			}
		}
		return usageError{fmt.Errorf("missing argument: want %s", cmd.UseLine())}
	}
}

// errSilent ends a command with exitProblems when its output has said all.
var errSilent = errors.New("problems found")

// report prints the error of a command, each of several on a line of its own, and
// returns the exit code.
func report(stderr io.Writer, cmd *cobra.Command, err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errSilent):
		return exitProblems
	}
	reportEach(stderr, err)
	if hint := problem.Hint(err); hint != "" {
		fmt.Fprintf(stderr, "hint: %s\n", hint)
	}
	var u usageError
	if errors.As(err, &u) {
		if cmd.Name() == "help" {
			cmd = cmd.Root()
		}
		fmt.Fprintf(stderr, "hint: see %s --help\n", cmd.CommandPath())
		return exitUsage
	}
	return exitProblems
}

// reportEach prints the errors in err, and reports whether there are any.
func reportEach(stderr io.Writer, err error) bool {
	if err == nil {
		return false
	}
	for _, e := range problem.Each(err) {
		fmt.Fprintf(stderr, "backscatter-milter: error: %v\n", e)
	}
	return true
}

// unwrapPath takes the path out of an error: it is named anyway.
func unwrapPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
