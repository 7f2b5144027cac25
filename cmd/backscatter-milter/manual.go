package main

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/examples"
	"github.com/backscatter-milter/backscatter-milter/internal/manual"
)

// newManualCommand is for those who make packages.
func newManualCommand() *cobra.Command {
	var date string
	cmd := &cobra.Command{
		Use:               "manual FOLDER",
		Short:             "Write the manual pages into a folder",
		Hidden:            true,
		Args:              usage(cobra.ExactArgs(1)),
		ValidArgsFunction: folders,
		RunE: func(cmd *cobra.Command, args []string) error {
			if date == "" {
				date = time.Now().UTC().Format(time.DateOnly)
			}
			return writeManual(cmd.Root(), args[0], manual.Header{Version: version, Date: date})
		},
	}
	cmd.Flags().StringVar(&date, "at", "", "`date` of the pages, YYYY-MM-DD (default today)")
	return cmd
}

func writeManual(root *cobra.Command, folder string, h manual.Header) error {
	config, err := manual.Config(root.Name(), examples.Config(), h)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(folder, root.Name()+".8"), []byte(manual.Commands(root, h)), 0o644),
		os.WriteFile(filepath.Join(folder, root.Name()+".toml.5"), []byte(config), 0o644),
	)
}
