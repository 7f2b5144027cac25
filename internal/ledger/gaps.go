package ledger

import (
	"slices"
	"time"
)

const (
	// Skew is how exact dates are taken to be: a Date is by the clock of whoever
	// wrote the message. Gaps reach so much further in both directions.
	Skew = 5 * time.Minute

	maxGaps = 256 // kept; of more the nearest two become one
)

// Gap is a time for which the ledger is not complete.
type Gap struct {
	From, To time.Time
	Why      string // a plain phrase, such as "the daemon was not running"
}

// gaps are in order and at least 2*Skew apart.
type gaps []Gap

// holds reports whether t is in a gap, or nearer to one than Skew.
func (g gaps) holds(t time.Time) bool {
	at, _ := slices.BinarySearchFunc(g, t, func(gap Gap, t time.Time) int {
		return gap.To.Add(Skew).Compare(t)
	})
	return at < len(g) && !t.Before(g[at].From.Add(-Skew))
}

// add puts a gap among the others, together with those that it touches.
func (g gaps) add(gap Gap) gaps { return append(g, gap).inOrder() }

// apart is what another host tells, in any order, as gaps.
func apart(told []Gap) gaps {
	g := slices.DeleteFunc(slices.Clone(told), func(gap Gap) bool { return gap.To.Before(gap.From) })
	return gaps(g).inOrder()
}

// inOrder sorts gaps and makes one of those that touch.
func (g gaps) inOrder() gaps {
	if len(g) == 0 {
		return nil
	}
	slices.SortStableFunc(g, func(a, b Gap) int { return a.From.Compare(b.From) })
	merged := g[:1]
	for _, next := range g[1:] {
		last := &merged[len(merged)-1]
		if next.From.Sub(last.To) > 2*Skew {
			merged = append(merged, next)
			continue
		}
		last.join(next)
	}
	for len(merged) > maxGaps {
		merged = merged.mergeNearest()
	}
	return merged
}

// join makes one gap of two; the longer one's reason stands for both.
func (g *Gap) join(next Gap) {
	if next.To.Sub(next.From) > g.To.Sub(g.From) {
		g.Why = next.Why
	}
	if next.To.After(g.To) {
		g.To = next.To
	}
}

func (g gaps) mergeNearest() gaps {
	nearest := 1
	for i := 2; i < len(g); i++ {
		if g[i].From.Sub(g[i-1].To) < g[nearest].From.Sub(g[nearest-1].To) {
			nearest = i
		}
	}
	g[nearest-1].join(g[nearest])
	return slices.Delete(g, nearest, nearest+1)
}

// clip leaves no gap after now.
func (g gaps) clip(now time.Time) gaps {
	for i := range g {
		if g[i].From.After(now) {
			g[i].From = now
		}
		if g[i].To.After(now) {
			g[i].To = now
		}
	}
	return g
}

// since drops the gaps that ended before t.
func (g gaps) since(t time.Time) gaps {
	return slices.DeleteFunc(g, func(gap Gap) bool { return gap.To.Before(t) })
}
