package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"
)

// newCompletionCommand takes the place of cobra's own, which takes any word for
// a shell's name.
func newCompletionCommand() *cobra.Command {
	shells := []string{"bash", "fish", "powershell", "zsh"}
	return &cobra.Command{
		Use:   "completion bash|fish|powershell|zsh",
		Short: "Print what has a shell complete commands and flags",
		Long: "Print what has a shell complete commands and flags, for instance:\n\n" +
			"  backscatter-milter completion bash > /etc/bash_completion.d/backscatter-milter\n" +
			"  backscatter-milter completion fish > ~/.config/fish/completions/backscatter-milter.fish\n" +
			"  backscatter-milter completion zsh > \"${fpath[1]}/_backscatter-milter\"",
		ValidArgs: shells,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(shells, args[0]) {
				return usageError{fmt.Errorf("completion for which shell: one of %q", shells)}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "fish":
				return root.GenFishCompletion(out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return root.GenZshCompletion(out)
		},
	}
}

// complete tells the shell what may stand where: nothing, but for flags that
// name a file or a folder. Commands and flags themselves cobra completes.
func complete(cmd *cobra.Command, s *site) {
	if cmd.ValidArgsFunction == nil && len(cmd.ValidArgs) == 0 {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	for name, values := range map[string]cobra.CompletionFunc{
		"state":       folders,
		"config":      files("toml"),
		"keys":        files("toml"),
		"sendmail-cf": files("cf"),
		"postconf":    files(),
		"domain":      s.ownDomains,
		"at":          cobra.NoFileCompletions,
		"lifetime":    cobra.NoFileCompletions,
		"client":      cobra.NoFileCompletions,
		"from":        cobra.NoFileCompletions,
		"rcpt":        cobra.NoFileCompletions,
		"since":       cobra.NoFileCompletions,
		"mail":        cobra.NoFileCompletions,
		"mail-from":   cobra.NoFileCompletions,
		"sendmail":    files(),
	} {
		if cmd.LocalFlags().Lookup(name) != nil {
			_ = cmd.RegisterFlagCompletionFunc(name, values) // fails for a flag that is not there
		}
	}
	for _, child := range cmd.Commands() {
		complete(child, s)
	}
}

// files offers files with these endings, or all.
func files(endings ...string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(endings) == 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return endings, cobra.ShellCompDirectiveFilterFileExt
	}
}

func folders(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// ownDomains offers the domains of the configuration.
func (s *site) ownDomains(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	cfg, _, err := s.config()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return cfg.Domains.List(), cobra.ShellCompDirectiveNoFileComp
}
