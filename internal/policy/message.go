package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/flood"
	"github.com/backscatter-milter/backscatter-milter/internal/origin"
)

// Message is one transaction under judgement. It is not safe for concurrent
// use: a milter connection carries one transaction at a time.
type Message struct {
	Kind     Kind
	Sender   string
	settings *Settings
	client   Client
	now      time.Time

	fate        fate // of the recipients accepted so far
	accepted    bool // whether there is one
	judged      []*domain
	exempt      map[*domain]bool // those of judged for which a header field exempts the message
	headersSeen bool             // all header fields have been shown
	class       classify.Class   // "" until it is known
	result      *classify.Result // with the class
	signals     string           // what spoke for it
	signatures  origin.Signatures
	author      string        // address in its From field
	subject     string        // value of its Subject field
	subjectKey  flood.Subject // of subject, once read
	subjectRead bool
	listing     listing
	patience    patience

	unsignedDestination bool // a recipient must not see a signed reverse-path
	outgoing            outgoing
	outscatter          outscatter
}

// fate is what decides whether two recipients can share a transaction.
type fate struct {
	kind   fateKind
	domain *domain // whose policy a suspect is judged by
	strict strict  // what the absence of proof means for it
}

type fateKind uint8

// The kinds of fate.
const (
	left    fateKind = iota // not judged, or beyond the reach of any refusal
	proven                  // an accepting row holds for it
	suspect                 // a later stage may refuse it
)

// NewMessage begins a transaction: settings are those in force at MAIL FROM.
func NewMessage(s *Settings, e Envelope, now time.Time) Message {
	return Message{Kind: s.sort(e), Sender: e.Sender, settings: s, client: e.Client, now: now}
}

// Client is who brought the message.
func (m *Message) Client() Client { return m.client }

// maxKept is how long a field value may be that is kept, in octets: a peer may
// send a megabyte.
const maxKept = 8 << 10

// Header shows the message one header field, name and value as received. MTAs
// take off the blank before the value, or do not.
func (m *Message) Header(name, value string) {
	value = strings.TrimLeft(value, " \t")
	if m.Kind == OwnNotification {
		m.outscatter.header(name, value)
	}
	if m.Kind.Sends() {
		m.outgoing.header(name, value)
		return
	}
	if m.judgeable() {
		m.describe(name, value)
	}
	if !m.judgeable() || !m.settings.headers {
		return
	}
	for _, d := range m.judged {
		for _, e := range d.exempt {
			if e.Headers.Match(name, value) {
				if m.exempt == nil {
					m.exempt = make(map[*domain]bool)
				}
				m.exempt[d] = true
			}
		}
	}
}

// describe takes what the message says of itself. Of several fields of a name the
// first counts.
func (m *Message) describe(name, value string) {
	switch {
	case m.author == "" && len(value) <= maxKept && strings.EqualFold(name, "From"):
		m.author = fieldAddress(value)
	case m.subject == "" && strings.EqualFold(name, "Subject"):
		m.subject = strings.Clone(value[:min(len(value), maxKept)])
	}
}

// EndOfHeaders says that no header field will follow.
func (m *Message) EndOfHeaders() { m.headersSeen = true }

// Classified says what the message was found to be.
func (m *Message) Classified(r classify.Result) {
	m.class, m.result = r.Class, &r
	var seen []string
	for _, e := range r.Evidence {
		if !slices.Contains(seen, e.Signal) {
			seen = append(seen, e.Signal)
		}
	}
	m.signals = strings.Join(seen, ",")
}

// judgeable reports whether the message may be one that the policy judges: its
// sender is null, or it may turn out to be a notification with an ordinary one.
func (m *Message) judgeable() bool {
	return m.Kind == InboundNull || m.Kind == Ordinary && m.settings.memos
}

// memo reports whether the message has been found to be a notification with an
// ordinary sender. Those speak to the author as often as to the reverse-path.
func (m *Message) memo() bool {
	return m.Kind == Ordinary && m.settings.memos && m.class.IsNotification()
}

// NeedsClass reports whether what the message is may decide of the recipient,
// whose verdict at RCPT TO is given.
func (f *Facts) NeedsClass(v Verdict) bool {
	return f.message.judgeable() && f.Ours() && !v.Decided()
}

