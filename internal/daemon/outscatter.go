package daemon

import (
	"sync"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/decided"
	"github.com/backscatter-milter/backscatter-milter/internal/knowledge"
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
	"github.com/backscatter-milter/backscatter-milter/internal/metrics"
)

// outscatter counts the bounces that our own MTA sends to addresses elsewhere,
// and says what to mend, once an hour while it goes on.
type outscatter struct {
	live    *maillog.Live
	metrics *metrics.Metrics
	known   *knowledge.Site
	now     func() time.Time
	decided *decided.Journal

	mu    sync.Mutex
	count int // since it was last said
	said  time.Time
}

const outscatterEvery = time.Hour

// outscatterAdvice is what a postmaster can do about it.
const outscatterAdvice = "our own MTA sends bounces to addresses elsewhere, mostly forged ones: have it refuse at RCPT or DATA what it cannot deliver " +
	"(unknown users in every domain it accepts mail for, full mailboxes, what filters after the queue reject)"

// seen takes note of a bounce to a recipient elsewhere. While no domain is known
// to be ours nothing is elsewhere.
func (o *outscatter) seen(recipient string) {
	if !o.known.AnyOurs() {
		return
	}
	o.metrics.Outscatter()
	o.decided.Outscatter()
	now := o.now()
	o.mu.Lock()
	o.count++
	count := o.count
	due := o.said.IsZero() || now.Sub(o.said) >= outscatterEvery || now.Before(o.said)
	if due {
		o.count, o.said = 0, now
	}
	o.mu.Unlock()
	if due {
		o.live.Log().Outscatter(outscatterAdvice, recipient, count)
	}
}
