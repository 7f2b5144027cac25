package daemon

import (
	"encoding/json"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// Explain tells everything that is found out about a message under the settings;
// now is when it is judged, unless the question says when.
func Explain(s *policy.Settings, q control.Question, now time.Time) policy.Explanation {
	if !q.At.IsZero() {
		now = q.At
	}
	e := policy.Envelope{Client: policy.Client{Addr: q.Client}, Sender: q.From}
	return policy.Explain(s, e, q.To, q.Message, policy.ExplainOptions{Now: now, Strict: q.Strict, WithLists: q.WithLists})
}

// explain answers the command.
func (d *daemon) explain(args json.RawMessage) (any, error) {
	var q control.Question
	if err := json.Unmarshal(args, &q); err != nil {
		return nil, err
	}
	return Explain(d.current().policy, q, d.now()), nil
}
