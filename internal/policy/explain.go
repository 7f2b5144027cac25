package policy

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/flood"
	"github.com/backscatter-milter/backscatter-milter/internal/origin"
)

// Explanation is all that is found out about one message, and what it leads to.
// It is what commands print, and its JSON form.
type Explanation struct {
	Client     string            `json:"client"` // address, "" where unknown
	Sender     string            `json:"sender"` // reverse-path, "" for the null sender
	Kind       string            `json:"kind"`
	Class      classify.Class    `json:"class"`
	Action     classify.Action   `json:"action"` // of a dsn or bounce
	Evidence   []ExplainedSignal `json:"evidence"`
	Original   ExplainedOriginal `json:"original"`
	Listing    string            `json:"listing"` // what DNS lists say of the client, "" where they are not asked
	Recipients []Explained       `json:"recipients"`
	Verdict    ExplainedVerdict  `json:"verdict"` // on the message as a whole
}

// ExplainedSignal is one thing that spoke for the class.
type ExplainedSignal struct {
	Signal string `json:"signal"`
	Value  string `json:"value"`
}

// ExplainedOriginal is what the message says of the one it is about.
type ExplainedOriginal struct {
	Extent    classify.Extent `json:"extent"`
	Where     string          `json:"where"`
	MessageID string          `json:"message_id"`
	From      string          `json:"from"`
	Date      string          `json:"date"`
	Subject   string          `json:"subject"`
}

// Explained is one recipient: what was found out, and every row of the policy.
type Explained struct {
	Address  string           `json:"address"`
	Ours     bool             `json:"ours"`             // in a domain of this site, and hands are on
	Judged   bool             `json:"judged"`           // else Rows is empty
	Strict   bool             `json:"strict"`           // a missing tag means something for its domain
	ByRecord bool             `json:"strict_by_record"` // and so does absence from the record of sent mail
	Tag      string           `json:"tag"`              // "valid key=3 days-left=7"
	Origin   ExplainedOrigin  `json:"origin"`
	Flood    string           `json:"flood"` // "client-blocked", "domain-surge"; "" for none
	Rows     []ExplainedRow   `json:"rows"`
	Verdict  ExplainedVerdict `json:"verdict"`
}

// ExplainedOrigin is what is known of where the original is from.
type ExplainedOrigin struct {
	Evidence origin.Evidence    `json:"evidence"`
	Spoke    []ExplainedFinding `json:"spoke"` // for ours
	Why      string             `json:"why"`   // it is foreign, or not
}

// ExplainedFinding is one thing that spoke for ours.
type ExplainedFinding struct {
	Evidence origin.Evidence `json:"evidence"`
	Detail   string          `json:"detail"`
}

// ExplainedRow is one reason put to a recipient.
type ExplainedRow struct {
	Reason  Reason        `json:"reason"`
	Applies bool          `json:"applies"`
	Action  config.Action `json:"action"` // what it leads to, "auto" resolved; "" where it does not apply
	Decides bool          `json:"decides"`
}

// ExplainedVerdict is what becomes of a recipient or message. Reason is empty
// where nothing is judged.
type ExplainedVerdict struct {
	Stage    string        `json:"stage"`
	Action   config.Action `json:"action"`
	Reason   Reason        `json:"reason"`
	Enforced bool          `json:"enforced"`
	Reply    string        `json:"reply"`  // to the client, where it is refused
	Header   string        `json:"header"` // value of X-Backscatter but for its id, where it is not
}

// ExplainOptions say how to look at a message.
type ExplainOptions struct {
	Now       time.Time // when it is judged
	Strict    bool      // as if the absence of proof meant something for every domain
	WithLists bool      // DNS lists are asked
}

// Explain judges a message as it would be judged in a transaction with that
// envelope, and tells everything that was found out. It changes nothing: no key
// is proven by it and nothing is counted.
func Explain(s *Settings, e Envelope, to []string, message []byte, o ExplainOptions) Explanation {
	s = s.watching(o)
	m := NewMessage(s, e, o.Now)
	defer m.End()
	x := Explanation{Sender: e.Sender, Kind: m.Kind.String(), Client: clientName(e.Client.Addr)}
	all := m.address(to)
	if s.Stage == config.StageData {
		all.judge(AtData)
	}
	m.read(message, to, &x, func() { all.judge(AtEOH) })
	all.judge(AtEOM)
	left := all.explain(&x)
	if m.listing.spoke() {
		x.Listing = m.listing.describe()
	}
	if len(left) > 0 {
		x.Verdict = Combine(left).explain(s)
	} else if len(all) > 0 {
		x.Verdict = all[0].verdict.explain(s)
	}
	return x
}

// addressed is a recipient on the way through the stages.
type addressed struct {
	facts   Facts
	verdict Verdict
	many    Verdict // many-recipients, where it is not enforced: the verdict goes on to be found
	gone    bool    // refused at RCPT, or would be
}

type addressees []addressed

