package milter

import (
	"errors"
	"time"

	"github.com/d--j/go-milter"

	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// What is held of one transaction at the most. MTAs stop far earlier.
const (
	maxHeld    = 8 << 20 // octets of recipients
	maxBrought = 2000    // verdict headers that are removed; an MTA looks for each in all that it has, so that the time grows with the square
)

// transaction is what is held of one message from MAIL FROM to its end.
type transaction struct {
	server     *Server
	settings   *Settings      // the snapshot it is judged by; nil outside a transaction
	message    policy.Message // its zero value, hands off, outside one
	id         uint64
	recipients []*recipient
	held       int               // octets of recipients
	others     bool              // it has recipients who are not held, since nothing is judged or changed for them
	brought    int               // verdict headers that came with the message
	undecided  bool              // what the message is may decide of a recipient
	scanner    *classify.Scanner // reads it then; nil before the first header field and once the class is known
	classDone  bool
	content    bool // more has come than the envelope, or is announced
	failed     bool
	changing   bool // changes have been begun and not all been made
	sign       signing
	took       time.Duration
}

// recipient is one that the MTA has accepted, and that is ours or has a null
// sender's message coming.
type recipient struct {
	facts    policy.Facts
	args     string // ESMTP parameters
	plain    string // address without our tag, "" where there was none
	resolved string // what the MTA has made of the address, "" where it does not say
	verdict  policy.Verdict
	reported bool // the verdict is a refusal that was reported and not enforced
}

var errTooMany = errors.New("too many recipients in one transaction")

func (r *recipient) size() int {
	const overhead = 512 // of the struct and the verdict, generously
	return overhead + len(r.facts.Address) + len(r.args) + len(r.plain) + len(r.resolved)
}

// signing is the outcome for an outbound reverse-path.
type signing struct {
	known   bool
	address string // the signed reverse-path, "" where it stays
	sent    policy.Sent
}

func (t *transaction) begin(e policy.Envelope) {
	t.reset()
	t.settings = t.server.settings.Load()
	t.id = t.server.ids.next()
	t.message = policy.NewMessage(t.settings.Settings, e, t.server.now())
}

func (t *transaction) reset() {
	t.message.End()
	clear(t.recipients)
	*t = transaction{server: t.server, recipients: t.recipients[:0]}
	if cap(t.recipients) > 64 {
		t.recipients = nil
	}
}

// recipient judges one recipient and answers for it alone. A refusal that is
// not enforced is reported, and leaves no trace in the fates of the others.
func (t *transaction) recipient(to, args, resolved, queueID string) *milter.Response {
	begun := t.server.now()
	r := &recipient{facts: t.message.Recipient(to), args: args, resolved: resolved}
	r.plain, _ = t.message.Untag(&r.facts)
	v := t.judgeRecipient(r)
	t.message.CountRecipient(&r.facts, v)
	t.took += t.server.now().Sub(begun)
	if v.WouldRefuse() {
		t.record(v, queueID, to)
		if v.Enforced {
			return t.settings.reply(v)
		}
		r.reported = v.Reason != policy.ManyRecipients
	}
	if v.Reason != policy.ManyRecipients {
		r.verdict = v
	}
	t.undecided = t.undecided || r.facts.NeedsClass(r.verdict)
	if !r.reported {
		t.message.Accept(&r.facts, r.verdict)
	}
	if t.message.Kind.Untrusted() {
		t.server.observer.Accepted(to)
	}
	return t.hold(r)
}

func (t *transaction) judgeRecipient(r *recipient) policy.Verdict {
	if t.failed {
		return t.message.Failure(policy.AtRcpt)
	}
	return policy.Judge(&r.facts, policy.AtRcpt)
}

// hold keeps a recipient that something will be done about later. Local mail
// cannot be told to come in pieces: what is too much of it keeps its tags.
func (t *transaction) hold(r *recipient) *milter.Response {
	if t.message.Kind != policy.InboundNull && !r.facts.Ours() {
		t.others = true
		return milter.RespContinue
	}
	if t.held += r.size(); t.held > maxHeld {
		t.server.observer.Failed("hold recipient", errTooMany)
		if t.message.Client().Local {
			return milter.RespContinue
		}
		return t.settings.tooMany
	}
	t.recipients = append(t.recipients, r)
	return milter.RespContinue
}

// unknown notes a recipient that the MTA does not know: if it is an address as
// we sign it, the MTA does not know its users by their tagged addresses.
func (t *transaction) unknown(to string) {
	f := t.message.Recipient(to)
	switch {
	case t.message.Kind != policy.InboundNull:
	case f.AsSigned():
		t.server.observer.TagRefused(to)
	default:
		t.message.CountRecipient(&f, policy.Verdict{})
	}
}

// classifies reports whether the message is to be read, and has the scanner
// ready then.
func (t *transaction) classifies() bool {
	if !t.undecided || t.classDone || t.failed {
		return false
	}
	if t.scanner == nil {
		o := t.settings.Classifying()
		o.Envelope = &classify.Envelope{Sender: t.message.Sender, Recipients: t.addresses()}
		t.scanner = classify.New(o)
	}
	return true
}

// classified takes the class of the message, which what has been read of it
// tells.
func (t *transaction) classified() {
	r := t.scanner.Close()
	t.scanner, t.classDone = nil, true
	t.message.Classified(r)
	t.server.observer.Classified(string(r.Class))
}

// data decides at DATA, where that has been negotiated.
func (t *transaction) data(m milter.Modifier) *milter.Response {
	t.content = true
	if r := t.refusal(policy.AtData, m); r != nil {
		return r
	}
	return milter.RespContinue
}

// refusal judges the message as far as the stage allows and returns the reply
// that refuses it, or nil. Before the end of the message it refuses only when
// every recipient's fate is known.
func (t *transaction) refusal(stage policy.Stage, m milter.Modifier) *milter.Response {
	if !t.message.Kind.Untrusted() || len(t.recipients) == 0 {
		return nil
	}
	begun := t.server.now()
	v := t.verdict(stage)
	t.took += t.server.now().Sub(begun)
	if !v.Refuses() {
		return nil
	}
	t.record(v, m.Get(milter.MacroQueueId), t.addresses()...)
	return t.settings.reply(v)
}

// verdict joins the recipients' verdicts, judging those that had none yet. A
// recipient that is not judged counts as accepting; one that would not be here
// were refusals enforced does not count.
func (t *transaction) verdict(stage policy.Stage) policy.Verdict {
	if t.failed {
		return t.message.Failure(stage)
	}
	verdicts := make([]policy.Verdict, 0, len(t.recipients)+1)
	if t.others {
		verdicts = append(verdicts, policy.Verdict{})
	}
	for _, r := range t.recipients {
		if !r.verdict.Decided() {
			r.verdict = policy.Judge(&r.facts, stage)
		}
		if !r.reported {
			verdicts = append(verdicts, r.verdict)
		}
	}
	v := policy.Combine(verdicts)
	v.Stage = stage
	return v
}

// reported is the verdict to mark a message with that would have come for
// nobody, had refusals been enforced: it has been recorded already.
func (t *transaction) reported() policy.Verdict {
	for _, r := range t.recipients {
		if !r.reported {
			return policy.Verdict{}
		}
	}
	return t.recipients[0].verdict
}

// tagged reports whether there is a tag to take off.
func (t *transaction) tagged() bool {
	for _, r := range t.recipients {
		if r.plain != "" {
			return true
		}
	}
	return false
}

// untouched reports whether the message needs no change and no verdict.
func (t *transaction) untouched() bool {
	for _, r := range t.recipients {
		if r.facts.Judged() {
			return false
		}
	}
	return !t.classifies() && !t.tagged() && !t.dropsHeaders() && t.signed() == ""
}

func (t *transaction) dropsHeaders() bool {
	return t.brought > 0 && t.message.Kind.Untrusted()
}

// signed is the reverse-path to put in place of the sender's, "" for none.
func (t *transaction) signed() string {
	if !t.sign.known {
		t.sign.known = true
		t.sign.address, t.sign.sent = t.message.Sign()
	}
	return t.sign.address
}

// let tells of a message that is let go.
func (t *transaction) let(m milter.Modifier) {
	if t.message.Kind.Sends() {
		t.signed()
		t.server.observer.Sent(t.message.Sent(t.sign.sent, m.Get(milter.MacroQueueId)))
	}
}

// deliver makes the changes that an accepted message needs.
func (t *transaction) deliver(m milter.Modifier) *milter.Response {
	begun := t.server.now()
	v, fresh := t.final()
	answer := milter.RespAccept
	if v.Effective() == config.ActionDiscard {
		answer = milter.RespDiscard
	} else if !t.change(m, v) {
		answer = milter.RespTempFail
	} else {
		t.let(m)
	}
	t.took += t.server.now().Sub(begun)
	if fresh {
		t.record(v, m.Get(milter.MacroQueueId), t.addresses()...)
	}
	return answer
}

// change makes all changes of the message, and reports whether it can be
// delivered as it is then.
func (t *transaction) change(m milter.Modifier, v policy.Verdict) bool {
	c := changes{m, t.server.observer}
	t.changing = true
	c.dropHeaders(t)
	whole := c.untag(t)
	c.sign(t)
	c.mark(t, v)
	t.changing = !whole
	return whole
}

// final is the verdict at the end of the message, none where nothing in it is
// judged, and whether it is still to be recorded.
func (t *transaction) final() (v policy.Verdict, fresh bool) {
	if !t.message.Kind.Untrusted() || len(t.recipients) == 0 {
		return policy.Verdict{}, false
	}
	if v := t.reported(); v.Decided() {
		return v, false
	}
	v = t.verdict(policy.AtEOM)
	return v, v.Decided()
}

// fail answers a callback that has panicked, and has the rest of the
// transaction go by the reason "error". A message of which some changes have
// been made and others not must come again.
func (t *transaction) fail(stage string) *milter.Response {
	t.failed = true
	if t.changing {
		return milter.RespTempFail
	}
	if t.settings != nil {
		if v := t.message.Failure(policy.AtEOM); v.Refuses() {
			return t.settings.reply(v)
		}
	}
	if stage == "eom" {
		return milter.RespAccept
	}
	return milter.RespContinue
}

func (t *transaction) record(v policy.Verdict, queueID string, to ...string) {
	t.server.observer.Verdict(policy.Record{
		ID: t.server.ids.format(t.id), QueueID: queueID,
		Client: t.message.Client().Addr, From: t.message.Sender, To: to,
		Verdict: v, Took: t.took,
	})
}

// count counts a message that has come to its end.
func (t *transaction) count() {
	if !t.message.Kind.Untrusted() || len(t.recipients) == 0 || t.failed {
		return
	}
	facts := make([]*policy.Facts, len(t.recipients))
	for i, r := range t.recipients {
		facts[i] = &r.facts
	}
	t.message.CountMessage(facts)
}

// addresses lists the recipients that are held, as they were given.
func (t *transaction) addresses() []string {
	to := make([]string, len(t.recipients))
	for i, r := range t.recipients {
		to[i] = r.facts.Address
	}
	return to
}
