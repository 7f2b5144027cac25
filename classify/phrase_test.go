package classify

import (
	"strings"
	"testing"
)

// TestPartsApart compares what find says of phrases in two parts with a search
// from every place.
func TestPartsApart(t *testing.T) {
	far := strings.Repeat("x", reach-1)
	rules, err := NewRules([]Rule{{"bounce", 4, "text", "mail * lost", "x"}, {"bounce", 4, "text", "mail * lost * end", "x"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"mail lost", "mail is lost", "lost mail", "mail mail mail lost", "lost mail lost", "mail" + far + " lost", "mail" + far + "x lost",
		"mail" + far + far + " mail lost", "mail" + far + far + " lost mail" + far + " lost", "mail lost end", "mail lost" + far + far + " mail lost\nend",
		"mail" + far + far + "lost" + far + far + "mail " + far + far,
	} {
		m, folded := rules.matchers["text"], fold(nil, []byte(text))
		want := map[int]bool{}
		for i := 0; i+minKey <= len(folded); i++ {
			for _, p := range m.index[[minKey]byte(folded[i:])] {
				if startsWord(folded, i) && p.match(folded, i) >= 0 {
					want[p.rule] = true
				}
			}
		}
		hits := m.find(nil, folded)
		if len(hits) != len(want) {
			t.Errorf("%.60q: %v, want %v", text, hits, want)
		}
		for _, h := range hits {
			if !want[h.rule] {
				t.Errorf("%.60q: rule %d, want %v", text, h.rule, want)
			}
		}
	}
}
