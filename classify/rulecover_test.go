package classify

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestRulesCovered wants of each rule that it spoke in a golden message that is
// what the rule speaks for, and that its words stand in one that is not. Neither
// has to be said anywhere: what spoke is in a result's evidence, and whose words
// stand in a message the rules themselves can tell.
func TestRulesCovered(t *testing.T) {
	rules := DefaultRules()
	spoke, stands := make([]bool, len(rules.rules)), make([]bool, len(rules.rules))
	for _, g := range goldens(t) {
		r, err := Classify(bytes.NewReader(g.message), Options{})
		if err != nil {
			t.Fatal(err)
		}
		texts := textsOf(g.message)
		rules.markSpoken(spoke, g, r, texts)
		rules.markStanding(stands, g, texts)
		rules.markSaid(spoke, stands, g, texts)
		for _, q := range quotations(g) {
			texts := textsOf(q.message)
			rules.markStanding(stands, q, texts)
			rules.markSaid(spoke, stands, q, texts)
		}
	}
	missing := 0
	for i, rule := range rules.rules {
		if rule.Weight == weighsNothing {
			continue // TestWords
		}
		row := strings.Join([]string{rule.Speaks, rule.Where, rule.Pattern, rule.Software}, "\t")
		if !spoke[i] {
			missing++
			t.Errorf("no golden message in which this rule spoke: %s", row)
		}
		if !stands[i] {
			missing++
			t.Errorf("no golden message that has its words and is none: %s", row)
		}
	}
	t.Logf("%d rules, %d messages missing", len(rules.rules), missing)
}

// speaksFor reports whether a message is what a rule speaks for.
func speaksFor(rule Rule, g golden) bool {
	notification := g.class().IsNotification()
	switch rule.Speaks {
	case string(Bounce):
		return g.class() == Bounce || g.class() == DSN
	case speaksDelay:
		return slices.Contains(g.want, string(Delayed))
	case speaksMachine, speaksDaemon, speaksProgram:
		return notification
	case speaksPerson, speaksGoods, string(List):
		return !notification
	case speaksSeparator:
		return notification && len(g.want) < 3 || slices.Contains(g.want, string(Full)) || slices.Contains(g.want, string(Headers)) || slices.Contains(g.want, string(Partial))
	}
	return string(g.class()) == rule.Speaks
}

// markSaid marks the concepts that stand in the subject or the text of a message,
// by whether it is what they speak for.
func (r *Rules) markSaid(spoke, stands []bool, g golden, texts map[string][]string) {
	for _, text := range slices.Concat(texts["subject"], texts["text"]) {
		r.sentences.read([]byte(text), func(rule int, _ uint64, _ []byte) {
			if speaksFor(r.rules[rule], g) {
				spoke[rule] = true
			} else {
				stands[rule] = true
			}
		})
	}
}

// markSpoken marks the rules that are evidence in the result of a message that
// is what they speak for.
func (r *Rules) markSpoken(spoke []bool, g golden, result Result, texts map[string][]string) {
	for _, e := range result.Evidence {
		speaks, rest, _ := strings.Cut(e.Value, ": ")
		for i, rule := range r.rules {
			if rule.Speaks != speaks || spoke[i] || e.Signal != strings.ToLower(rule.Where) || !speaksFor(rule, g) {
				continue
			}
			if value, ok := strings.CutPrefix(rest, rule.Software+": "); ok {
				spoke[i] = len(value) == maxEvidence-len(speaks)-len(rule.Software)-4 || rule.Pattern == "*" || r.standIn(r.matchers[e.Signal], value)[i]
			}
		}
	}
	for i := range r.standIn(r.matchers["separator"], texts["text"]...) {
		spoke[i] = spoke[i] || speaksFor(r.rules[i], g) && result.Original.Extent != None
	}
}

// markStanding marks the rules whose words stand in a message that is not what
// they speak for.
func (r *Rules) markStanding(stands []bool, g golden, texts map[string][]string) {
	for where, m := range r.matchers {
		if where == "separator" {
			where = "text"
		}
		for i := range r.standIn(m, texts[where]...) {
			stands[i] = stands[i] || !speaksFor(r.rules[i], g)
		}
	}
}

// standIn returns the rules of m whose words stand in one of texts, which are
// folded.
func (r *Rules) standIn(m *matcher, texts ...string) map[int]bool {
	found := map[int]bool{}
	for _, s := range texts {
		for _, rule := range m.always {
			found[rule] = true
		}
		text := []byte(s)
		for i := 0; i+minKey <= len(text); i++ {
			pair := uint(text[i])<<8 | uint(text[i+1])
			if m.filter[pair/64]&(1<<(pair%64)) == 0 || !startsWord(text, i) {
				continue
			}
			for _, p := range m.index[[minKey]byte(text[i:])] {
				if p.match(text, i) >= 0 {
					found[p.rule] = true
				}
			}
		}
	}
	return found
}

// textsOf returns what a message says, folded, by the names that rules have for
// the places: the values of its fields, also of those in a header that its text
// shows, and of its subject without what makes it an answer; and its text.
func textsOf(message []byte) map[string][]string {
	texts := map[string][]string{}
	add := func(name, value string) {
		name = strings.ToLower(name)
		if name == returnPath {
			value = strings.Trim(value, "<>")
		}
		value = strings.TrimSpace(string(fold(nil, []byte(value))))
		texts[name] = append(texts[name], value)
		if head, rest, ok := strings.Cut(value, ": "); ok && name == "subject" && isAnswer(head+":") {
			texts[name] = append(texts[name], rest)
		}
	}
	_, header, text := decodedMessage(message)
	for line := range strings.SplitSeq(header+text, "\n") {
		if name, value, ok := strings.Cut(strings.TrimLeft(line, "> "), ": "); ok && !strings.ContainsAny(name, " \t") {
			add(name, value)
			add("field", name)
		}
	}
	add("text", text)
	add("text", strings.ReplaceAll("\n"+text, "\n> ", "\n"))
	return texts
}

// TestSoftwareNamed wants of each rule the software it stands for.
func TestSoftwareNamed(t *testing.T) {
	names := map[string]int{}
	for _, r := range DefaultRules().List() {
		names[r.Software]++
	}
	for _, nobody := range []string{"", "many", "various", "unknown"} {
		if names[nobody] > 0 {
			t.Errorf("%d rules of %q", names[nobody], nobody)
		}
	}
	if len(slices.Collect(maps.Keys(names))) < 150 {
		t.Errorf("%d names of software and languages, want 150 or more", len(names))
	}
}
