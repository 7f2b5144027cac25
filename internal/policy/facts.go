package policy

import (
	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/classify"
)

// exempt: the client, the sender, the recipient or a header field is listed
// under [exempt].
func (f *Facts) exempt() Answer {
	m := f.message
	switch {
	case f.exemptEnvelope() || m.exempt[f.domain()]:
		return Yes
	case f.domain().headers && !m.headersSeen:
		return Later
	}
	return No
}

func (f *Facts) exemptEnvelope() bool {
	m := f.message
	for _, e := range f.domain().exempt {
		if e.Clients.Contains(m.client.Addr) || e.Senders.Match(m.Sender) ||
			e.Recipients.Match(f.Address) || e.Recipients.Match(f.bare()) {
			return true
		}
	}
	return false
}

// bare is the recipient's address without our tag.
func (f *Facts) bare() string {
	if bare := f.Tag().Bare(); bare != "" {
		return bare
	}
	return f.Address
}

// foreignTag: the recipient bears another site's tag, which is not ours to judge.
func (f *Facts) foreignTag() bool { return f.Tag().Result == batv.Foreign }

func (f *Facts) tagValid() Answer { return answer(f.Tag().Result == batv.Valid) }

// tagForged: the signature is wrong, and the key whose number it bears has
// verified a tag that came home before. Without that the keys of two hosts
// may differ by mistake, and the recipient counts as untagged.
func (f *Facts) tagForged() Answer {
	return answer(f.Tag().Result == batv.Forged && f.message.settings.site.Proven(f.tag.KeyID))
}

// neverSends: an address that never writes gets no bounces but forged ones.
func (f *Facts) neverSends() Answer {
	return answer(anyMatch(f.domain().neverSends, f.bare()))
}

// differs: the transaction has a recipient whose fate is not this one's.
func (f *Facts) differs() Answer {
	m := f.message
	return answer(f.stage == AtRcpt && m.accepted && m.fate != f.fate())
}

// tagMissing: there is no tag where one would have been, had we sent the
// original of this bounce. An address that is never signed cannot miss its tag,
// and tags of other sites are not judged. Where the stage setting has the
// decision made before the message is seen, whatever has a null sender counts
// as a bounce.
func (f *Facts) tagMissing() Answer {
	m := f.message
	switch {
	case f.Tag().Result == batv.Valid, f.foreignTag(), m.settings.unsigned(f.bare()) != "":
		return No
	case m.class != "":
		return answer((m.class == classify.DSN || m.class == classify.Bounce) && !f.aboutUnsigned())
	case m.settings.blind(f.stage):
		return Yes
	}
	return Later
}

// unproven: a null sender of which no row above knew more.
func (f *Facts) unproven() Answer {
	if f.message.class == "" {
		return Later
	}
	return answer(!f.foreignTag())
}

// aboutUnsigned: the original went to a recipient whose mail is never signed.
func (f *Facts) aboutUnsigned() bool {
	if f.message.result == nil {
		return false
	}
	for _, r := range f.message.result.Recipients {
		for _, about := range [...]string{r.Final, r.Original} {
			if about != "" && anyMatch(f.domain().unsignedDestinations, about) {
				return true
			}
		}
	}
	return false
}

// asked is is, for what may be refused because nothing proves that we sent what
// it is about: where we would not have signed that, nothing could.
func (f *Facts) asked(class classify.Class) Answer {
	if f.foreignTag() || f.message.settings.unsigned(f.bare()) != "" || f.aboutUnsigned() {
		return No
	}
	return f.is(class)
}

// is: the message is of that class, which is known at the end of headers or of
// the message.
func (f *Facts) is(class classify.Class) Answer {
	if f.message.class == "" {
		return Later
	}
	return answer(f.message.class == class)
}

func (f *Facts) receipt() Answer     { return f.is(classify.Receipt) }
func (f *Facts) report() Answer      { return f.is(classify.Report) }
func (f *Facts) calendar() Answer    { return f.is(classify.Calendar) }
func (f *Facts) challenge() Answer   { return f.asked(classify.Challenge) }
func (f *Facts) virusNotice() Answer { return f.asked(classify.VirusNotice) }
func (f *Facts) autoReply() Answer   { return f.is(classify.AutoReply) }