// address judges the recipients at RCPT.
func (m *Message) address(to []string) addressees {
	all := make(addressees, len(to))
	for i, address := range to {
		r := &all[i]
		r.facts = m.Recipient(address)
		r.verdict = Judge(&r.facts, AtRcpt)
		if r.verdict.Reason == ManyRecipients && !r.verdict.Enforced {
			r.many, r.verdict = r.verdict, Verdict{}
		}
		r.gone = r.verdict.WouldRefuse()
		if !r.gone {
			m.Accept(&r.facts, r.verdict)
		}
	}
	return all
}

// judge judges those who are not yet decided about.
func (all addressees) judge(stage Stage) {
	for i := range all {
		if r := &all[i]; !r.verdict.Decided() {
			r.verdict = Judge(&r.facts, stage)
		}
	}
}

// explain tells of each, and gives the verdicts on those whom the message would
// come for.
func (all addressees) explain(x *Explanation) (left []Verdict) {
	for i := range all {
		r := &all[i]
		if !r.gone {
			left = append(left, r.verdict)
		}
		v := r.verdict
		if r.many.Decided() {
			v = r.many
		}
		x.Recipients = append(x.Recipients, r.facts.explain(v))
	}
	return left
}

// watching is s without any effect on what is known of the site.
func (s *Settings) watching(o ExplainOptions) *Settings {
	own := *s
	own.site, own.thorough = onlooker{s.site, o.Strict}, true
	if !o.WithLists {
		own.lists = nil
	}
	return &own
}

// onlooker is a Site that learns nothing.
type onlooker struct {
	Site
	strict bool
}

func (onlooker) Prove(batv.KeyID)            {}
func (o onlooker) Strict(domain string) bool { return o.strict || o.Site.Strict(domain) }
func (o onlooker) StrictByRecord(domain string) bool {
	return o.strict || o.Site.StrictByRecord(domain)
}

func clientName(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// read shows the message to the policy and to the classifier, which may know its
// class before what is done at the end of the header.
func (m *Message) read(message []byte, to []string, x *Explanation, endOfHeaders func()) {
	o := m.settings.Classifying()
	o.Envelope = &classify.Envelope{Sender: m.Sender, Recipients: to}
	head := classify.New(o)
	for name, value := range classify.HeaderFields(message) {
		m.Header(name, value)
		head.Header(name, value)
	}
	m.EndOfHeaders()
	r, _ := classify.Classify(bytes.NewReader(message), o) // reading octets at hand does not fail
	early := head.EndOfHeaders() == classify.CannotBe
	if early && m.judgeable() {
		m.Classified(r)
	}
	endOfHeaders()
	if !early && m.judgeable() {
		m.Classified(r)
	}
	x.Class, x.Action, x.Evidence = r.Class, r.Action, []ExplainedSignal{}
	for _, e := range r.Evidence {
		x.Evidence = append(x.Evidence, ExplainedSignal(e))
	}
	x.Original = ExplainedOriginal{
		Extent: r.Original.Extent, Where: r.Original.Where, MessageID: r.Original.MessageID,
		From: r.Original.From, Date: r.Original.Date, Subject: r.Original.Subject,
	}
}

// explain puts every row to the recipient, whose verdict is given.
func (f *Facts) explain(v Verdict) Explained {
	strict := f.message.settings.strict(domainPart(f.Address))
	x := Explained{
		Address: f.Address, Ours: f.Ours(), Judged: f.Judged(), Strict: strict.bySigning, ByRecord: strict.byRecord,
		Tag: describeTag(f.Tag()), Rows: []ExplainedRow{}, Verdict: v.explain(f.message.settings),
	}
	x.Origin.Spoke = []ExplainedFinding{}
	if !x.Judged {
		return x
	}
	f.stage = AtEOM
	for st := range f.steps(AtEOM) {
		row := ExplainedRow{Reason: st.row.reason, Applies: st.answer == Yes, Action: st.action}
		if row.Reason == v.Reason { // many-recipients applies only while others come, too
			row.Applies, row.Decides, row.Action = true, true, v.Action
		}
		x.Rows = append(x.Rows, row)
	}
	if f.flood.by != flood.None {
		x.Flood = f.flood.String()
	}
	a := f.Origin()
	x.Origin.Evidence, x.Origin.Why = a.Evidence, a.Why
	for _, s := range a.Spoke {
		x.Origin.Spoke = append(x.Origin.Spoke, ExplainedFinding(s))
	}
	return x
}

func (v Verdict) explain(s *Settings) ExplainedVerdict {
	if !v.Decided() {
		return ExplainedVerdict{}
	}
	x := ExplainedVerdict{Stage: v.Stage.String(), Action: v.Action, Reason: v.Reason, Enforced: v.Enforced}
	switch {
	case v.Refuses():
		x.Reply = ReplyTo(v.Reason, v.Effective(), s.ExplainURL()).String()
	case v.Effective() != config.ActionDiscard:
		x.Header = v.header()
	}
	return x
}
