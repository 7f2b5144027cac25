package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/mtaconf"
	"github.com/backscatter-milter/backscatter-milter/internal/problem"
)

const sendmailCF = "/etc/mail/sendmail.cf"

// mtaFlags name what the MTA's settings are read from.
type mtaFlags struct {
	postconf string
	cf       string
}

func (f *mtaFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.postconf, "postconf", "", "`program` that tells Postfix's settings (default postconf, where there is one)")
	cmd.Flags().StringVar(&f.cf, "sendmail-cf", sendmailCF, "Sendmail's configuration `file`")
}

// postfix asks Postfix for its settings; nil where there is no postconf.
func (f *mtaFlags) postfix(ctx context.Context) (*mtaconf.Settings, error) {
	path := f.postconf
	if path == "" {
		path = findPostconf()
	}
	if path == "" {
		return nil, nil
	}
	s, err := mtaconf.AskPostfix(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("postfix: %w", err)
	}
	return s, nil
}

// findPostconf looks where postconf is, also when that is not in the path, as
// for ordinary users; "" where there is none.
func findPostconf() string {
	const usual = "/usr/sbin/postconf"
	if path, err := exec.LookPath("postconf"); err == nil {
		return path
	}
	if _, err := os.Stat(usual); err == nil {
		return usual
	}
	return ""
}

// sendmail reads Sendmail's settings; nil where there is no such file.
func (f *mtaFlags) sendmail() (*mtaconf.Sendmail, error) {
	const most = 4 << 20
	file, err := os.Open(f.cf)
	if errors.Is(err, fs.ErrNotExist) && f.cf == sendmailCF {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sendmail: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, most))
	if err != nil {
		return nil, fmt.Errorf("sendmail: %w", err)
	}
	return mtaconf.ParseSendmail(string(text)), nil
}

// mtaSite says of the configuration what matters to the MTA.
func mtaSite(cfg *config.Config) mtaconf.Site {
	s := mtaconf.Site{
		Domains:    cfg.Domains.List(),
		Subaddress: cfg.BATV.Layout == config.LayoutSubaddress,
		Delimiter:  cfg.BATV.Delimiter,
	}
	for _, l := range cfg.Listen {
		s.Milters = append(s.Milters, l.String())
	}
	return s
}

func newSetupCommand(s *site) *cobra.Command {
	setup := &cobra.Command{
		Use:   "setup",
		Short: "Print the lines to add to the MTA",
		Long: "Print the lines to add to the MTA, made from the configuration and what the MTA\n" +
			"says of itself. Nothing is changed. Only lines that are tested with real servers\n" +
			"are printed; of what is not, there is a remark.",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return errors.Join(cmd.Help(), usageError{errors.New("setup for which MTA: postfix or sendmail?")})
		},
	}
	setup.AddCommand(
		newSetupOne(s, "postfix", func(ctx context.Context, f *mtaFlags, r mtaconf.Request) (string, error) {
			settings, err := f.postfix(ctx)
			if err != nil {
				return "", err
			}
			return mtaconf.Postfix(r, settings)
		}),
		newSetupOne(s, "sendmail", func(_ context.Context, f *mtaFlags, r mtaconf.Request) (string, error) {
			settings, err := f.sendmail()
			if err != nil {
				return "", err
			}
			return mtaconf.ForSendmail(r, settings)
		}),
	)
	return setup
}

func newSetupOne(s *site, mta string, lines func(context.Context, *mtaFlags, mtaconf.Request) (string, error)) *cobra.Command {
	var flags mtaFlags
	var failOpen bool
	cmd := &cobra.Command{
		Use:   mta,
		Short: "Print the lines to add to " + map[string]string{"postfix": "main.cf", "sendmail": "sendmail.mc"}[mta],
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := s.config()
			if err != nil {
				return err
			}
			text, err := lines(cmd.Context(), &flags, mtaconf.Request{Site: mtaSite(cfg), FailOpen: failOpen})
			if errors.Is(err, mtaconf.ErrNoAddress) {
				return problem.WithHint(err, `add one to listen, such as "inet:127.0.0.1:8895"`)
			}
			if err != nil {
				return err
			}
			_, err = io.WriteString(cmd.OutOrStdout(), text)
			return err
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&failOpen, "fail-open", false, "let mail pass, unsigned and unjudged, while the milter is away")
	return cmd
}
