package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/internal/control"
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
