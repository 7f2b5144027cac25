package main

import (
	"bytes"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/internal/control"
)

func newStatusCommand(s *site) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what the running daemon does",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var answer json.RawMessage
			if err := s.call(cmd.Context(), control.VerbStatus, nil, &answer); err != nil {
				return err
			}
			if asJSON {
				var b bytes.Buffer
				if err := json.Indent(&b, answer, "", "  "); err != nil {
					return err
				}
				b.WriteByte('\n')
				_, err := b.WriteTo(cmd.OutOrStdout())
				return err
			}
			var status control.Status
			if err := json.Unmarshal(answer, &status); err != nil {
				return err
			}
			return status.Write(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}
