package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/daemon"
	"github.com/backscatter-milter/backscatter-milter/internal/dnsbl"
	"github.com/backscatter-milter/backscatter-milter/internal/knowledge"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// maxExplained is how much of a message is looked at, in octets.
const maxExplained = 5 << 20

// explainFlags are the envelope as the command line gives it.
type explainFlags struct {
	client, from string
	to           []string
	asJSON       bool
	sender       bool // --from was given; it may be ""
}

func newExplainCommand(s *site) *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{
		Use:   "explain PATH",
		Short: "Tell why a message is judged as it is",
		Long: "Tell everything that is found out about a message, each reason of the policy with\n" +
			"what it would lead to, and which of them decides. PATH is a message, an mbox, a\n" +
			"maildir, a directory of messages, or - for standard input. The running daemon is\n" +
			"asked, which knows the site; where none runs, its record is looked at.\n\n" +
			"Without an envelope the null sender is assumed if the message tells no other\n" +
			"(Return-Path), and the recipients that it tells (X-Original-To, else Delivered-To,\n" +
			"else To). A delivered message has lost its tag: give it with --rcpt, from the log.",
		Args:              usage(cobra.ExactArgs(1)),
		ValidArgsFunction: files(),
		RunE: func(cmd *cobra.Command, paths []string) error {
			f.sender = cmd.Flags().Changed("from")
			return f.run(cmd, s, paths)
		},
	}
	cmd.Flags().StringVar(&f.client, "client", "", "`address` of the client that brought it")
	cmd.Flags().StringVar(&f.from, "from", "", "reverse-`path`, \"\" or <> for the null sender")
	cmd.Flags().StringArrayVar(&f.to, "rcpt", nil, "recipient `address`; may be given several times")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print one JSON object a line")
	return cmd
}

func (f *explainFlags) run(cmd *cobra.Command, s *site, paths []string) error {
	client, err := f.clientAddress()
	if err != nil {
		return err
	}
	e, err := newExplainer(cmd.Context(), s, true)
	if err != nil {
		return err
	}
	defer e.close()
	fmt.Fprintf(cmd.ErrOrStderr(), "backscatter-milter: %s\n", e.who)
	files, err := findMessages(paths)
	bar := newProgress(cmd.ErrOrStderr(), files)
	defer bar.finish()
	return eachOf(cmd, files, err, bar, func(path string, r io.Reader) error {
		message, err := io.ReadAll(io.LimitReader(r, maxExplained))
		if err != nil {
			return err
		}
		env := envelopeIn(message)
		x, err := e.explain(cmd.Context(), f.question(client, env, message))
		if err != nil {
			return err
		}
		bar.clear()
		if f.asJSON {
			return printed(writeJSONLine(cmd.OutOrStdout(), x))
		}
		return printed(writeExplanation(cmd.OutOrStdout(), path, f.assumed(env), x))
	})
}

func (f *explainFlags) clientAddress() (netip.Addr, error) {
	if f.client == "" {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(f.client)
	if err != nil {
		return a, usageError{fmt.Errorf("--client %q: want an IPv4 or IPv6 address", f.client)}
	}
	return a.Unmap(), nil
}

// question joins what the command line says of the envelope with what the
// message does.
func (f *explainFlags) question(client netip.Addr, env messageEnvelope, message []byte) control.Question {
	q := control.Question{Client: client, From: env.sender, To: env.recipients, Message: message, WithLists: true}
	if f.sender {
		q.From = withoutBrackets(f.from)
	}
	if len(f.to) > 0 {
		q.To = nil
		for _, to := range f.to {
			q.To = append(q.To, withoutBrackets(to))
		}
	}
	return q
}

// assumed tells what of the envelope was neither given nor in the message.
func (f *explainFlags) assumed(env messageEnvelope) []string {
	var notes []string
	if !f.sender && !env.senderKnown {
		notes = append(notes, "the null sender is assumed: --from says otherwise")
	}
	if len(f.to) == 0 && len(env.recipients) == 0 {
		notes = append(notes, "no recipient is known, so nothing is judged: --rcpt names one")
	}
	if env.judged != "" {
		notes = append(notes, "it has been judged before: "+env.judged)
	}
	return notes
}

// explainer explains messages, by the running daemon or without one.
type explainer struct {
	who      string // tells whose knowledge is used
	daemon   func(context.Context, control.Question) (policy.Explanation, error)
	settings *policy.Settings
	known    *knowledge.Site
	lists    *dnsbl.Client
}

// newExplainer finds out who explains. DNS lists are made ready if they are
// wanted.
func newExplainer(ctx context.Context, s *site, withLists bool) (*explainer, error) {
	var running control.Status
	switch err := s.call(ctx, control.VerbStatus, nil, &running); {
	case err == nil:
		return &explainer{who: "explained by the running daemon", daemon: func(ctx context.Context, q control.Question) (x policy.Explanation, err error) {
			err = s.call(ctx, control.VerbExplain, q, &x)
			return x, err
		}}, nil
	case !errors.Is(err, control.ErrNoDaemon):
		return nil, err
	}
	return newOwnExplainer(ctx, s, withLists)
}

// newOwnExplainer explains without a daemon.
func newOwnExplainer(ctx context.Context, s *site, withLists bool) (*explainer, error) {
	cfg, from, err := s.config()
	if err != nil {
		return nil, err
	}
	keyFile, err := s.keyPath(cfg)
	if err != nil {
		return nil, err
	}
	keys, err := s.keys(keyFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	known := s.recall(cfg, func(string, error) {})
	if keys != nil {
		known.Take(keys)
	}
	finder, err := known.Finder(cfg)
	if err != nil {
		return nil, err
	}
	lists := newLookupClient(cfg, io.Discard)
	if withLists {
		lists.Check(ctx)
	}
	who := "no daemon runs: explained by " + from
	if known.Store() == nil {
		who += ", without a record of the site"
	}
	return &explainer{who: who, settings: policy.NewSettings(cfg, keys, policy.Sources{Site: known, Lists: lists, Origins: finder}), lists: lists, known: known}, nil
}

func (e *explainer) explain(ctx context.Context, q control.Question) (policy.Explanation, error) {
	if e.daemon != nil {
		return e.daemon(ctx, q)
	}
	return daemon.Explain(e.settings, q, time.Now()), nil
}

func (e *explainer) close() {
	e.lists.Close()
	if e.known != nil {
		_ = e.known.Close() // nothing was written
	}
}
