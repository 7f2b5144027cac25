package milter

import (
	"time"

	"github.com/d--j/go-milter"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// maxRecipients bounds the recipients held of one transaction. MTAs stop far
// earlier.
const maxRecipients = 50_000

// transaction is what is held of one message from MAIL FROM to its end.
type transaction struct {
	server     *Server
	settings   *Settings      // the snapshot it is judged by; nil outside a transaction
	message    policy.Message // its zero value, hands off, outside one
	id         uint64
	recipients []*recipient
	brought    int // verdict headers that came with the message
	failed     bool
	sign       signing
	took       time.Duration
}

// recipient is one that the MTA has accepted, and that is tagged or has a null
// sender's message coming.
type recipient struct {
	facts   policy.Facts
	args    string // ESMTP parameters
	plain   string // address without our tag, "" where there was none
	verdict policy.Verdict
}

// signing is the outcome for an outbound reverse-path.
type signing struct {
	known   bool
	address string // the signed reverse-path, "" where it stays
}

func (t *transaction) begin(e policy.Envelope) {
	t.reset()
	t.settings = t.server.settings.Load()
	t.id = t.server.ids.next()
	t.message = policy.NewMessage(t.settings.Settings, e, t.server.now())
}

func (t *transaction) reset() {
	clear(t.recipients)
	*t = transaction{server: t.server, recipients: t.recipients[:0]}
	if cap(t.recipients) > 64 {
		t.recipients = nil
	}
}

// recipient judges one recipient and answers for it alone.
func (t *transaction) recipient(to, args, queueID string) *milter.Response {
	begun := t.server.now()
	r := &recipient{facts: t.message.Recipient(to), args: args}
	r.plain, _ = t.message.Untag(&r.facts)
	v := t.judgeRecipient(r)
	t.took += t.server.now().Sub(begun)
	if v.Refuses() {
		t.record(v, queueID, to)
		return t.settings.reply(v)
	}
	if v.Reason == policy.ManyRecipients { // reported, not done
		t.record(v, queueID, to)
		v = policy.Verdict{}
	}
	r.verdict = v
	t.message.Accept(&r.facts)
	return t.hold(r)
}

func (t *transaction) judgeRecipient(r *recipient) policy.Verdict {
	if t.failed {
		return policy.Failure(t.settings.Settings, policy.AtRcpt)
	}
	return policy.Judge(&r.facts, policy.AtRcpt)
}

// hold keeps a recipient that something will be done about later.
func (t *transaction) hold(r *recipient) *milter.Response {
	if t.message.Kind != policy.InboundNull && r.plain == "" {
		return milter.RespContinue
	}
	if len(t.recipients) == maxRecipients {
		return t.settings.tooMany
	}
	t.recipients = append(t.recipients, r)
	return milter.RespContinue
}

// data decides at DATA, where that has been negotiated.
func (t *transaction) data(m milter.Modifier) *milter.Response {
	if r := t.refusal(policy.AtData, m); r != nil {
		return r
	}
	return milter.RespContinue
}

// refusal judges the message as far as the stage allows and returns the reply
// that refuses it, or nil. Before the end of the message it refuses only when
// every recipient's fate is known.
func (t *transaction) refusal(stage policy.Stage, m milter.Modifier) *milter.Response {
	if t.message.Kind != policy.InboundNull || len(t.recipients) == 0 {
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
// recipient that is not judged counts as accepting.
func (t *transaction) verdict(stage policy.Stage) policy.Verdict {
	if t.failed {
		return policy.Failure(t.settings.Settings, stage)
	}
	verdicts := make([]policy.Verdict, len(t.recipients))
	for i, r := range t.recipients {
		if !r.verdict.Decided() {
			r.verdict = policy.Judge(&r.facts, stage)
		}
		verdicts[i] = r.verdict
	}
	v := policy.Combine(verdicts)
	v.Stage = stage
	return v
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
	return !t.tagged() && !t.dropsHeaders() && t.signed() == ""
}

func (t *transaction) dropsHeaders() bool {
	return t.brought > 0 && t.message.Kind.Untrusted()
}

// signed is the reverse-path to put in place of the sender's, "" for none. The
// reason for none is counted when it is found.
func (t *transaction) signed() string {
	if !t.sign.known {
		t.sign.known = true
		if t.message.Kind == policy.Outbound {
			var result string
			t.sign.address, result = t.message.Sign()
			if t.sign.address == "" {
				t.server.observer.Signed(result)
			}
		}
	}
	return t.sign.address
}

// deliver makes the changes that an accepted message needs.
func (t *transaction) deliver(m milter.Modifier) *milter.Response {
	begun := t.server.now()
	v := t.final()
	c := changes{m, t.server.observer}
	answer := milter.RespAccept
	if v.Effective() == config.ActionDiscard {
		answer = milter.RespDiscard
	} else {
		c.dropHeaders(t)
		c.untag(t)
		c.sign(t)
		c.mark(t, v)
	}
	t.took += t.server.now().Sub(begun)
	if v.Decided() {
		t.record(v, m.Get(milter.MacroQueueId), t.addresses()...)
	}
	return answer
}

// final is the verdict at the end of the message, none where nothing in it is
// judged.
func (t *transaction) final() policy.Verdict {
	if t.message.Kind != policy.InboundNull || len(t.recipients) == 0 {
		return policy.Verdict{}
	}
	return t.verdict(policy.AtEOM)
}

// fail answers a callback that has panicked, and has the rest of the
// transaction go by the reason "error".
func (t *transaction) fail(stage string) *milter.Response {
	t.failed = true
	if t.settings == nil {
		return milter.RespContinue
	}
	if v := policy.Failure(t.settings.Settings, policy.AtEOM); v.Refuses() {
		return t.settings.reply(v)
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

// addresses lists the recipients that are held, as they were given.
func (t *transaction) addresses() []string {
	to := make([]string, len(t.recipients))
	for i, r := range t.recipients {
		to[i] = r.facts.Address
	}
	return to
}
