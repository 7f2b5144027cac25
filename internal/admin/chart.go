package admin

import (
	"fmt"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/journal"
)

// chart is verdicts over time, a bar for each step, drawn in units of its own:
// width as many as there are bars times barWidth, height chartHeight.
type chart struct {
	From, To time.Time // of the first bar's begin, and after the last one
	Step     time.Duration
	Bars     []bar
	Top      uint64 // what the full height stands for
	Legend   []legend
}

// bar is one step of time.
type bar struct {
	Start  time.Time
	Counts map[journal.Outcome]uint64
	Total  uint64
	Parts  []part
	Title  string
}

// part is the rectangle of one outcome.
type part struct {
	Outcome       journal.Outcome
	X, Y, W, H, N uint64
}

// legend is an outcome with its sum.
type legend struct {
	Outcome journal.Outcome
	Meaning string
	N       uint64
}

const (
	barWidth    = 20
	barGap      = 3
	chartHeight = 400
)

func newChart(period string, now time.Time) chart {
	c := chart{Step: time.Hour}
	n := 24
	if period == weekPeriod {
		c.Step, n = 6*time.Hour, 28
	}
	c.To = now.Truncate(c.Step).Add(c.Step)
	c.From = c.To.Add(-time.Duration(n) * c.Step)
	for i := range n {
		c.Bars = append(c.Bars, bar{Start: c.From.Add(time.Duration(i) * c.Step), Counts: map[journal.Outcome]uint64{}})
	}
	return c
}

func (c *chart) add(hour time.Time, o journal.Outcome, n uint64) {
	if i := int(hour.Sub(c.From) / c.Step); i >= 0 && i < len(c.Bars) {
		c.Bars[i].Counts[o] += n
		c.Bars[i].Total += n
	}
}

// draw makes rectangles of the counts. What was at all is to be seen.
func (c *chart) draw() {
	var highest uint64
	for _, b := range c.Bars {
		highest = max(highest, b.Total)
	}
	c.Top = roundUp(highest)
	sums := make(map[journal.Outcome]uint64)
	for i := range c.Bars {
		b := &c.Bars[i]
		y := uint64(chartHeight)
		said := []string{}
		for _, o := range journal.Outcomes() {
			n := b.Counts[o]
			if n == 0 {
				continue
			}
			sums[o] += n
			h := min(max(n*chartHeight/c.Top, 4), y)
			y -= h
			b.Parts = append(b.Parts, part{Outcome: o, X: uint64(i*barWidth + barGap), Y: y, W: barWidth - barGap, H: h, N: n})
			said = append(said, fmt.Sprintf("%d %s", n, o))
		}
		if len(said) == 0 {
			said = append(said, "nothing")
		}
		b.Title = b.Start.Format("Mon 2 Jan 15:04") + " to " + b.Start.Add(c.Step).Format("15:04 UTC") + ": " + strings.Join(said, ", ")
	}
	for _, o := range journal.Outcomes() {
		if sums[o] > 0 {
			c.Legend = append(c.Legend, legend{o, meaning(o), sums[o]})
		}
	}
}

// Width of the drawing.
func (c *chart) Width() int { return len(c.Bars)*barWidth + barGap }

// Height of the drawing.
func (*chart) Height() int { return chartHeight }

// Labels are begins of bars, evenly spaced over the width.
func (c *chart) Labels() (all []string) {
	layout, every := "15:04", 6
	if c.Step > time.Hour {
		layout, every = "Mon 2", int(24*time.Hour/c.Step)
	}
	for i := 0; i < len(c.Bars); i += every {
		all = append(all, c.Bars[i].Start.Format(layout))
	}
	return all
}

// roundUp gives the next number that is one digit with noughts behind it, at
// least 5.
func roundUp(n uint64) uint64 {
	for power := uint64(1); power < 1e18; power *= 10 {
		for _, digit := range []uint64{1, 2, 3, 4, 5, 6, 8} {
			if top := digit * power; top >= max(n, 5) {
				return top
			}
		}
	}
	return n
}
