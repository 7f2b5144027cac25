package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/internal/daemon"
)

func newKeysCommand(s *site) *cobra.Command {
	var path string
	keys := &cobra.Command{
		Use:   "keys",
		Short: "Manage the keys that sign and verify tags",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	keys.PersistentFlags().StringVar(&path, "keys", "", "key `file` (default the configuration's)")
	file := func() (string, error) {
		if path != "" {
			return path, nil
		}
		cfg, _, err := s.config()
		if err != nil {
			return "", err
		}
		return s.keyPath(cfg)
	}
	keys.AddCommand(newKeysInitCommand(s, file), newKeysListCommand(s, file), newRotateCommand(s, &path))
	return keys
}

// newKeysInitCommand and newKeysListCommand take the key file's path from file.
func newKeysInitCommand(s *site, file func() (string, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Make a key file with one new key",
		Long:  "Make a key file with one new key. A file that exists is never overwritten.",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := file()
			if err != nil {
				return err
			}
			if _, err := s.createKeys(path, time.Now()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "made %s\n", path)
			return err
		},
	}
}

func newKeysListCommand(s *site, file func() (string, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the keys, without their secrets",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := s.config()
			if err != nil {
				return err
			}
			path, err := file()
			if err != nil {
				return err
			}
			ring, err := s.keys(path)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "KEY\tSTATE\tCREATED\tDOMAINS")
			for _, k := range ring.Keys() {
				fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", k.Number, daemon.KeyState(ring, k, time.Now(), lifetimeDays(cfg)), day(k.Created), domains(k))
			}
			return w.Flush()
		},
	}
}

func domains(k batv.Key) string {
	if len(k.Domains) == 0 {
		return "all"
	}
	return strings.Join(k.Domains, ", ")
}
