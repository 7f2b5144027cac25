package policy

import (
	"net/netip"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/flood"
)

// Floods counts what nothing proves, and knows what is blocked; flood.Flood is
// one. Its answers take no time to speak of.
type Floods interface {
	Blocked(client netip.Addr, recipient string) (flood.Block, bool)
	BlockedSubject(client netip.Addr, s flood.Subject) (flood.Block, bool)
	Surge(client netip.Addr, recipient string) (flood.Kind, bool)
	Subject(decoded string) flood.Subject

	Unproven(client netip.Addr, recipient string)
	UnprovenSubject(client netip.Addr, s flood.Subject)
	Acquitted(client netip.Addr, recipient string)
	Proven(sender string)
}

// inFlood is what keeps a recipient's mail out: a block or a surge.
type inFlood struct {
	by    flood.Kind
	surge bool
}

// String is for the trail: "client-blocked", "domain-surge".
func (i inFlood) String() string {
	if i.surge {
		return i.by.String() + "-surge"
	}
	return i.by.String() + "-blocked"
}

// flooded: the client, the recipient or the subject is blocked, or there is a
// surge. Blocks and surges of clients and recipients are looked for at RCPT TO,
// blocks of subjects once that is known.
func (f *Facts) flooded() Answer {
	m := f.message
	floods := m.settings.floods
	if floods == nil || f.foreignTag() {
		return No
	}
	if f.stage == AtRcpt || m.settings.thorough {
		if f.flood.by == flood.None {
			f.flood = f.floodAtRcpt()
		}
		if f.flood.by != flood.None {
			return Yes
		}
	}
	if !m.headersSeen {
		return Later
	}
	if b, blocked := floods.BlockedSubject(m.countedClient(), m.countedSubject()); blocked {
		f.flood = inFlood{by: b.Kind}
		return Yes
	}
	return No
}

func (f *Facts) floodAtRcpt() inFlood {
	m := f.message
	client, recipient := m.countedClient(), f.bare()
	if b, blocked := m.settings.floods.Blocked(client, recipient); blocked {
		return inFlood{by: b.Kind}
	}
	if m.settings.Stage == config.StageEOM { // decided at the end, surge or not
		return inFlood{}
	}
	if kind, surge := m.settings.floods.Surge(client, recipient); surge {
		return inFlood{by: kind, surge: true}
	}
	return inFlood{}
}

// temper softens what a flood leads to by itself: in the surge of a whole domain
// nobody in particular has sent too much, so that all are only put off.
func (f *Facts) temper(set, action config.Action) config.Action {
	if set == config.ActionAuto && action == config.ActionReject && f.flood.surge && f.flood.by == flood.ByDomain {
		return config.ActionTempfail
	}
	return action
}

// countedClient is the client as floods know it: relays of ours bring everybody's
// mail and are no clients.
func (m *Message) countedClient() netip.Addr {
	if m.settings.config.InboundRelays.Contains(m.client.Addr) {
		return netip.Addr{}
	}
	return m.client.Addr
}

func (m *Message) countedSubject() flood.Subject {
	if !m.subjectRead {
		m.subjectRead = true
		m.subjectKey = m.settings.floods.Subject(classify.DecodeHeader(m.subject))
	}
	return m.subjectKey
}

// CountRecipient counts a recipient for floods, its verdict at RCPT TO given,
// where nothing proves that the message is about ours. One that is to come again
// in a transaction of its own is counted then.
func (m *Message) CountRecipient(f *Facts, v Verdict) {
	if m.settings == nil || m.settings.floods == nil || m.Kind != InboundNull || !f.Ours() || f.foreignTag() {
		return
	}
	switch v.Reason {
	case Exempt, TagValid, ManyRecipients:
		return
	}
	if f.Tag().Result == batv.Valid {
		return
	}
	f.counted = true
	m.settings.floods.Unproven(m.countedClient(), f.bare())
}

// CountMessage counts a message whose end has come: who was proven after all is
// taken back, and what was not is counted by its subject.
func (m *Message) CountMessage(recipients []*Facts) {
	if m.settings == nil || m.settings.floods == nil {
		return
	}
	unproven := false
	for _, f := range recipients {
		switch {
		case !f.Judged() || f.foreignTag():
		case f.Tag().Result == batv.Valid || f.originKnown && f.origin.Evidence.Proven():
			m.settings.floods.Proven(f.bare())
			m.acquit(f)
		case m.class == classify.Receipt, m.class == classify.Report, m.class == classify.Calendar:
			m.acquit(f)
		case !f.exemptEnvelope() && !m.exempt[f.domain()]:
			unproven = true
			if !f.counted { // a memo's
				m.settings.floods.Unproven(m.countedClient(), f.bare())
			}
		}
	}
	if unproven {
		m.settings.floods.UnprovenSubject(m.countedClient(), m.countedSubject())
	}
}

func (m *Message) acquit(f *Facts) {
	if f.counted {
		f.counted = false
		m.settings.floods.Acquitted(m.countedClient(), f.bare())
	}
}
