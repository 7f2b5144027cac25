// Command backscatter-milter answers one question about every bounce,
// auto-reply and challenge that an MTA receives: did this site send the
// original? It signs the reverse-path of outgoing mail and refuses what comes
// back to signatures that were never made.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// version is set when a release is built.
var version = "devel"

// Exit codes.
const (
	exitOK       = 0
	exitProblems = 1 // something was found wrong, or could not be done
	exitUsage    = 2 // the command line is wrong
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main with its surroundings passed in.
func run(args []string, stdout, stderr io.Writer) int {
	root := newRootCommand()
	refuseUnknownHelp(root)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteC()
	return report(stderr, cmd, err)
}

// introduction is shown by --help and opens the manual page.
const introduction = `backscatter-milter is a milter for Postfix and Sendmail. It signs the reverse-path
of outgoing mail (BATV), takes the signature off what comes home, and answers one
question about each bounce, auto-reply and challenge: did this site send the
original? What is proven ours is delivered; what is proven foreign is refused;
the rest is refused only where the lack of proof means something. Ordinary mail
is never touched.

It works without a configuration. To begin: run "backscatter-milter serve", add
to the MTA what "backscatter-milter setup postfix" (or sendmail) prints, and see
what "backscatter-milter check" and "backscatter-milter status" say.`

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "backscatter-milter",
		Short:         "Tell bounces of mail that this site sent from backscatter",
		Long:          introduction,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          usage(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("backscatter-milter {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	site := &site{}
	root.PersistentFlags().StringVar(&site.configPath, "config", "", "configuration `file` (default $BACKSCATTER_MILTER_CONFIG, else "+defaultConfig+" where there is one)")
	root.PersistentFlags().StringVar(&site.stateDir, "state", "", "`folder` for keys and records (default $STATE_DIRECTORY, else "+systemState+" as root, else $XDG_STATE_HOME/backscatter-milter)")
	root.AddCommand(
		newServeCommand(site),
		newStatusCommand(site),
		newReloadCommand(site),
		newReportCommand(site),
		newUnblockCommand(site),
		newCheckCommand(site),
		newSetupCommand(site),
		newDemoCommand(),
		newSignCommand(site),
		newVerifyCommand(site),
		newKeysCommand(site),
		newClassifyCommand(),
		newExplainCommand(site),
		newReplayCommand(site),
		newLookupCommand(site),
		newCompletionCommand(),
		newVersionCommand(),
		newManualCommand(),
	)
	complete(root, site)
	return root
}

// refuseUnknownHelp has "help nope" be a mistake, which by itself prints all there
// is, and succeeds.
func refuseUnknownHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "help" {
			continue
		}
		cmd.Args = func(_ *cobra.Command, names []string) error {
			if _, rest, _ := root.Find(names); len(rest) > 0 {
				return usageError{fmt.Errorf("unknown command %q", rest[0])}
			}
			return nil
		}
	}
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "backscatter-milter %s\n", version)
			return err
		},
	}
}
