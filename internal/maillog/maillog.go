// Package maillog holds the whole format of the daemon's log: one function a
// kind of line, so that whoever reads or parses the log has one place to look.
// Lines go through a buffer, so that neither a slow disk nor a stalled reader
// of standard error ever holds up mail.
package maillog

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"strings"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// Log writes the daemon's log. It is safe for concurrent use.
type Log struct {
	*slog.Logger
	privacy config.Privacy
	hashKey []byte
}

// Options say how the log looks.
type Options struct {
	config.Log
	OmitTime bool   // the reader stamps the lines itself, as journald does
	HashKey  []byte // keys the hashes that stand for addresses under privacy = "hash"
}

// New writes to w.
func New(w io.Writer, o Options) *Log {
	ho := &slog.HandlerOptions{Level: o.Level}
	if o.OmitTime {
		ho.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey && len(groups) == 0 {
				return slog.Attr{}
			}
			return a
		}
	}
	var h slog.Handler = slog.NewTextHandler(w, ho)
	if o.Format == config.FormatJSON {
		h = slog.NewJSONHandler(w, ho)
	}
	return &Log{Logger: slog.New(h), privacy: o.Privacy, hashKey: o.HashKey}
}

// Verdict writes the line of one judged recipient or message. Its keys are
// fixed.
func (l *Log) Verdict(r policy.Record) {
	v := r.Verdict
	client := "unknown"
	if r.Client.IsValid() {
		client = r.Client.String()
	}
	l.LogAttrs(context.Background(), slog.LevelInfo, "verdict",
		slog.String("id", r.ID),
		slog.String("qid", r.QueueID),
		slog.String("client", client),
		slog.String("from", l.Address(r.From)),
		slog.String("to", l.addresses(r.To)),
		slog.String("stage", v.Stage.String()),
		slog.String("action", string(v.Action)),
		slog.String("reason", string(v.Reason)),
		slog.String("class", v.Class()),
		slog.String("origin", v.Origin()),
		slog.String("evidence", v.Evidence()),
		slog.Bool("enforced", v.Enforced),
		slog.Duration("took", r.Took),
	)
}

// Outscatter writes the line of bounces that our own MTA sends elsewhere: how many
// since the line before, and to whom the latest.
func (l *Log) Outscatter(advice, recipient string, count int) {
	l.Warn(advice, "count", count, "to", l.Address(recipient))
}

// TagRefused writes the line of a genuine bounce that the MTA has refused.
func (l *Log) TagRefused(recipient string) {
	l.Error("the MTA refused a genuine bounce: it does not know its users by their tagged addresses", "recipient", l.Address(recipient))
}

// Panicked writes the line of a callback that failed.
func (l *Log) Panicked(stage string, value any, stack []byte) {
	l.Error("internal error, the message goes on as the reason \"error\" says", "stage", stage, "panic", value, "stack", string(stack))
}

// Rejected writes the line of a peer that the guard cut off.
func (l *Log) Rejected(why string) {
	l.Debug("milter connection refused or held", "why", why)
}

// Failed writes the line of an operation that failed without harm to a message.
func (l *Log) Failed(what string, err error) {
	l.Warn("operation failed, mail goes on", "what", what, "error", err)
}

// maxAddresses bounds the recipients that one line names.
const maxAddresses = 20

func (l *Log) addresses(list []string) string {
	if len(list) == 1 {
		return l.Address(list[0])
	}
	more := ""
	if len(list) > maxAddresses {
		list, more = list[:maxAddresses], ",…"
	}
	shown := make([]string, len(list))
	for i, a := range list {
		shown[i] = l.Address(a)
	}
	return strings.Join(shown, ",") + more
}

// Somebody shows an address as Address does where it stands beside domains and
// must not be taken for one: "…@example.com".
func (l *Log) Somebody(address string) string {
	if at := strings.LastIndexByte(address, '@'); at >= 0 && l.privacy == config.PrivacyDomain {
		return "…" + address[at:]
	}
	return l.Address(address)
}

// Address shows an envelope address as far as privacy allows. The null sender
// is shown as "<>".
func (l *Log) Address(a string) string {
	if a == "" {
		return "<>"
	}
	switch l.privacy {
	case config.PrivacyDomain:
		at := strings.LastIndexByte(a, '@')
		if at < 0 {
			return "-"
		}
		return a[at+1:]
	case config.PrivacyHash:
		mac := hmac.New(sha256.New, l.hashKey)
		mac.Write([]byte(strings.ToLower(a)))
		return hex.EncodeToString(mac.Sum(nil)[:8])
	}
	return a
}
