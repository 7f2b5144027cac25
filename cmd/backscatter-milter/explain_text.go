package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// writeExplanation prints an explanation for people to read. Nothing of what a
// message says of itself can move the cursor.
func writeExplanation(w io.Writer, path string, notes []string, x policy.Explanation) error {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "  %-11s %s\n", label, printable(fmt.Sprintf(format, args...)))
	}
	fmt.Fprintf(&b, "%s\n", printable(path))
	client := x.Client
	if client == "" {
		client = "unknown"
	}
	line("envelope", "<%s> from client %s: %s", x.Sender, client, x.Kind)
	for _, n := range notes {
		line("note", "%s", n)
	}
	class := string(x.Class)
	if x.Action != "" {
		class += ", " + string(x.Action)
	}
	line("class", "%s", class)
	for _, e := range x.Evidence {
		line("", "%s: %s", e.Signal, e.Value)
	}
	if x.Class.IsNotification() {
		line("original", "%s", describeOriginal(x.Original))
	}
	if x.Listing != "" {
		line("DNS lists", "%s", x.Listing)
	}
	for _, r := range x.Recipients {
		writeRecipient(&b, line, r)
	}
	line("verdict", "%s", describeVerdict(x.Verdict))
	_, err := io.WriteString(w, b.String())
	return err
}

func describeOriginal(o policy.ExplainedOriginal) string {
	words := []string{"came back: " + string(o.Extent)}
	if o.Where != "" {
		words[0] += ", found in a " + o.Where
	}
	for _, f := range [...][2]string{{"Message-ID", o.MessageID}, {"From", o.From}, {"Date", o.Date}, {"Subject", o.Subject}} {
		if f[1] != "" {
			words = append(words, f[0]+" "+f[1])
		}
	}
	return strings.Join(words, "; ")
}

func writeRecipient(b *strings.Builder, line func(label, format string, args ...any), r policy.Explained) {
	line("recipient", "<%s>", r.Address)
	switch {
	case !r.Ours:
		line("", "not in a domain of ours: not judged")
		return
	case !r.Judged:
		line("", "not judged: neither a null sender nor a notification")
		return
	}
	line("", "its domain is strict by signing: %s, by the record of sent mail: %s", yesNo(r.Strict), yesNo(r.ByRecord))
	line("", "tag: %s", r.Tag)
	origin := string(r.Origin.Evidence)
	if r.Origin.Why != "" {
		origin += ": " + r.Origin.Why
	}
	line("", "origin: %s", origin)
	for _, s := range r.Origin.Spoke {
		line("", "  %s: %s", s.Evidence, s.Detail)
	}
	for _, row := range r.Rows {
		applies, leads, decides := yesNo(row.Applies), string(row.Action), ""
		if !row.Applies {
			leads = ""
		}
		if row.Decides {
			decides = "<- decides"
		}
		fmt.Fprintf(b, "    %s\n", strings.TrimRight(fmt.Sprintf("%-15s %-4s %-10s %s", row.Reason, applies, leads, decides), " "))
	}
}

func describeVerdict(v policy.ExplainedVerdict) string {
	if v.Reason == "" {
		return "accept: nothing here is judged"
	}
	s := fmt.Sprintf("%s, because of %s, at %s", v.Action, v.Reason, v.Stage)
	switch {
	case v.Reply != "":
		s += ": " + v.Reply
	case !v.Enforced && v.Action != config.ActionAccept && v.Action != config.ActionMark:
		s += ", but not enforced (monitor)"
	}
	if v.Header != "" {
		s += "; adds " + policy.HeaderName + ": " + v.Header
	}
	return s
}
