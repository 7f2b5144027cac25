package ledger

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// MaxRecipients is how many recipients of one message are recorded. For
	// those beyond, WroteDomain and WithoutID answer yes for every recipient of
	// that sender, and Wrote, which proves something, does not.
	MaxRecipients = 200
	// MaxDomains is how many domains of ours have a first entry. Those beyond
	// are counted, and not covered.
	MaxDomains = 10_000
	// DefaultMaxEntries is the ceiling of entries, in memory and in the store:
	// at 13 to 16 octets each, up to 256 MiB of memory.
	DefaultMaxEntries = 16 << 20

	maxPending = 1 << 16 // fingerprints that may wait: 512 KiB
)

// Options say how a ledger is kept.
type Options struct {
	// Store keeps it. Nil: memory only.
	Store Store
	// Now is the clock.
	Now func() time.Time
	// Lifetime is how long an entry is kept at the least; at the most it is a
	// day more.
	Lifetime time.Duration
	// MaxEntries is the ceiling of entries in all days; 0: DefaultMaxEntries.
	// Above it the oldest day leaves memory and store, and is no longer
	// covered. A single day that reaches it takes no more, which is a gap.
	MaxEntries int
	// Report is told what goes wrong, the first time of each kind of trouble;
	// Stats counts all. It may be called from another goroutine. Nil: nobody.
	Report func(error)
}

// What can go wrong while a ledger is kept.
var (
	// ErrQueue: more was recorded at once than the queue holds.
	ErrQueue = errors.New("ledger: more messages at once than could be recorded; some were not")
	// ErrStore: the store had to drop records that it had taken.
	ErrStore = errors.New("ledger: the store lost records")
	// ErrCeiling: there are more entries than Options.MaxEntries.
	ErrCeiling = errors.New("ledger: more entries than it may hold; the oldest days are dropped before their time")
	// ErrDamaged: records of the store made no sense.
	ErrDamaged = errors.New("ledger: records that cannot be read were passed over")
	// ErrSecret: the store's entries are of another version, or their secret
	// is lost; the ledger begins anew.
	ErrSecret = errors.New("ledger: the entries in the store cannot be used; begun anew")
	// ErrPanic: a fault of the ledger or its store was caught.
	ErrPanic = errors.New("ledger: caught a fault")
)

// Entry is a message that leaves. Sender and From are addresses without angle
// brackets and without a tag; From is left empty where it is no address of ours.
// What is empty is not recorded, but for MessageID: without one the recipients
// are remembered as having been written to without an id.
type Entry struct {
	Sender, From string
	MessageID    string
	QueueID      string
	Recipients   []string
}

// Ledger is the record. It is safe for concurrent use.
type Ledger struct {
	options Options
	hash    atomic.Pointer[hashers]
	index   *index

	wake    chan struct{}
	closing chan struct{}
	done    chan struct{}
	once    sync.Once

	mu       sync.Mutex // held for moments only: the reply path waits for it
	lifetime time.Duration
	clock    clock
	gaps     gaps
	floor    time.Time            // what was before has been dropped
	first    map[string]time.Time // domain: its first entry
	unsaved  []string             // domains whose first entry the store does not have
	pending  []uint64
	lostFrom time.Time // since when the queue overflowed, until that is noted
	closed   bool
	counts   counts
	sharing  sharing // with other hosts

	work work
}

// work is what one goroutine at a time does in the background.
type work struct {
	mu       sync.Mutex // taken before Ledger.mu
	batch    []uint64   // changes places with pending
	fresh    []uint64   // not handed to the store yet
	freshDay int
	outbox   []uint64 // not told other hosts yet; only where there are any
	untold   bool     // it has overflowed
	lost     int64    // records that the store had lost at the last heartbeat
	reported map[error]bool
}

// Open reads what the store remembers and begins to record. It reads all
// entries, which takes one to two seconds for ten million.
//
// An error means that the store could not be read to its end: the Ledger is
// valid, covers only what it knows, and goes on writing; where not even the
// small records could be read it is kept in memory only.
func Open(o Options) (*Ledger, error) {
	if o.MaxEntries <= 0 {
		o.MaxEntries = DefaultMaxEntries
	}
	l := &Ledger{
		options: o, index: newIndex(), lifetime: o.Lifetime,
		wake: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
		first: map[string]time.Time{}, pending: make([]uint64, 0, maxPending),
	}
	l.work.batch = make([]uint64, 0, maxPending)
	l.work.reported = map[error]bool{}
	err := l.load()
	l.Heartbeat()
	go l.run()
	if err != nil {
		return l, fmt.Errorf("ledger: %w", err)
	}
	return l, nil
}

