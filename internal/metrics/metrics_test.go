package metrics

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

func TestFigures(t *testing.T) {
	m := New("v1")
	m.Verdict(policy.Record{Verdict: policy.Verdict{Reason: policy.TagForged, Action: "reject", Enforced: true, Stage: policy.AtRcpt}})
	m.Signed(policy.Signed)
	m.Connections(1)
	m.Connections(1)
	m.Connections(-1)
	m.Rejected("empty-frame")
	m.Panicked()
	m.Failed("add recipient")
	want := `
# HELP backscatter_build_info 1; the label is the daemon's version.
# TYPE backscatter_build_info gauge
backscatter_build_info{version="v1"} 1
# HELP backscatter_connections Milter connections that are open.
# TYPE backscatter_connections gauge
backscatter_connections 1
# HELP backscatter_failures_total Operations that failed without harm to a message.
# TYPE backscatter_failures_total counter
backscatter_failures_total{what="add recipient"} 1
backscatter_failures_total{what="genuine tag refused by the MTA"} 0
# HELP backscatter_guard_rejections_total Peers cut off or made to wait, by cause.
# TYPE backscatter_guard_rejections_total counter
backscatter_guard_rejections_total{why="empty-frame"} 1
backscatter_guard_rejections_total{why="max-connections"} 0
# HELP backscatter_panics_total Callbacks that failed; their messages went on.
# TYPE backscatter_panics_total counter
backscatter_panics_total 1
# HELP backscatter_signed_total Outbound messages by what became of the reverse-path: signed, or the cause why not.
# TYPE backscatter_signed_total counter
backscatter_signed_total{result="signed"} 1
# HELP backscatter_verdicts_total Verdicts by the stage they were given at, action, reason and whether the action was taken.
# TYPE backscatter_verdicts_total counter
backscatter_verdicts_total{action="reject",enforced="true",reason="tag-forged",stage="rcpt"} 1
`
	var names []string
	for line := range strings.Lines(want) {
		if f := strings.Fields(line); len(f) > 2 && f[1] == "TYPE" {
			names = append(names, f[2])
		}
	}
	if err := testutil.GatherAndCompare(m.registry, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
}
