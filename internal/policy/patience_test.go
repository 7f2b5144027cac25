package policy

import (
	"context"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/internal/origin"
)

// slowOrigins finds nothing out before it has to stop.
type slowOrigins struct{ contexts []context.Context }

func (o *slowOrigins) Ask(ctx context.Context, _ origin.Question) origin.Answer {
	o.contexts = append(o.contexts, ctx)
	<-ctx.Done()
	return origin.Answer{Evidence: origin.Unknown}
}

// However many recipients a message has, all of them together wait no longer
// than one.
func TestPatienceIsTheMessages(t *testing.T) {
	s := testSettings(t, "")
	if s.patience != longestWait {
		t.Errorf("a message waits for %v", s.patience)
	}
	origins := &slowOrigins{}
	s.origins, s.patience = origins, 20*time.Millisecond
	m := bounceMessage(s)
	m.Classified(classify.Result{Class: classify.Bounce})
	for _, to := range []string{"a@example.com", "b@example.com", "c@example.com"} {
		f := m.Recipient(to)
		if v := Judge(&f, AtEOM); v.Reason != TagMissing {
			t.Errorf("%s: %q", to, v.Reason)
		}
	}
	if len(origins.contexts) != 3 || origins.contexts[1] != origins.contexts[0] || origins.contexts[2] != origins.contexts[0] {
		t.Errorf("waited by %d deadlines of their own", len(origins.contexts))
	}
	m.End()
	if f := m.Recipient("d@example.com"); f.message.waiting() == origins.contexts[0] {
		t.Error("the next message has the deadline of the one before")
	}
	m.End()
}

// Whom a letter with a null sender claims to be from proves nothing; a
// notification from somebody who was written to does.
func TestCorrespondentProvesNotifications(t *testing.T) {
	s := testSettings(t, "")
	s.origins = &oracle{answer: origin.Answer{Evidence: origin.Correspondent, Spoke: []origin.Finding{{Evidence: origin.Correspondent}}}}
	for class, want := range map[classify.Class]Reason{
		classify.AutoReply: OriginProven, classify.Bounce: OriginProven, classify.Ordinary: Unproven, classify.List: Unproven,
	} {
		if v, _ := judged(s, "", "a@example.com", class); v.Reason != want {
			t.Errorf("%s: %q, want %q", class, v.Reason, want)
		}
	}
}
