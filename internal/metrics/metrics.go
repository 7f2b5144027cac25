// Package metrics counts what the daemon does, for Prometheus. No metric has
// a client, an address or anything else that a peer chooses as a label, so
// their number is bounded.
package metrics

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// Metrics are the daemon's figures. The methods are safe for concurrent use.
type Metrics struct {
	registry    *prometheus.Registry
	verdicts    *prometheus.CounterVec
	signed      *prometheus.CounterVec
	decisions   *prometheus.HistogramVec
	connections prometheus.Gauge
	rejections  *prometheus.CounterVec
	panics      prometheus.Counter
	classified  *prometheus.CounterVec
	failures    *prometheus.CounterVec
	lookups     *prometheus.CounterVec
	origins     *prometheus.CounterVec
	callouts    prometheus.Counter
	outscatter  prometheus.Counter
	alarms      prometheus.Counter
}

// New makes the metrics of one daemon; version is shown as a label of
// backscatter_build_info.
func New(version string) *Metrics {
	m := &Metrics{
		registry:    prometheus.NewRegistry(),
		verdicts:    counters("backscatter_verdicts_total", "Verdicts by the stage they were given at, action, reason and whether the action was taken.", "stage", "action", "reason", "enforced"),
		signed:      counters("backscatter_signed_total", "Outbound messages by what became of the reverse-path: signed, or the cause why not.", "result"),
		rejections:  counters("backscatter_guard_rejections_total", "Peers cut off or made to wait, by cause.", "why"),
		classified:  counters("backscatter_classified_total", "Messages from outside that were looked at as possible notifications, by what they are.", "class"),
		lookups:     counters("backscatter_dnsbl_lookups_total", "Questions to DNS lists by zone and what became of them; answers from the cache are none.", "zone", "outcome"),
		callouts:    prometheus.NewCounter(prometheus.CounterOpts{Name: "backscatter_callouts_total", Help: "Null senders whose recipient was accepted and that brought no message: sites that ask whether a sender exists."}),
		alarms:      prometheus.NewCounter(prometheus.CounterOpts{Name: "backscatter_proven_alarms_total", Help: "Times that one sender got more proven bounces than [flood] proven_alarm: a hacked account, or a bad list."}),
		outscatter:  prometheus.NewCounter(prometheus.CounterOpts{Name: "backscatter_outscatter_total", Help: "Bounces that the own MTA sent to addresses elsewhere."}),
		origins:     counters("backscatter_origin_total", "Verdicts by what was known of where the original is from.", "evidence"),
		failures:    counters("backscatter_failures_total", "Operations that failed without harm to a message.", "what"),
		connections: prometheus.NewGauge(prometheus.GaugeOpts{Name: "backscatter_connections", Help: "Milter connections that are open."}),
		panics:      prometheus.NewCounter(prometheus.CounterOpts{Name: "backscatter_panics_total", Help: "Callbacks that failed; their messages went on."}),
		decisions: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "backscatter_decision_seconds",
			Help:    "Time spent on a transaction up to its verdict, by stage.",
			Buckets: []float64{1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 5},
		}, []string{"stage"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "backscatter_build_info", Help: "1; the label is the daemon's version.", ConstLabels: prometheus.Labels{"version": version}})
	build.Set(1)
	m.begin()
	m.registry.MustRegister(m.verdicts, m.signed, m.rejections, m.failures, m.lookups, m.origins, m.callouts, m.outscatter, m.alarms, m.classified, m.connections, m.panics, m.decisions, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// TagRefused is the label of backscatter_failures_total for a genuine bounce that
// the MTA refuses.
const TagRefused = "genuine tag refused by the MTA"

// begin has counters that alerts watch stand at 0 from the start: Prometheus sees
// no increase in one that appears with its first event.
func (m *Metrics) begin() {
	m.failures.WithLabelValues(TagRefused)
	m.rejections.WithLabelValues("max-connections")
	m.signed.WithLabelValues(policy.Signed)
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// Known is what the daemon has found out, asked when the metrics are read.
type Known struct {
	Strict        func() map[string]bool // by domain
	StoreFailures func() int64
	OwnListings   func() map[string]int // our own addresses on a DNS list, by zone
	FloodBlocks   func() map[string]int // by kind
	// Journal tells how many decisions are kept, and by cause how many are not.
	Journal func() (kept int, missing map[string]uint64)
}

var strictDesc = prometheus.NewDesc("backscatter_domain_strict", "1 where a missing tag means something for the domain, else 0.", []string{"domain"}, nil)

// Watch adds what is known to the metrics. Call it once.
func (m *Metrics) Watch(k Known) {
	m.registry.MustRegister(strictness{k}, ownListings{k}, floodBlocks{k}, journal{k}, prometheus.NewCounterFunc(
		prometheus.CounterOpts{Name: "backscatter_store_errors_total", Help: "Records that were dropped and writes that failed."},
		func() float64 { return float64(k.StoreFailures()) }))
}

// strictness collects backscatter_domain_strict.
type strictness struct{ known Known }

func (strictness) Describe(ch chan<- *prometheus.Desc) { ch <- strictDesc }

func (s strictness) Collect(ch chan<- prometheus.Metric) {
	for domain, strict := range s.known.Strict() {
		value := 0.0
		if strict {
			value = 1
		}
		ch <- prometheus.MustNewConstMetric(strictDesc, prometheus.GaugeValue, value, domain)
	}
}

var ownListedDesc = prometheus.NewDesc("backscatter_own_addresses_listed", "How many of public_addresses a DNS list has.", []string{"zone"}, nil)

// ownListings collects backscatter_own_addresses_listed.
type ownListings struct{ known Known }

func (ownListings) Describe(ch chan<- *prometheus.Desc) { ch <- ownListedDesc }

func (o ownListings) Collect(ch chan<- prometheus.Metric) {
	for zone, n := range o.known.OwnListings() {
		ch <- prometheus.MustNewConstMetric(ownListedDesc, prometheus.GaugeValue, float64(n), zone)
	}
}

var (
	journalDesc = prometheus.NewDesc("backscatter_journal_entries", "Decisions that the journal keeps.", nil, nil)
	missingDesc = prometheus.NewDesc("backscatter_journal_missing_total", "Decisions that the journal does not have, by cause: skipped (of floods, only counted), overflow, unsaved (not in the store), corrupt (records).", []string{"why"}, nil)
)

// journal collects backscatter_journal_entries and backscatter_journal_missing_total.
type journal struct{ known Known }

func (journal) Describe(ch chan<- *prometheus.Desc) {
	ch <- journalDesc
	ch <- missingDesc
}

func (j journal) Collect(ch chan<- prometheus.Metric) {
	kept, missing := j.known.Journal()
	ch <- prometheus.MustNewConstMetric(journalDesc, prometheus.GaugeValue, float64(kept))
	for why, n := range missing {
		ch <- prometheus.MustNewConstMetric(missingDesc, prometheus.CounterValue, float64(n), why)
	}
}

var floodBlocksDesc = prometheus.NewDesc("backscatter_flood_blocks", "Blocks of the flood control that run, by what is blocked.", []string{"kind"}, nil)

// floodBlocks collects backscatter_flood_blocks.
type floodBlocks struct{ known Known }

func (floodBlocks) Describe(ch chan<- *prometheus.Desc) { ch <- floodBlocksDesc }

func (f floodBlocks) Collect(ch chan<- prometheus.Metric) {
	for kind, n := range f.known.FloodBlocks() {
		ch <- prometheus.MustNewConstMetric(floodBlocksDesc, prometheus.GaugeValue, float64(n), kind)
	}
}

// Handler serves the metrics in the Prometheus text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Verdict counts a verdict.
func (m *Metrics) Verdict(r policy.Record) {
	stage := r.Verdict.Stage.String()
	m.verdicts.WithLabelValues(stage, string(r.Verdict.Action), string(r.Verdict.Reason), strconv.FormatBool(r.Verdict.Enforced)).Inc()
	m.origins.WithLabelValues(r.Verdict.Origin()).Inc()
	m.decisions.WithLabelValues(stage).Observe(r.Took.Seconds())
}

// Signed counts what became of an outbound reverse-path.
func (m *Metrics) Signed(result string) { m.signed.WithLabelValues(result).Inc() }

// Classified counts a message by what it is.
func (m *Metrics) Classified(class string) { m.classified.WithLabelValues(class).Inc() }

// LookedUp counts a question to a DNS list.
func (m *Metrics) LookedUp(zone, outcome string) { m.lookups.WithLabelValues(zone, outcome).Inc() }

// Callout counts a callout.
func (m *Metrics) Callout() { m.callouts.Inc() }

// ProvenAlarm counts an alarm.
func (m *Metrics) ProvenAlarm() { m.alarms.Inc() }

// Outscatter counts a bounce of the own MTA's to an address elsewhere.
func (m *Metrics) Outscatter() { m.outscatter.Inc() }

// Connections adds to the number of open connections.
func (m *Metrics) Connections(change int) { m.connections.Add(float64(change)) }

// Rejected counts a peer that was cut off or made to wait.
func (m *Metrics) Rejected(why string) { m.rejections.WithLabelValues(why).Inc() }

// Panicked counts a callback that failed.
func (m *Metrics) Panicked() { m.panics.Inc() }

// Failed counts an operation that failed.
func (m *Metrics) Failed(what string) { m.failures.WithLabelValues(what).Inc() }
