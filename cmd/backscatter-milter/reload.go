package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/problem"
)

func newReloadCommand(s *site) *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Have the running daemon load configuration and keys anew",
		Long: "Have the running daemon load configuration and keys anew, as SIGHUP does.\n" +
			"With one mistake in them all stays as it is. A message that has begun is judged\n" +
			"to its end by the settings it began with.",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var r control.Reloaded
			if err := s.call(cmd.Context(), control.VerbReload, nil, &r); err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "reloaded %s\n", r.Config)
			for _, key := range r.Restart {
				fmt.Fprintf(out, "%s takes effect after a restart\n", key)
			}
			return nil
		},
	}
}

// call has the running daemon do what a verb says; args may be nil.
func (s *site) call(ctx context.Context, verb string, args, result any) error {
	cfg, _, err := s.config()
	if err != nil {
		cfg = config.Default() // the daemon runs on what was there before the mistake
	}
	path, err := s.controlPath(cfg)
	if err != nil {
		return err
	}
	err = control.Client{Path: path, Now: time.Now}.Call(ctx, verb, args, result)
	switch {
	case errors.Is(err, control.ErrNoDaemon):
		return problem.WithHint(err, "if it runs, give the same --config and --state as it has; start it with: backscatter-milter serve")
	case errors.Is(err, fs.ErrPermission):
		return problem.WithHint(err, "only root and the daemon's own user may ask it")
	}
	return err
}
