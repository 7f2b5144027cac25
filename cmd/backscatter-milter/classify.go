package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/classify"
)

func newClassifyCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "classify PATH...",
		Short: "Tell what messages are, and what they say of their originals",
		Long: "Tell what messages are (dsn, bounce, auto-reply, challenge, receipt, report,\n" +
			"calendar, virus-notice, list, ordinary) and what notifications say of the\n" +
			"message they are about: a line, or a JSON object, for each message. A PATH is a\n" +
			"message, an mbox, a maildir, a directory of messages, or - for standard input.\n" +
			"Files that cannot be read are named, and the rest goes on.",
		Args:              usage(cobra.MinimumNArgs(1)),
		ValidArgsFunction: files(),
		RunE: func(cmd *cobra.Command, paths []string) error {
			files, err := findMessages(paths)
			bar := newProgress(cmd.ErrOrStderr(), files)
			defer bar.finish()
			show := printMessage
			if asJSON {
				show = printMessageJSON
			}
			return eachOf(cmd, files, err, bar, func(path string, r io.Reader) error {
				result, err := classify.Classify(r, classify.Options{})
				if err != nil {
					return err
				}
				bar.clear()
				return printed(show(cmd.OutOrStdout(), path, result))
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

// printMessage prints a result as a line: class, action, recipients, and the
// original's message-id.
func printMessage(w io.Writer, path string, r classify.Result) error {
	words := []string{string(r.Class)}
	if r.Action != "" {
		words = append(words, string(r.Action))
	}
	for i, rcpt := range r.Recipients {
		if i == 3 {
			words = append(words, fmt.Sprintf("and %d more", len(r.Recipients)-i))
			break
		}
		words = append(words, rcpt.Final)
	}
	if r.Class.IsNotification() && r.Original.MessageID != "" {
		words = append(words, "about "+r.Original.MessageID)
	}
	_, err := fmt.Fprintf(w, "%s: %s\n", path, printable(strings.Join(words, ", ")))
	return err
}

// messageJSON is what classify --json prints.
type messageJSON struct {
	Path         string          `json:"path"`
	Class        classify.Class  `json:"class"`
	Action       classify.Action `json:"action"`
	Original     originalJSON    `json:"original"`
	Recipients   []recipientJSON `json:"recipients"`
	ReportingMTA string          `json:"reporting_mta"`
	InReplyTo    []string        `json:"in_reply_to"`
	Evidence     []evidenceJSON  `json:"evidence"`
}

type originalJSON struct {
	Extent     classify.Extent `json:"extent"`
	MessageID  string          `json:"message_id"`
	From       string          `json:"from"`
	To         string          `json:"to"`
	Date       string          `json:"date"`
	Subject    string          `json:"subject"`
	ReturnPath string          `json:"return_path"`
}

type recipientJSON struct {
	Final      string          `json:"final"`
	Original   string          `json:"original"`
	Action     classify.Action `json:"action"`
	Status     string          `json:"status"`
	Diagnostic string          `json:"diagnostic"`
}

type evidenceJSON struct {
	Signal string `json:"signal"`
	Value  string `json:"value"`
}

func printMessageJSON(w io.Writer, path string, r classify.Result) error {
	o := r.Original
	out := messageJSON{
		Path: path, Class: r.Class, Action: r.Action, ReportingMTA: r.ReportingMTA,
		Original:   originalJSON{o.Extent, o.MessageID, o.From, o.To, o.Date, o.Subject, o.ReturnPath},
		Recipients: []recipientJSON{},
		InReplyTo:  append([]string{}, r.InReplyTo...),
		Evidence:   []evidenceJSON{},
	}
	for _, rcpt := range r.Recipients {
		out.Recipients = append(out.Recipients, recipientJSON(rcpt))
	}
	for _, e := range r.Evidence {
		out.Evidence = append(out.Evidence, evidenceJSON(e))
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}
