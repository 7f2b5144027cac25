package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/problem"
)

// announceTime is how long the next key only verifies, so that every host has
// it before the first one signs with it.
const announceTime = 24 * time.Hour

func newRotateCommand(s *site, named *string) *cobra.Command {
	var now bool
	var domain string
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Add the next key and retire the present one",
		Long: "Add the next key. For 24 hours it only verifies: time for every host that shares\n" +
			"the key file to have it. Then it signs, and the present key is retired, which\n" +
			"goes on verifying for a lifetime. Keys retired for longer are dropped.\n" +
			"A running daemon is told to load the keys.",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := s.config()
			if err != nil {
				return err
			}
			path := *named
			if path == "" {
				if path, err = s.keyPath(cfg); err != nil {
					return err
				}
			}
			o := batv.RotateOptions{Domain: domain, Wait: announceTime, Lifetime: lifetimeDays(cfg)}
			if now {
				o.Wait = 0
			}
			done, plain, err := batv.RotateKeyFile(path, time.Now(), o)
			if err != nil {
				return rotateError(err)
			}
			if plain {
				fmt.Fprintf(cmd.ErrOrStderr(), "backscatter-milter: warning: %s was written anew, and comments in it are lost\n", path)
			}
			printRotation(cmd.OutOrStdout(), done, o)
			if *named != "" {
				return writeLine(cmd.OutOrStdout(), "no daemon was told: reload the one that uses %s", path)
			}
			return s.tellKeys(cmd)
		},
	}
	cmd.Flags().BoolVar(&now, "now", false, "have the next key sign at once: hosts that do not have it yet take its tags for none")
	cmd.Flags().StringVar(&domain, "domain", "", "rotate the keys that this `domain` has for itself (default those for all domains)")
	return cmd
}

func rotateError(err error) error {
	switch {
	case errors.Is(err, batv.ErrAnnounced):
		return problem.WithHint(err, "to have it sign earlier: backscatter-milter keys rotate --now")
	case errors.Is(err, fs.ErrNotExist):
		return problem.WithHint(err, "make a key file with: backscatter-milter keys init")
	}
	return err
}

func printRotation(w io.Writer, done batv.Rotation, o batv.RotateOptions) {
	from := done.Next.SignFrom.UTC().Format(time.RFC3339)
	if o.Wait > 0 {
		fmt.Fprintf(w, "key %d verifies from now on, and signs from %s\n", done.Next.Number, from)
	} else {
		fmt.Fprintf(w, "key %d signs from %s\n", done.Next.Number, from)
	}
	for _, k := range done.Retired {
		fmt.Fprintf(w, "key %d is retired then, and verifies for %d days more\n", k.Number, o.Lifetime)
	}
	for _, k := range done.Dropped {
		fmt.Fprintf(w, "key %d is dropped: it was retired %s, and none of its tags is valid\n", k.Number, day(k.Retired))
	}
	if o.Wait > 0 {
		fmt.Fprintf(w, "every other host that shares these keys needs the file before %s\n", from)
	}
}

// tellKeys has a daemon that runs here load the keys.
func (s *site) tellKeys(cmd *cobra.Command) error {
	var r control.Reloaded
	err := s.call(cmd.Context(), control.VerbReload, nil, &r)
	switch {
	case errors.Is(err, control.ErrNoDaemon):
		return writeLine(cmd.OutOrStdout(), "no daemon runs here: the next one to start has the keys")
	case err != nil:
		return errors.Join(errors.New("the key file is changed, but the daemon has not loaded it"), err)
	}
	return writeLine(cmd.OutOrStdout(), "the daemon has the keys")
}

func lifetimeDays(cfg *config.Config) int { return int(cfg.BATV.Lifetime / (24 * time.Hour)) }
