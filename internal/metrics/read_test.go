package metrics

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

func TestRead(t *testing.T) {
	m := New("v1")
	if got := m.Verdicts(); len(got) != 0 {
		t.Errorf("before any: %v", got)
	}
	if got := m.SignedResults(); len(got) != 0 {
		t.Errorf("before any: %v", got)
	}
	once := policy.Record{Verdict: policy.Verdict{Reason: policy.TagForged, Action: "reject", Enforced: true, Stage: policy.AtRcpt}}
	often := policy.Record{Verdict: policy.Verdict{Reason: policy.TagMissing, Action: "mark", Stage: policy.AtEOM}}
	m.Verdict(once)
	m.Verdict(often)
	m.Verdict(often)
	m.Signed(policy.Signed)
	m.Signed(policy.Signed)
	m.Signed(policy.NoKey)
	want := []Count{
		{map[string]string{"stage": "eom", "action": "mark", "reason": "tag-missing", "enforced": "false"}, 2},
		{map[string]string{"stage": "rcpt", "action": "reject", "reason": "tag-forged", "enforced": "true"}, 1},
	}
	if d := cmp.Diff(want, m.Verdicts()); d != "" {
		t.Errorf("verdicts (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]uint64{"signed": 2, "no-key": 1}, m.SignedResults()); d != "" {
		t.Errorf("signed (-want +got):\n%s", d)
	}
}
