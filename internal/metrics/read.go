package metrics

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Count is one counter, read: its labels and how far it has counted.
type Count struct {
	Labels map[string]string
	Value  uint64
}

// Verdicts reads backscatter_verdicts_total, the largest first.
func (m *Metrics) Verdicts() []Count {
	counts := read(m.verdicts)
	slices.SortStableFunc(counts, func(a, b Count) int { return cmp.Compare(b.Value, a.Value) })
	return counts
}

// SignedResults reads backscatter_signed_total by its label.
func (m *Metrics) SignedResults() map[string]uint64 {
	results := map[string]uint64{}
	for _, c := range read(m.signed) {
		results[c.Labels["result"]] = c.Value
	}
	return results
}

// read gathers the counters of one name that have counted anything, in the order
// of their labels.
func read(c prometheus.Collector) []Count {
	registry := prometheus.NewRegistry()
	if registry.Register(c) != nil {
		return nil
	}
	families, err := registry.Gather()
	if err != nil {
		return nil // counters of ours are always consistent
	}
	var counts []Count
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if metric.GetCounter().GetValue() == 0 {
				continue
			}
			labels := map[string]string{}
			for _, pair := range metric.GetLabel() {
				labels[pair.GetName()] = pair.GetValue()
			}
			counts = append(counts, Count{labels, uint64(metric.GetCounter().GetValue())})
		}
	}
	return counts
}
