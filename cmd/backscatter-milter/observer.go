package main

import (
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
	"github.com/backscatter-milter/backscatter-milter/internal/metrics"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// observer hands what the milter reports to log and metrics.
type observer struct {
	log     *maillog.Log
	metrics *metrics.Metrics
}

func (o observer) Verdict(r policy.Record) {
	o.metrics.Verdict(r)
	o.log.Verdict(r)
}

func (o observer) Accepted(string) {}

func (o observer) Sent(s policy.Sent) {
	if s.Result != "" {
		o.metrics.Signed(s.Result)
	}
}

func (o observer) TagRefused(recipient string) { o.log.TagRefused(recipient) }

func (o observer) Connections(change int) { o.metrics.Connections(change) }

func (o observer) Rejected(why string) {
	o.metrics.Rejected(why)
	o.log.Rejected(why)
}

func (o observer) Panicked(stage string, value any, stack []byte) {
	o.metrics.Panicked()
	o.log.Panicked(stage, value, stack)
}

func (o observer) Failed(what string, err error) {
	o.metrics.Failed(what)
	o.log.Failed(what, err)
}
