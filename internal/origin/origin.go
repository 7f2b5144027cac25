package origin

import (
	"context"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/internal/dkim"
)

// Evidence says how it is known whether the original is ours. The values stand
// in the log, in X-Backscatter and in metrics.
type Evidence string

// The kinds of evidence, the strongest first.
const (
	DKIM          Evidence = "dkim"          // the returned header is signed by a domain of ours
	Ledger        Evidence = "ledger"        // the recipient sent a message of that id
	Correspondent Evidence = "correspondent" // the recipient wrote to who reports, or to whom it is about
	Foreign       Evidence = "foreign"       // it would be in the ledger, had it been sent here
	Unknown       Evidence = "unknown"       // nothing proves either
)

// Proven reports whether the evidence shows that the original is ours.
func (e Evidence) Proven() bool { return e == DKIM || e == Ledger || e == Correspondent }

// Record is what the site has sent; ledger.Ledger is one. Answers are quick.
type Record interface {
	Sent(address, messageID string) bool
	Queued(address, queueID string) bool
	Wrote(address, correspondent string) bool
	WroteDomain(address, domain string) bool
	WithoutID(address, recipient string) bool
	Covers(domain string, t time.Time) bool
}

// Options say what a Finder knows.
type Options struct {
	Record Record
	// Keys gives DKIM keys; nil: signatures are not looked at.
	Keys dkim.KeySource
	// Ours reports whether a domain is this site's.
	Ours func(domain string) bool
	// Relays are host names that stand in Received fields of our mail. An
	// original that passed one is not called foreign.
	Relays []string
	// Lifetime is how old an original may be that DKIM proves.
	Lifetime time.Duration
}

// Finder finds out where originals are from. It is safe for concurrent use.
type Finder struct{ o Options }

// New makes a Finder.
func New(o Options) *Finder { return &Finder{o} }

// Question is what is known of a notification and one recipient of it.
type Question struct {
	Recipient string // address without its tag
	// Signable: mail of the recipient passes this site and would be signed.
	Signable  bool
	Reporters []string // addresses that the notification is from
	Message   *classify.Result
	Now       time.Time
	// All looks at every kind of evidence, where else the network is not asked
	// once something has spoken.
	All bool
}

// Finding is one thing that spoke, in plain words.
type Finding struct {
	Evidence Evidence
	Detail   string
}

// Answer is what was found out.
type Answer struct {
	Evidence Evidence  // what decides
	Spoke    []Finding // all that spoke for ours, the strongest first
	// Why says, where the original came back with an id and yet is not Foreign,
	// what kept it from being that; and where it is, when it is dated.
	Why string
	// Elsewhere: DKIM proves a message ours that the ledger should have and has
	// not, so mail of that domain also leaves by other ways. "" if not.
	Elsewhere string
}

// Ask answers a question. It waits for DNS at most two seconds, and only where
// the record was silent and a signature of ours came back.
func (f *Finder) Ask(ctx context.Context, q Question) Answer {
	var a Answer
	recorded := f.recorded(q)
	correspondent := f.correspondent(q)
	var signatures dkim.Result
	var signed Finding
	if recorded.Detail == "" && correspondent.Detail == "" || q.All {
		signatures, signed, a.Elsewhere = f.signed(ctx, q, recorded.Detail != "")
	}
	for _, finding := range []Finding{signed, recorded, correspondent} {
		if finding.Detail != "" {
			a.Spoke = append(a.Spoke, finding)
		}
	}
	if len(a.Spoke) > 0 {
		a.Evidence = a.Spoke[0].Evidence
		return a
	}
	a.Evidence, a.Why = f.foreign(q, signatures)
	return a
}

// maxIDs is how many ids of a notification are looked up.
const maxIDs = 100

// messageIDs lists the ids that the original may have, its own first. Of long
// References the ends count: what is answered stands last, what began it first.
func messageIDs(r *classify.Result) []string {
	var ids []string
	for _, list := range [][]string{{r.Original.MessageID}, r.OriginalMessageIDs, r.InReplyTo, ends(r.References)} {
		for _, id := range list {
			if id != "" && len(ids) < maxIDs {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

func ends(list []string) []string {
	const half = maxIDs / 4
	if len(list) <= 2*half {
		return list
	}
	return append(append([]string(nil), list[len(list)-half:]...), list[:half]...)
}

// recorded: the notification's recipient sent a message of that id, or one that
// the MTA gave an id made of its queue id.
func (f *Finder) recorded(q Question) Finding {
	for _, id := range messageIDs(q.Message) {
		if f.o.Record.Sent(q.Recipient, id) {
			return Finding{Ledger, "message-id " + id}
		}
		for _, word := range queueIDs(id) {
			if f.o.Record.Queued(q.Recipient, word) {
				return Finding{Ledger, "queue id " + word + " in " + id}
			}
		}
	}
	return Finding{}
}

// queueIDs lists the words of an id's local part that may be a queue id, as in
// <20261121100001.4TabcD77777@mail.example.com> of Postfix and
// <202611211000.5ALA01Bd012345@mail.example.com> of Sendmail.
func queueIDs(id string) []string {
	const shortest, longest, most = 8, 32, 8
	local, _, ok := strings.Cut(strings.Trim(id, "<>"), "@")
	if !ok {
		return nil
	}
	var words []string
	for word := range strings.SplitSeq(local, ".") {
		if len(word) >= shortest && len(word) <= longest && len(words) < most {
			words = append(words, word)
		}
	}
	return words
}

// correspondent: a notification that names no original is from, or about, an
// address that its recipient wrote to.
func (f *Finder) correspondent(q Question) Finding {
	if len(messageIDs(q.Message)) > 0 {
		return Finding{}
	}
	for _, address := range q.partners() {
		if f.o.Record.Wrote(q.Recipient, address) {
			return Finding{Correspondent, "the recipient wrote to an address that it names"}
		}
	}
	return Finding{}
}

// maxPartners is how many addresses of a notification are looked up.
const maxPartners = 50

// partners lists the addresses that the notification is from and about.
func (q Question) partners() []string {
	list := append([]string(nil), q.Reporters...)
	for _, r := range q.Message.Recipients {
		list = append(list, r.Final, r.Original)
	}
	var partners []string
	for _, address := range list {
		if strings.Contains(address, "@") && len(partners) < maxPartners {
			partners = append(partners, address)
		}
	}
	return partners
}
