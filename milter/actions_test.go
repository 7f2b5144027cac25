package milter

import (
	"strings"
	"testing"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// What each action comes to at each stage: refusals are given there, the rest
// is carried to the end of the message, and nothing but Continue or a refusal
// is ever said of a single recipient.
func TestActionsByStage(t *testing.T) {
	type outcome struct {
		stage      mtatest.Stage
		reply      string // the final reply
		header     string // beginning of the verdict header
		quarantine bool
	}
	carried := func(reply, header string, quarantine bool) map[string]outcome {
		o := outcome{mtatest.StageEOM, reply, header, quarantine}
		return map[string]outcome{"rcpt": o, "data": o, "eom": o}
	}
	given := func(reply string) map[string]outcome {
		return map[string]outcome{
			"rcpt": {stage: mtatest.StageRcpt, reply: reply},
			"data": {stage: mtatest.StageData, reply: reply},
			"eom":  {stage: mtatest.StageEOM, reply: reply},
		}
	}
	for action, stages := range map[string]map[string]outcome{
		"accept":     carried("accept", "accept; reason=tag-missing", false),
		"mark":       carried("accept", "mark; reason=tag-missing", false),
		"auto":       carried("accept", "mark; reason=tag-missing", false),
		"quarantine": carried("accept", "quarantine; reason=tag-missing", true),
		"discard":    carried("discard", "", false),
		"reject":     given("550 5.7.1 "),
		"tempfail":   given("451 4.7.1 "),
	} {
		for stage, want := range stages {
			b := start(t, "stage = \""+stage+"\"\n[policy]\ntag-missing = \""+action+"\"\n")
			r := b.run(t, bounce("alice@example.com"))
			if r.Stage != want.stage || !strings.HasPrefix(r.Reply.String(), want.reply) {
				t.Errorf("%s at %s: %v at %v, want %s at %v", action, stage, r.Reply, r.Stage, want.reply, want.stage)
			}
			if h := mark(r); !strings.HasPrefix(h, want.header) || want.header == "" && h != "" {
				t.Errorf("%s at %s: header %q, want %q", action, stage, h, want.header)
			}
			if got := r.Mod(mtatest.Quarantine) != nil; got != want.quarantine {
				t.Errorf("%s at %s: quarantine %v", action, stage, got)
			}
			for _, rcpt := range r.Rcpts {
				if rcpt.Action != mtatest.Continue && rcpt.Action != mtatest.ReplyCode {
					t.Errorf("%s at %s: the recipient was answered %v", action, stage, rcpt)
				}
			}
		}
	}
}
