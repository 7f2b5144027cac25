package origin

import (
	"context"
	"slices"
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
	Record Record // nil: nothing is on record
	// Keys gives DKIM keys; nil: signatures prove nothing, yet a message that
	// bears one of ours is not called foreign.
	Keys dkim.KeySource
	// Ours reports whether a domain is this site's; nil: none is.
	Ours func(domain string) bool
	// An original that passed a host of ours is not called foreign: one that is
	// named so in a domain of ours, or Host, which is this one, where a Received
	// field says that it took the message; and one of Relays wherever it is named.
	Host   string
	Relays []string
	// Lifetime is how old an original may be that DKIM proves.
	Lifetime time.Duration
}

// Finder finds out where originals are from. It is safe for concurrent use.
type Finder struct{ o Options }

// New makes a Finder.
func New(o Options) *Finder {
	if o.Record == nil {
		o.Record = silent{}
	}
	if o.Keys == nil {
		o.Keys = noKeys{}
	}
	if o.Ours == nil {
		o.Ours = func(string) bool { return false }
	}
	if anybodys(o.Host) {
		o.Host = ""
	}
	o.Relays = slices.DeleteFunc(slices.Clone(o.Relays), anybodys)
	return &Finder{o}
}

// anybodys reports whether a host name is one that every host may go by.
func anybodys(host string) bool {
	host = strings.ToLower(host)
	return host == "" || host == "localhost" || strings.HasPrefix(host, "localhost.")
}

// silent is the Record of a site that keeps none.
type silent struct{}

func (silent) Sent(string, string) bool        { return false }
func (silent) Queued(string, string) bool      { return false }
func (silent) Wrote(string, string) bool       { return false }
func (silent) WroteDomain(string, string) bool { return false }
func (silent) WithoutID(string, string) bool   { return false }
func (silent) Covers(string, time.Time) bool   { return false }

// Question is what is known of a notification and one recipient of it.
type Question struct {
	Recipient string // address without its tag
	// Signable: mail of the recipient passes this site and would be signed.
	Signable  bool
	Reporters []string // addresses that the notification is from
	Message   *classify.Result
	// Signatures keeps what those of the message are worth for its next recipient;
	// nil: each is asked for by itself.
	Signatures *Signatures
	Now        time.Time
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
	if q.Message == nil {
		return Answer{Evidence: Unknown}
	}
	var a Answer
	var s signed
	recorded := f.recorded(q)
	correspondent := f.correspondent(q)
	if recorded.Detail == "" && correspondent.Detail == "" || q.All {
		s = f.signed(ctx, q)
	}
	if recorded.Detail == "" {
		a.Elsewhere = s.elsewhere
	}
	for _, finding := range []Finding{s.Finding, recorded, correspondent} {
		if finding.Detail != "" {
			a.Spoke = append(a.Spoke, finding)
		}
	}
	// What All adds changes nothing: the network would not have been asked.
	for _, finding := range []Finding{recorded, correspondent, s.Finding} {
		if finding.Detail != "" {
			a.Evidence = finding.Evidence
			return a
		}
	}
	a.Evidence, a.Why = f.foreign(q, s.claimed)
	return a
}
