package milter

import (
	"fmt"

	"github.com/d--j/go-milter"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// Settings are the policy's settings with every reply that they can lead to,
// made once: making one costs more than judging a recipient.
type Settings struct {
	*policy.Settings
	replies map[replyKey]*milter.Response
	tooMany *milter.Response // for recipients beyond maxRecipients
}

type replyKey struct {
	reason policy.Reason
	action config.Action
}

// NewSettings prepares the replies of the given settings.
func NewSettings(p *policy.Settings) (*Settings, error) {
	s := &Settings{Settings: p, replies: make(map[replyKey]*milter.Response)}
	for _, row := range policy.Rows() {
		for _, action := range []config.Action{config.ActionReject, config.ActionTempfail} {
			r := policy.ReplyTo(row.Reason, action, p.ExplainURL())
			response, err := milter.RejectWithCodeAndReason(uint16(r.Code), r.Text)
			if err != nil {
				return nil, fmt.Errorf("reply for %s: %w", row.Reason, err)
			}
			s.replies[replyKey{row.Reason, action}] = response
		}
	}
	s.tooMany = s.replies[replyKey{policy.ManyRecipients, config.ActionTempfail}]
	return s, nil
}

// reply is the answer to a recipient or message that the verdict refuses.
func (s *Settings) reply(v policy.Verdict) *milter.Response {
	return s.replies[replyKey{v.Reason, v.Effective()}]
}
