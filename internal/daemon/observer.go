package daemon

import (
	"net/netip"

	"github.com/backscatter-milter/backscatter-milter/internal/decided"
	"github.com/backscatter-milter/backscatter-milter/internal/journal"
	"github.com/backscatter-milter/backscatter-milter/internal/knowledge"
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
	"github.com/backscatter-milter/backscatter-milter/internal/metrics"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// observer hands what the milter reports to log and metrics.
type observer struct {
	live    *maillog.Live
	metrics *metrics.Metrics
	known   *knowledge.Site
	out     *outscatter
	decided *decided.Journal
}

func (o observer) Verdict(r policy.Record) {
	o.metrics.Verdict(r)
	o.known.Judged(r.Verdict)
	log := o.live.Log()
	log.Verdict(r)
	o.decided.Verdict(r, log)
}

func (o observer) Classified(class string) { o.metrics.Classified(class) }

func (o observer) Accepted(recipient string) { o.known.Accepted(recipient) }

func (o observer) Sent(s policy.Sent) {
	if s.Result != "" {
		o.metrics.Signed(s.Result)
		o.decided.Sent(s.Result)
	}
	o.known.Sent(s)
}

func (o observer) TagRefused(recipient string) {
	if o.known.TagRefused(recipient) {
		o.metrics.Failed(metrics.TagRefused)
		o.decided.Count(journal.EventTagRefused, "")
		o.live.Log().TagRefused(recipient)
	}
}

func (o observer) Callout(netip.Addr) {
	o.metrics.Callout()
	o.decided.Callout()
}

func (o observer) Outscatter(recipient string) { o.out.seen(recipient) }

func (o observer) Connections(change int) { o.metrics.Connections(change) }

func (o observer) Rejected(why string) {
	o.metrics.Rejected(why)
	o.live.Log().Rejected(why)
}

// denied counts and logs a wrong token at the admin listener.
func (o observer) denied(client netip.Prefix) {
	o.metrics.Rejected("admin-token")
	from := "unknown"
	if client.IsValid() {
		from = client.String()
	}
	o.live.Log().Warn("a wrong token at the admin listener", "client", from)
}

func (o observer) Panicked(stage string, value any, stack []byte) {
	o.metrics.Panicked()
	o.live.Log().Panicked(stage, value, stack)
}

func (o observer) Failed(what string, err error) {
	o.metrics.Failed(what)
	o.live.Log().Failed(what, err)
}
