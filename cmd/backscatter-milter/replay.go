package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// replayFlags are what the command line says.
type replayFlags struct {
	explainFlags
	csv, strict, dnsbl bool
}

func newReplayCommand(s *site) *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay PATH...",
		Short: "Tell what would have become of mail that was delivered",
		Long: "Judge messages that have been delivered: a line for each that would have been\n" +
			"refused, and a table of verdicts. A PATH is a message, an mbox, a maildir, a\n" +
			"directory of messages, or - for standard input. Each is judged as of the time at\n" +
			"which it came, by the settings of today and by what the running daemon knows of\n" +
			"the site, or its record. DNS lists are not asked but with --dnsbl, since what they\n" +
			"say now they need not have said then.\n\n" +
			"Delivered mail has lost its tag: where X-Backscatter says that it had a valid one,\n" +
			"that counts; else whether it had one is not known, and what is refused only for\n" +
			"want of a tag is shown as \"unless tagged\".",
		Args:              usage(cobra.MinimumNArgs(1)),
		ValidArgsFunction: files(),
		RunE: func(cmd *cobra.Command, paths []string) error {
			f.sender = cmd.Flags().Changed("from")
			return f.run(cmd, s, paths)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.client, "client", "", "`address` of the client (default the newest public one in Received fields)")
	flags.StringVar(&f.from, "from", "", "reverse-`path`, \"\" or <> for the null sender (default Return-Path)")
	flags.StringArrayVar(&f.to, "rcpt", nil, "recipient `address` (default X-Original-To, else Delivered-To, else To)")
	flags.BoolVar(&f.strict, "strict", false, "judge as if every domain were strict, as after the grace")
	flags.BoolVar(&f.dnsbl, "dnsbl", false, "ask the DNS lists")
	flags.BoolVar(&f.asJSON, "json", false, "print one JSON object a message")
	flags.BoolVar(&f.csv, "csv", false, "print one CSV record a message")
	return cmd
}

// replayed is what would have become of one message.
type replayed struct {
	path     string
	sender   string
	to       []string
	class    string
	verdict  policy.ExplainedVerdict
	origin   string
	had      string // what is known of its tag: "tagged", "untagged", "unknown"
	ours     bool   // a recipient is in a domain of ours
	judged   bool
	err      error
	received time.Time
}

// unlessTagged reports whether the verdict holds only if the message had no tag.
func (r replayed) unlessTagged() bool {
	if r.had != tagUnknown || !r.judged {
		return false
	}
	switch r.verdict.Reason {
	case policy.Exempt, policy.OriginProven, policy.Receipt, policy.Report, policy.Calendar, "":
		return false
	}
	return true
}

// What is known of the tag that a delivered message had.
const (
	tagUnknown = "unknown"
	tagWas     = "tagged"
	tagWasNot  = "untagged"
)

func (f *replayFlags) run(cmd *cobra.Command, s *site, paths []string) error {
	if f.asJSON && f.csv {
		return usageError{errors.New("both --json and --csv: want one of them")}
	}
	client, err := f.clientAddress()
	if err != nil {
		return err
	}
	e, err := newExplainer(cmd.Context(), s, f.dnsbl)
	if err != nil {
		return err
	}
	defer e.close()
	fmt.Fprintf(cmd.ErrOrStderr(), "backscatter-milter: %s\n", e.who)
	files, err := findMessages(paths)
	failed := reportEach(cmd.ErrOrStderr(), err)
	bar := newProgress(cmd.ErrOrStderr(), files)
	p := replayer{flags: f, explainer: e, client: client, bar: bar, tell: newReplayReport(f, cmd.OutOrStdout(), cmd.ErrOrStderr(), bar)}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err = p.all(ctx, cmd.InOrStdin(), files)
	bar.finish()
	if ctx.Err() != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "backscatter-milter: interrupted: this is what there was until then\n")
	}
	if err := p.tell.finish(); err != nil {
		return err
	}
	if hint := p.hint(); hint != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "hint: %s\n", hint)
	}
	if err != nil || failed || p.tell.failed > 0 || ctx.Err() != nil {
		reportEach(cmd.ErrOrStderr(), err)
		return errSilent
	}
	return nil
}

// hint tells how to have mail judged of which none came to a domain of ours.
func (p *replayer) hint() string {
	switch {
	case p.tell.messages == 0 || p.tell.ours > 0:
		return ""
	case p.tell.addressed == 0:
		return "no message tells whom it came to, so none was judged: name a recipient with --rcpt"
	case p.explainer.daemon != nil:
		return "no domain that a message came to is known to be yours, so none was judged: write\n" +
			"      domains = [\"example.com\"] into the configuration of the daemon, and reload it"
	}
	return "no domain that a message came to is known to be yours, so none was judged: write\n" +
		"      domains = [\"example.com\"] into a file, and give it with --config"
}

