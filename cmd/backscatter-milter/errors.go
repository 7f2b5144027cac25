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

// usage turns what an argument check finds into a usageError.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// errSilent ends a command with exitProblems when its output has said all.
var errSilent = errors.New("problems found")

// report prints an error, each of several on a line of its own, and returns
// the exit code.
func report(stderr io.Writer, err error) int {
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
		fmt.Fprintf(stderr, "hint: see backscatter-milter --help\n")
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
