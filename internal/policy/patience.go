package policy

import (
	"context"
	"time"
)

// longestWait is how long one message waits at the most for what others know, all
// of its recipients together: DNS lists, and DKIM keys. MTAs give milters ten
// seconds at the end of a message, as setup prints it. What takes longer has no
// say; questions go on for others.
const longestWait = 5 * time.Second

// patience is how long a message still waits.
type patience struct {
	ctx context.Context // nil before the first wait
	end context.CancelFunc
}

// waiting is the context of everything that the message waits for: it ends
// longestWait after the first.
func (m *Message) waiting() context.Context {
	if m.patience.ctx == nil {
		m.patience.ctx, m.patience.end = context.WithTimeout(context.Background(), m.settings.patience)
	}
	return m.patience.ctx
}

// End says that the message will not be asked about any more.
func (m *Message) End() {
	if m.patience.end != nil {
		m.patience.end()
		m.patience = patience{}
	}
}
