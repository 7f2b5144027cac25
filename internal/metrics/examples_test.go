package metrics

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// described gives every metric of the daemon with its labels.
func described(t *testing.T) map[string][]string {
	t.Helper()
	m := New("1.0")
	m.Watch(Known{})
	ch := make(chan *prometheus.Desc)
	go func() {
		m.registry.Describe(ch)
		close(ch)
	}()
	form := regexp.MustCompile(`fqName: "([^"]+)", .* variableLabels: \{([^}]*)\}`)
	constant := regexp.MustCompile(`constLabels: \{([^}=]*)=`)
	found := map[string][]string{}
	for desc := range ch {
		parts := form.FindStringSubmatch(desc.String())
		if parts == nil {
			t.Fatalf("%s", desc)
		}
		labels := strings.Split(parts[2], ",")
		if c := constant.FindStringSubmatch(desc.String()); c != nil {
			labels = append(labels, c[1])
		}
		for _, suffix := range []string{"", "_bucket", "_sum", "_count"} {
			found[parts[1]+suffix] = append(labels, "le")
		}
	}
	return found
}

// expressions are those of the Grafana dashboard and of the alert rules.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	read := func(name string) []byte {
		data, err := os.ReadFile("../../examples/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	var dashboard struct {
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(read("grafana/backscatter-milter.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			all["dashboard, "+p.Title+": "+target.Expr] = target.Expr
		}
	}
	rules := regexp.MustCompile(`(?s)- alert: (\w+)\n\s+expr: (.*?)\n\s+(?:for|labels):`)
	for _, rule := range rules.FindAllStringSubmatch(string(read("prometheus/alerts.yml")), -1) {
		all["alert "+rule[1]] = rule[2]
	}
	if len(all) < 25 {
		t.Fatalf("only %d expressions were found", len(all))
	}
	return all
}

// TestExamplesUseWhatExists wants each metric and each label of the dashboard
// and of the alerts to be one of the daemon's, or of Prometheus' own.
func TestExamplesUseWhatExists(t *testing.T) {
	known := described(t)
	known["up"] = nil
	selector := regexp.MustCompile(`\b([a-z_]+)\{([^}]*)\}|\b((?:backscatter|process|go)_[a-z_]+)\b`)
	label := regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"`)
	grouped := regexp.MustCompile(`\b(?:by|on) \(([^)]*)\)`)
	for where, expr := range expressions(t) {
		allowed := map[string]bool{"job": true, "instance": true}
		used := 0
		for _, s := range selector.FindAllStringSubmatch(expr, -1) {
			name := s[1] + s[3]
			labels, ok := known[name]
			if !ok {
				t.Errorf("%s: there is no metric %s", where, name)
			}
			used++
			own := map[string]bool{"job": true, "instance": true}
			for _, l := range labels {
				own[l], allowed[l] = true, true
			}
			for _, l := range label.FindAllStringSubmatch(s[2], -1) {
				if !own[l[1]] {
					t.Errorf("%s: %s has no label %s", where, name, l[1])
				}
			}
		}
		for _, g := range grouped.FindAllStringSubmatch(expr, -1) {
			for _, l := range strings.Split(g[1], ",") {
				if !allowed[strings.TrimSpace(l)] {
					t.Errorf("%s: nothing in it has the label %s", where, l)
				}
			}
		}
		if used == 0 {
			t.Errorf("%s: no metric was found in it", where)
		}
	}
}

// TestAlertsBeginAtZero wants each counter that an alert looks for an increase in
// to be there before anything has happened: one that appears with its first event
// has no increase.
func TestAlertsBeginAtZero(t *testing.T) {
	m := New("1.0")
	m.Watch(Known{
		Strict: func() map[string]bool { return nil }, StoreFailures: func() int64 { return 0 }, OwnListings: func() map[string]int { return nil },
		FloodBlocks: func() map[string]int { return nil }, Journal: func() (int, map[string]uint64) { return 0, nil },
	})
	var b strings.Builder
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			b.WriteString(f.GetName())
			for _, l := range metric.GetLabel() {
				b.WriteString("{" + l.GetName() + "=\"" + l.GetValue() + "\"}")
			}
			b.WriteString("\n")
		}
	}
	growing := regexp.MustCompile(`increase\((backscatter_[a-z_]+)(\{\w+="[^"]*"\})?\[`)
	seen := 0
	for where, expr := range expressions(t) {
		if !strings.HasPrefix(where, "alert ") {
			continue
		}
		for _, g := range growing.FindAllStringSubmatch(expr, -1) {
			seen++
			if !strings.Contains("\n"+b.String(), "\n"+g[1]+g[2]+"\n") {
				t.Errorf("%s: %s%s is not there at the start", where, g[1], g[2])
			}
		}
	}
	if seen < 6 {
		t.Errorf("only %d were found", seen)
	}
}