// Recipient begins the facts of one recipient, address as given in RCPT TO
// without its angle brackets.
func (m *Message) Recipient(address string) Facts {
	return Facts{message: m, Address: address}
}

// Accept notes that the recipient, whose verdict at RCPT TO is given, takes part
// in the transaction, and that a tag which came from outside and verified has
// proved its key. What will be needed to judge it, and takes time, is begun.
func (m *Message) Accept(f *Facts, v Verdict) {
	if f.NeedsClass(v) {
		m.lookUp()
	}
	if m.Kind.Untrusted() && f.Tag().Result == batv.Valid && !m.settings.site.Probing(f.Address) {
		m.settings.site.Prove(f.Tag().KeyID)
	}
	if m.Kind.Sends() {
		m.outgoing.recipient(f.Address)
	}
	if m.Kind == OwnNotification && m.outscatter.outside == "" && !f.Ours() {
		m.outscatter.outside = f.Address
	}
	if m.Kind == Outbound && anyMatch(m.settings.domainOf(m.Sender).unsignedDestinations, f.Address) {
		m.unsignedDestination = true
	}
	if d := f.domain(); m.settings.headers && m.judgeable() && f.Ours() && !slices.Contains(m.judged, d) {
		m.judged = append(m.judged, d)
	}
	if !m.accepted {
		m.accepted, m.fate = true, f.fate()
	}
}

// Untag returns the plain address to deliver to where the recipient carries
// a tag of ours, whatever it is worth, and whether there is one to take off.
// Tags of other sites are theirs to take off.
func (m *Message) Untag(f *Facts) (bare string, tagged bool) {
	if !f.Ours() {
		return "", false
	}
	bare = f.Tag().Bare()
	return bare, bare != ""
}

// Facts are what is known of one recipient: each found out when it is first
// asked for, and kept.
type Facts struct {
	Address string
	message *Message
	stage   Stage
	tag     batv.Verdict
	tagRead bool

	origin      origin.Answer
	originKnown bool
	flood       inFlood
	counted     bool // for floods
}

// Tag is what the recipient's BATV tag says.
func (f *Facts) Tag() batv.Verdict {
	if !f.tagRead {
		f.tagRead = true
		f.tag = f.message.settings.Tags.Verify(f.Address, f.message.now)
	}
	return f.tag
}

// Judged reports whether the policy has anything to say of the recipient: it
// is in a domain of ours, and the sender is null or the message a memo.
func (f *Facts) Judged() bool {
	return (f.message.Kind == InboundNull || f.message.memo()) && f.Ours()
}

// Ours reports whether the recipient is in a domain of ours, and hands are on.
func (f *Facts) Ours() bool {
	return f.message.Kind != HandsOff && f.message.settings.handled(f.Address)
}

// AsSigned reports whether the recipient bears a valid tag in the very form in
// which its domain's mail is signed: tags can be moved to the other form by
// anybody who has seen one.
func (f *Facts) AsSigned() bool {
	s := f.message.settings
	tag := f.Tag()
	if !f.Ours() || tag.Result != batv.Valid {
		return false
	}
	layout := s.Tags.Layout
	if f.domain().sign == config.SignAuto {
		layout = s.site.Layout(domainPart(f.Address))
	}
	if layout == batv.LayoutPRVS {
		return tag.Layout == layout
	}
	local := f.Address[:strings.LastIndexByte(f.Address, '@')]
	const tagged = len("prvs=KDDDSSSSSS")
	return tag.Layout == layout && len(local) > tagged && local[len(local)-tagged-1] == s.Tags.Delimiter
}

// domain is what holds for the recipient's domain.
func (f *Facts) domain() *domain { return f.message.settings.domainOf(f.Address) }

func (f *Facts) fate() fate {
	switch {
	case !f.Judged():
		return fate{kind: left}
	case f.exemptEnvelope() || f.tagValid() == Yes:
		return fate{kind: proven}
	case f.tagMissing() == No:
		return fate{kind: left}
	}
	return fate{kind: suspect, domain: f.domain(), strict: f.message.settings.strict(domainPart(f.Address))}
}
