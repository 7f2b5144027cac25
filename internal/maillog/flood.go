package maillog

import (
	"strings"

	"github.com/backscatter-milter/backscatter-milter/internal/flood"
)

// Flood writes the line of a block, a surge or an alarm that begins or ends.
func (l *Log) Flood(c flood.Change) {
	key := l.floodKey(c.Kind, c.Name)
	switch {
	case c.Kind == flood.BySender && c.Event == flood.SurgeBegan:
		l.Error("many proven bounces for one sender: a hacked account, or a bad list", "key", key, "count", c.Count)
	case c.Kind == flood.BySender:
		l.Info("no more than usual of proven bounces for the sender", "key", key)
	case c.Event == flood.BlockBegan:
		l.Warn("flood: blocked, but for what is proven", "key", key, "count", c.Count, "for", c.For.String())
	case c.Event == flood.BlockEnded:
		l.Info("flood: the block has ended", "key", key, "refused", c.Refused)
	case c.Event == flood.SurgeBegan:
		l.Warn("flood: a surge, unproven recipients are answered before any data", "key", key, "count", c.Count)
	default:
		l.Info("flood: the surge has ended", "key", key)
	}
}

// floodKey is the name of a key, its address as privacy says.
func (l *Log) floodKey(kind flood.Kind, name string) string {
	if kind != flood.ByRecipient && kind != flood.BySender {
		return name
	}
	what, address, _ := strings.Cut(name, " ")
	return what + " " + l.Somebody(address)
}
