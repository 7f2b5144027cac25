package journal

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Entry is one decision.
type Entry struct {
	Seq      uint64        `json:"seq"` // given by the journal; the newest is the largest
	At       time.Time     `json:"time"`
	ID       string        `json:"id"`  // also in the X-Backscatter header and in the log
	QueueID  string        `json:"qid"` // "" where the MTA had none yet
	Client   netip.Addr    `json:"client"`
	From     string        `json:"from"`
	To       []string      `json:"to"`      // the first MaxTo
	MoreTo   int           `json:"more_to"` // recipients beyond those
	Stage    string        `json:"stage"`
	Action   string        `json:"action"` // what the policy asks for
	Reason   string        `json:"reason"`
	Class    string        `json:"class"`
	Origin   string        `json:"origin"`
	Evidence string        `json:"evidence"`
	Enforced bool          `json:"enforced"` // false: reported, not done
	Took     time.Duration `json:"took_ns"`
	// Skipped is how many decisions of the same client network and reason came
	// since the one before it that was kept, and were only counted.
	Skipped uint64 `json:"skipped"`
}

// Bounds of an entry.
const (
	MaxTo       = 20
	maxAddress  = 320 // octets, 64 + 1 + 255 (RFC 5321, section 4.5.3.1)
	maxEvidence = 1000
	maxWord     = 100
)

// Outcome is what became of the mail.
type Outcome string

// The outcomes.
const (
	Accepted Outcome = "accepted"
	Marked   Outcome = "marked"
	Spared   Outcome = "spared" // monitor mode: delivered, though the policy asks for more than a mark
	Held     Outcome = "held"   // quarantined or discarded
	Deferred Outcome = "deferred"
	Refused  Outcome = "refused"
)

// Outcomes lists them, the mildest first.
func Outcomes() []Outcome { return []Outcome{Accepted, Marked, Spared, Held, Deferred, Refused} }

// OutcomeOf tells what becomes of mail by an action, enforced or only reported.
func OutcomeOf(action string, enforced bool) Outcome {
	switch {
	case action == "accept" || action == "":
		return Accepted
	case action == "mark":
		return Marked
	case !enforced:
		return Spared
	case action == "reject":
		return Refused
	case action == "tempfail":
		return Deferred
	}
	return Held
}

// Outcome is what became of the mail.
func (e *Entry) Outcome() Outcome { return OutcomeOf(e.Action, e.Enforced) }

// Weight is how many decisions the entry stands for.
func (e *Entry) Weight() uint64 { return 1 + e.Skipped }

// Network is the network that a client is counted by: /24 for IPv4, /64 for
// IPv6, none where the client is not known.
func Network(client netip.Addr) netip.Prefix {
	client = client.Unmap().WithZone("")
	bits := 64
	if client.Is4() {
		bits = 24
	}
	p, err := client.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// shorten cuts what is too long, before it waits in the queue.
func (e *Entry) shorten() {
	if len(e.To) > MaxTo {
		e.MoreTo += len(e.To) - MaxTo
		e.To = append([]string(nil), e.To[:MaxTo]...)
	}
	for i := range e.To {
		e.To[i] = cut(e.To[i], maxAddress)
	}
	e.From = cut(e.From, maxAddress)
	e.Evidence = cut(e.Evidence, maxEvidence)
	for _, word := range e.words() {
		*word = cut(*word, maxWord)
	}
}

func (e *Entry) words() [7]*string {
	return [...]*string{&e.ID, &e.QueueID, &e.Stage, &e.Action, &e.Reason, &e.Class, &e.Origin}
}

// clean makes what is outside data fit to be shown.
func (e *Entry) clean() {
	for i := range e.To {
		e.To[i] = Visible(e.To[i])
	}
	e.From, e.Evidence = Visible(e.From), Visible(e.Evidence)
	for _, word := range e.words() {
		*word = Visible(*word)
	}
}

const ellipsis = "…"

// cut leaves at most limit octets, and a sign that there were more. The rest is
// not held on to.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.Clone(s[:limit-len(ellipsis)]) + ellipsis
}

// Visible writes characters that are not seen, or not alone, as in Go: "\u202e",
// "\x00". Octets that are no UTF-8 are written so, too.
func Visible(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[i])|0x100, 16)[1:])
		case unicode.IsPrint(r) && r != utf8.RuneError:
			b.WriteString(s[i : i+n])
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		i += n
	}
	return b.String()
}

func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// octets is about what the entry takes of memory.
func (e *Entry) octets() int {
	n := entrySize + len(e.From) + len(e.Evidence)
	for _, word := range e.words() {
		n += len(*word)
	}
	for _, to := range e.To {
		n += 16 + len(to)
	}
	return n
}

const entrySize = 300
