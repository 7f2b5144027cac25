package main

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/backscatter-milter/backscatter-milter/config"
)

// replayReport tells of messages as they come, and at the end what they came to.
type replayReport struct {
	flags       *replayFlags
	out, stderr io.Writer
	bar         *progress
	csv         *csv.Writer
	begun       time.Time
	messages    int
	addressed   int // that tell, or are told, a recipient
	ours        int // to a domain of ours
	judged      int
	failed      int
	counts      map[replayKind]int // bounded: classes, reasons and actions are few
}

// replayKind is a line of the table.
type replayKind struct {
	class, action, reason, origin string
	unlessTagged                  bool
}

func newReplayReport(f *replayFlags, out, stderr io.Writer, bar *progress) *replayReport {
	r := &replayReport{flags: f, out: out, stderr: stderr, bar: bar, begun: time.Now(), counts: map[replayKind]int{}}
	if f.csv {
		r.csv = csv.NewWriter(out)
	}
	return r
}

// replayJSON is what replay --json prints of a message; --csv has the same.
type replayJSON struct {
	Path         string   `json:"path"`
	Received     string   `json:"received"` // RFC 3339, "" where not known
	From         string   `json:"from"`
	To           []string `json:"to"`
	Class        string   `json:"class"`
	Action       string   `json:"action"` // "" where it is not judged
	Reason       string   `json:"reason"`
	Origin       string   `json:"origin"`
	Tag          string   `json:"tag"`           // "tagged", "untagged", "unknown"
	UnlessTagged bool     `json:"unless_tagged"` // the verdict holds only if it had none
}

// unread tells of what could not be read or judged.
func (t *replayReport) unread(path string, err error) {
	t.failed++
	t.bar.clear()
	reportEach(t.stderr, fmt.Errorf("%s: %w", path, err))
}

// message tells of one message: all of them by --json and --csv, else those
// that would have been refused.
func (t *replayReport) message(r replayed) error {
	t.messages++
	if len(r.to) > 0 {
		t.addressed++
	}
	if r.ours {
		t.ours++
	}
	k := replayKind{class: r.class, action: "not judged"}
	if r.judged {
		t.judged++
		k = replayKind{r.class, cmp.Or(string(r.verdict.Action), "none"), string(r.verdict.Reason), r.origin, r.unlessTagged()}
	}
	t.counts[k]++
	out := replayJSON{
		Path: r.path, From: r.sender, To: append([]string{}, r.to...), Class: r.class, Action: string(r.verdict.Action),
		Reason: string(r.verdict.Reason), Origin: r.origin, Tag: r.had, UnlessTagged: r.unlessTagged(),
	}
	if !r.received.IsZero() {
		out.Received = r.received.UTC().Format(time.RFC3339)
	}
	switch {
	case t.flags.asJSON:
		return writeJSONLine(t.out, out)
	case t.csv != nil:
		return t.record(out)
	case r.verdict.Action == config.ActionReject || r.verdict.Action == config.ActionTempfail || r.verdict.Action == config.ActionDiscard:
		t.bar.clear()
		return t.refusal(out)
	}
	return nil
}

func (t *replayReport) record(r replayJSON) error {
	if t.messages == 1 {
		_ = t.csv.Write([]string{"path", "received", "from", "to", "class", "action", "reason", "origin", "tag", "unless_tagged"})
	}
	_ = t.csv.Write([]string{r.Path, r.Received, r.From, strings.Join(r.To, " "), r.Class, r.Action, r.Reason, r.Origin, r.Tag, fmt.Sprint(r.UnlessTagged)})
	t.csv.Flush()
	return t.csv.Error()
}

// refusal prints a message that would have been refused.
func (t *replayReport) refusal(r replayJSON) error {
	unless := ""
	if r.UnlessTagged {
		unless = ", unless tagged"
	}
	line := fmt.Sprintf("%s: %s because of %s%s: %s, origin %s, from <%s> to %s", r.Path, r.Action, r.Reason, unless, r.Class, r.Origin, r.From, strings.Join(r.To, ", "))
	_, err := fmt.Fprintln(t.out, printable(line))
	return err
}

// finish prints the table; with --json and --csv it goes to standard error.
func (t *replayReport) finish() error {
	w := t.out
	if t.flags.asJSON || t.csv != nil {
		w = t.stderr
	}
	took := time.Since(t.begun)
	rate := float64(t.messages) / max(took.Seconds(), 0.001)
	if _, err := fmt.Fprintf(w, "\n%d messages in %s (%.0f a second), %d judged, %d could not be read\n\n",
		t.messages, took.Round(time.Millisecond), rate, t.judged, t.failed); err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "CLASS\tACTION\tREASON\tORIGIN\tCOUNT\n")
	kinds := slices.SortedFunc(maps.Keys(t.counts), func(a, b replayKind) int {
		return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.action, b.action), cmp.Compare(a.reason, b.reason),
			cmp.Compare(a.origin, b.origin), cmp.Compare(fmt.Sprint(a.unlessTagged), fmt.Sprint(b.unlessTagged)))
	})
	for _, k := range kinds {
		reason := k.reason
		if k.unlessTagged {
			reason += " (unless tagged)"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\n", k.class, k.action, reason, k.origin, t.counts[k])
	}
	return table.Flush()
}
