package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/internal/control"
)

func newUnblockCommand(s *site) *cobra.Command {
	return &cobra.Command{
		Use:   "unblock KEY",
		Short: "End a block of the flood control",
		Long: "End a block of the flood control before its time. KEY is as status shows it, such as\n" +
			"\"client 192.0.2.0/24\" or \"recipient alice@example.com\", or an address: of a client,\n" +
			"which frees its network and all its subjects, or of a recipient.",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var u control.Unblocking
			if err := s.call(cmd.Context(), control.VerbUnblock, control.Unblocking{Key: args[0]}, &u); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "unblocked %s\n", u.Key)
			return err
		},
	}
}