// Record notes a message. It waits for nothing and allocates nothing for
// addresses in ASCII: where there is no room it counts, and a gap begins.
func (l *Ledger) Record(e Entry) {
	h := l.hash.Load().now
	r := recorder{ledger: l, hash: h}
	id, queue := trimID(e.MessageID), trimID(e.QueueID)
	if e.From == e.Sender {
		e.From = ""
	}
	for _, sender := range [...]string{e.Sender, e.From} {
		if sender == "" {
			continue
		}
		if id != "" {
			r.put(h.text(kindID, sender, id))
		}
		if queue != "" {
			r.put(h.text(kindQueue, sender, queue))
		}
		r.recipients(sender, e.Recipients, id == "")
		l.begin(domainOf(sender))
	}
	r.flush()
}

// recorder gathers the fingerprints of one message.
type recorder struct {
	ledger *Ledger
	hash   hasher
	n      int
	room   [32]uint64
}

func (r *recorder) put(fp uint64) {
	if r.n == len(r.room) {
		r.flush()
	}
	r.room[r.n] = fp
	r.n++
}

func (r *recorder) flush() {
	r.ledger.enqueue(r.room[:r.n])
	r.n = 0
}

func (r *recorder) recipients(sender string, recipients []string, withoutID bool) {
	h := r.hash
	for _, recipient := range recipients[:min(len(recipients), MaxRecipients)] {
		if recipient == "" {
			continue
		}
		r.put(h.address(kindAddress, sender, recipient))
		if domain := domainOf(recipient); domain != "" {
			r.put(h.address(kindDomain, sender, domain))
		}
		if withoutID {
			r.put(h.address(kindWithoutID, sender, recipient))
		}
	}
	if len(recipients) > MaxRecipients {
		r.put(h.address(kindDomain, sender, anyone))
		if withoutID {
			r.put(h.address(kindWithoutID, sender, anyone))
		}
	}
}

func (l *Ledger) enqueue(fps []uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.pending)+len(fps) > maxPending {
		l.counts.overflows += int64(len(fps))
		if l.lostFrom.IsZero() {
			l.lostFrom = l.clock.peek(l.options.Now())
		}
	} else {
		l.pending = append(l.pending, fps...)
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Sent reports whether a message with this Message-ID left with the address as
// its reverse-path or From.
func (l *Ledger) Sent(address, messageID string) bool {
	return l.hasText(kindID, address, messageID)
}

// Queued reports whether a message of the address had this queue id. MTAs use
// short queue ids again, so this speaks for an id that names the sender too.
func (l *Ledger) Queued(address, queueID string) bool {
	return l.hasText(kindQueue, address, queueID)
}

// Wrote reports whether the address wrote to the correspondent's.
func (l *Ledger) Wrote(address, correspondent string) bool {
	return l.hasAddress(kindAddress, address, correspondent)
}

// WroteDomain reports whether the address wrote to anybody in the domain, or
// may have: to more recipients at once than are recorded.
func (l *Ledger) WroteDomain(address, domain string) bool {
	return l.hasAddress(kindDomain, address, domain) || l.hasAddress(kindDomain, address, anyone)
}

// WithoutID reports whether the address wrote, or may have written, to the
// recipient in a message that had no Message-ID yet.
func (l *Ledger) WithoutID(address, recipient string) bool {
	return l.hasAddress(kindWithoutID, address, recipient) || l.hasAddress(kindWithoutID, address, anyone)
}

func (l *Ledger) hasText(k kind, address, id string) bool {
	h := l.hash.Load()
	id = trimID(id)
	if l.index.has(h.now.text(k, address, id)) {
		return true
	}
	for _, old := range h.old {
		if l.index.has(old.text(k, address, id)) {
			return true
		}
	}
	return false
}

func (l *Ledger) hasAddress(k kind, address, other string) bool {
	h := l.hash.Load()
	if l.index.has(h.now.address(k, address, other)) {
		return true
	}
	for _, old := range h.old {
		if l.index.has(old.address(k, address, other)) {
			return true
		}
	}
	return false
}