// replayer judges many messages side by side and tells of them in their order.
// No more of them than maxAhead are in memory.
type replayer struct {
	flags     *replayFlags
	explainer *explainer
	client    netip.Addr
	bar       *progress
	tell      *replayReport
}

const maxAhead = 16

// maxReplayers is how many are judged at once: a daemon serves sixteen commands.
const maxReplayers = 8

// job is a message under judgement.
type job struct {
	path    string
	message []byte
	err     error
	done    chan replayed
}

// all judges the messages of the files, and tells of them, until ctx ends. What
// is being read then is not waited for: a pipe may stay silent for ever.
func (p *replayer) all(ctx context.Context, stdin io.Reader, files []messageFile) error {
	ctx, stop := context.WithCancel(ctx)
	work, order := make(chan *job), make(chan *job, maxAhead)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer stop()
	for range min(max(2, runtime.GOMAXPROCS(0)), maxReplayers) {
		workers.Go(func() {
			for j, ok := receive(ctx, work); ok; j, ok = receive(ctx, work) {
				j.done <- p.judge(ctx, j)
			}
		})
	}
	go func() {
		defer close(order)
		defer close(work)
		p.read(ctx, stdin, files, func(j *job) {
			j.done = make(chan replayed, 1)
			if send(ctx, order, j) {
				send(ctx, work, j)
			}
		})
	}()
	for j, ok := receive(ctx, order); ok; j, ok = receive(ctx, order) {
		if err := p.collect(ctx, j); err != nil {
			return err
		}
	}
	return nil
}

// collect tells of one message, once it is judged.
func (p *replayer) collect(ctx context.Context, j *job) error {
	r, ok := receive(ctx, j.done)
	switch {
	case !ok:
	case r.err != nil:
		p.tell.unread(r.path, r.err)
	default:
		return p.tell.message(r)
	}
	return nil
}

// receive takes a value from a channel, if one comes before ctx ends.
func receive[T any](ctx context.Context, from <-chan T) (v T, ok bool) {
	select {
	case v, ok = <-from:
	case <-ctx.Done():
	}
	return v, ok && ctx.Err() == nil
}

// send gives a value to a channel, if somebody takes it before ctx ends.
func send[T any](ctx context.Context, to chan<- T, v T) bool {
	select {
	case to <- v:
		return true
	case <-ctx.Done():
		return false
	}
}

// read hands on every message of the files, and what cannot be read of them.
func (p *replayer) read(ctx context.Context, stdin io.Reader, files []messageFile, hand func(*job)) {
	for _, file := range files {
		err := file.each(stdin, p.bar, func(path string, r io.Reader) error {
			message, err := io.ReadAll(io.LimitReader(r, maxExplained))
			if err == nil {
				err = ctx.Err()
			}
			if err == nil {
				hand(&job{path: path, message: message})
			}
			return err
		})
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			hand(&job{path: file.path, err: err})
		}
	}
}

// judge judges one message as of the time at which it came.
func (p *replayer) judge(ctx context.Context, j *job) replayed {
	r := replayed{path: j.path, err: j.err}
	if j.err != nil {
		return r
	}
	env := envelopeIn(j.message)
	client := p.client
	if !client.IsValid() {
		client = env.client
	}
	q := p.flags.question(client, env, j.message)
	q.At, q.Strict, q.WithLists = env.received, p.flags.strict, p.flags.dnsbl
	x, err := p.explainer.explain(ctx, q)
	if err != nil {
		r.err = err
		return r
	}
	r.sender, r.to, r.class, r.verdict, r.received = q.From, q.To, string(x.Class), x.Verdict, env.received
	had, valid := tagKnown(env.judged, q.To)
	r.had = had
	for _, rcpt := range x.Recipients {
		r.ours, r.judged = r.ours || rcpt.Ours, r.judged || rcpt.Judged
		if r.origin == "" || rcpt.Origin.Evidence != "" {
			r.origin = string(rcpt.Origin.Evidence)
		}
	}
	if r.judged && valid {
		r.verdict = policy.ExplainedVerdict{Stage: policy.AtRcpt.String(), Action: "accept", Reason: policy.TagValid, Enforced: true}
		r.origin = string(policy.OriginTag)
	}
	return r
}

// tagKnown tells what is known of the tag of a delivered message: by our own
// header that it was valid, or by a recipient who still bears it, as it is judged
// by then.
func tagKnown(judged string, to []string) (had string, valid bool) {
	switch {
	case strings.Contains(judged, "origin=tag"):
		return tagWas, true
	case slices.ContainsFunc(to, isTagged):
		return tagWas, false
	case judged != "":
		return tagWasNot, false
	}
	return tagUnknown, false
}
