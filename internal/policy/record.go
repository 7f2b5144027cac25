package policy

import (
	"net/netip"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/internal/ledger"
)

// Record is one verdict with the transaction it was given in, as log, metrics
// and journal take it. Its slices are valid only while it is handed over.
type Record struct {
	ID      string // decision id, also in the X-Backscatter header
	QueueID string // the MTA's, "" where it has none yet
	Client  netip.Addr
	From    string
	To      []string
	Verdict Verdict
	Took    time.Duration // spent on the transaction so far
}

// Sent is a message of a trusted client that was let go.
type Sent struct {
	Sender string     // reverse-path as the client gave it, "" for the null sender
	Result string     // Signed, or why not; "" where the domain is not ours
	Key    batv.KeyID // that signed
	// Entry is what is to be remembered of it, empty where it is nobody's of
	// ours. Its slice is valid only while it is handed over.
	Entry Entry
}

// Entry is what is to be remembered of a message that left.
type Entry = ledger.Entry
