package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/decided"
	"github.com/backscatter-milter/backscatter-milter/internal/journal"
	"github.com/backscatter-milter/backscatter-milter/internal/knowledge"
)

const defaultSendmail = "/usr/sbin/sendmail"

// reportFlags are what the command line asks for.
type reportFlags struct {
	since  string
	asJSON bool
	mail   letter
}

func newReportCommand(s *site) *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Print or mail a digest of what was refused and why",
		Long: "Print a digest of the last hours or days: what was refused, by reason and with\n" +
			"examples; what was rescued by proof; what is not proven; where it came from and\n" +
			"whom it was for; our own mail; and what keeps domains from being strict. Figures\n" +
			"are of whole hours. The running daemon is asked; where none runs, its record.\n\n" +
			"With --mail the digest is handed to sendmail(1).",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, s) },
	}
	cmd.Flags().StringVar(&f.since, "since", "24h", "`time` to look back, at most 14d")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print a JSON object")
	cmd.Flags().StringVar(&f.mail.to, "mail", "", "`address` to mail it to, instead of printing it")
	cmd.Flags().StringVar(&f.mail.from, "mail-from", "", "sender `address` of that mail (default the user who runs this)")
	cmd.Flags().StringVar(&f.mail.sendmail, "sendmail", defaultSendmail, "`program` that takes the mail")
	return cmd
}

func (f *reportFlags) run(cmd *cobra.Command, s *site) error {
	since, err := config.ParseDuration(f.since)
	if err == nil && (since < time.Minute || since > journal.DefaultAge) {
		err = fmt.Errorf("%q: want from 1m to %s", f.since, "14d")
	}
	if err != nil {
		return usageError{fmt.Errorf("--since %w", err)}
	}
	if err := f.mail.check(); err != nil {
		return usageError{err}
	}
	r, err := s.report(cmd.Context(), since)
	if err != nil {
		return err
	}
	write := r.Write
	if f.asJSON {
		write = func(w io.Writer) error {
			enc := json.NewEncoder(w)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", "  ")
			return enc.Encode(r)
		}
	}
	if f.mail.to == "" {
		return write(cmd.OutOrStdout())
	}
	return f.mail.send(cmd.Context(), r.Subject(), write, time.Now())
}

// report asks the daemon, or where none runs the store.
func (s *site) report(ctx context.Context, since time.Duration) (*control.Report, error) {
	var r control.Report
	err := s.call(ctx, control.VerbReport, control.ReportSpan{Since: since}, &r)
	if !errors.Is(err, control.ErrNoDaemon) {
		return &r, err
	}
	cfg, _, cfgErr := s.config()
	if cfgErr != nil {
		return nil, errors.Join(err, cfgErr)
	}
	var failed []error
	collect := func(_ string, err error) { failed = append(failed, err) }
	known := s.recall(cfg, collect)
	defer func() { _ = known.Close() }() // nothing was written
	if known.Store() == nil {
		return nil, errors.Join(append([]error{err}, failed...)...)
	}
	d := decided.Open(decided.Options{Store: known.Store(), ReadOnly: true, Now: time.Now, Failed: collect})
	defer d.Close()
	made := d.Report(since, time.Now())
	made.Version, made.Host = version, knowledge.HostName()
	made.Known, made.Store = known.Status(cfg, time.Now()), known.StoreStatus()
	return made, nil
}
