package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// tagFlags are the flags that sign and verify share.
type tagFlags struct {
	keys     string
	at       string
	lifetime string
}

func (f *tagFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.keys, "keys", "", "key `file` (default the configuration's)")
	cmd.Flags().StringVar(&f.at, "at", "", "judge as of this `time`: 2026-11-21 or RFC 3339 (default now)")
	cmd.Flags().StringVar(&f.lifetime, "lifetime", "", "how long tags live, such as 7d (default the configuration's)")
}

// scheme prepares what the flags ask for, the configuration giving the rest.
func (f *tagFlags) scheme(s *site) (scheme batv.Scheme, at time.Time, err error) {
	cfg, _, err := s.config()
	if err != nil {
		return batv.Scheme{}, time.Time{}, err
	}
	if f.lifetime != "" {
		cfg.BATV.Lifetime, err = config.ParseLifetime(f.lifetime)
		if err != nil {
			return batv.Scheme{}, time.Time{}, usageError{fmt.Errorf("--lifetime: %w", err)}
		}
	}
	if at, err = parseTime(f.at); err != nil {
		return batv.Scheme{}, time.Time{}, usageError{fmt.Errorf("--at: %w", err)}
	}
	path := f.keys
	if path == "" {
		if path, err = s.keyPath(cfg); err != nil {
			return batv.Scheme{}, time.Time{}, err
		}
	}
	ring, err := s.keys(path)
	return policy.Scheme(cfg, ring), at, err
}

func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Now(), nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q: want a date such as 2026-11-21 or a time such as 2026-11-21T09:30:00Z", s)
}

func newSignCommand(s *site) *cobra.Command {
	var flags tagFlags
	cmd := &cobra.Command{
		Use:   "sign ADDRESS...",
		Short: "Print addresses with the tag that outgoing mail would carry",
		Args:  usage(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, addresses []string) error {
			scheme, at, err := flags.scheme(s)
			if err != nil {
				return err
			}
			var failed error
			for _, a := range addresses {
				tagged, err := scheme.Sign(a, at)
				if err != nil {
					failed = errors.Join(failed, fmt.Errorf("%q: %w", a, err))
					continue
				}
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), tagged); err != nil {
					return err
				}
			}
			return failed
		},
	}
	flags.register(cmd)
	return cmd
}

func newVerifyCommand(s *site) *cobra.Command {
	var flags tagFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify ADDRESS...",
		Short: "Tell what the tags in addresses are worth",
		Long: "Tell what the tags in addresses are worth: valid, expired, forged, missing (no\n" +
			"tag, or one of a key that is not known here) or foreign (another site's or\n" +
			"another kind of tag). Exits 0 only if every address is valid.",
		Args: usage(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, addresses []string) error {
			scheme, at, err := flags.scheme(s)
			if err != nil {
				return err
			}
			show := printVerdict
			if asJSON {
				show = printVerdictJSON
			}
			problems := false
			for _, a := range addresses {
				v := scheme.Verify(a, at)
				problems = problems || v.Result != batv.Valid
				if err := show(cmd.OutOrStdout(), a, v); err != nil {
					return err
				}
			}
			if problems {
				return errSilent
			}
			return nil
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

func printVerdict(w io.Writer, address string, v batv.Verdict) error {
	line := fmt.Sprintf("%s: %s", address, v.Result)
	if v.Key >= 0 {
		line += fmt.Sprintf(", key %d", v.Key)
	}
	if v.Result == batv.Valid {
		line += fmt.Sprintf(", %d days left", v.DaysLeft)
	}
	if bare := v.Bare(); bare != "" {
		line += ", for " + bare
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

// verdictJSON is what verify --json prints: key and days_left are null where
// there is no tag of ours, or none whose date counts.
type verdictJSON struct {
	Address  string `json:"address"`
	Result   string `json:"result"`
	Bare     string `json:"bare"`
	Key      *int   `json:"key"`
	DaysLeft *int   `json:"days_left"`
	Layout   string `json:"layout"`
}

func printVerdictJSON(w io.Writer, address string, v batv.Verdict) error {
	out := verdictJSON{Address: address, Result: v.Result.String(), Bare: v.Bare()}
	if v.Layout != batv.LayoutNone {
		out.Layout = v.Layout.String()
	}
	if v.Key >= 0 {
		out.Key = &v.Key
	}
	if v.Result == batv.Valid {
		out.DaysLeft = &v.DaysLeft
	}
	return json.NewEncoder(w).Encode(out)
}
