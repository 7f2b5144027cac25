package policy

import (
	"context"
	"slices"
	"strings"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/internal/origin"
)

// Origins finds out whether originals of notifications are ours; origin.Finder
// is one. An answer takes two seconds at the most.
type Origins interface {
	Ask(ctx context.Context, q origin.Question) origin.Answer
}

// OriginTag is the evidence of a valid tag, which comes before any other.
const OriginTag origin.Evidence = "tag"

// Origin is what is known of where the original is from.
func (f *Facts) Origin() origin.Answer {
	switch m := f.message; {
	case f.originKnown:
	case f.Tag().Result == batv.Valid:
		return origin.Answer{Evidence: OriginTag}
	case m.result == nil || m.settings.origins == nil:
		return origin.Answer{Evidence: origin.Unknown}
	default:
		f.originKnown = true
		f.origin = m.settings.origins.Ask(m.waiting(), origin.Question{
			Recipient: f.bare(), Signable: m.settings.unsigned(f.bare()) == "",
			Reporters: m.reporters(), Message: m.result, Signatures: &m.signatures, Now: m.now, All: m.settings.thorough,
		})
	}
	return f.origin
}

// reporters lists the addresses that the message says it is from.
func (m *Message) reporters() []string {
	var list []string
	for _, address := range []string{m.Sender, m.author} {
		if address != "" && !slices.Contains(list, address) {
			list = append(list, address)
		}
	}
	return list
}

// originProven: the original is shown to be ours by something else than a tag.
// What it says of itself is all known at the end of the message.
func (f *Facts) originProven() Answer {
	if f.message.class == "" || f.stage < AtEOM {
		return Later
	}
	if f.foreignTag() {
		return No
	}
	switch evidence := f.Origin().Evidence; {
	case evidence == origin.Correspondent && !f.message.class.IsNotification():
		return No // whom a letter claims to be from, anybody can write
	default:
		return answer(evidence.Proven())
	}
}

// originForeign: it is a report on an original that is shown not to be ours.
func (f *Facts) originForeign() Answer {
	switch f.message.class {
	case "":
		return Later
	case classify.DSN, classify.Bounce, classify.Challenge, classify.VirusNotice:
	default:
		return No
	}
	switch {
	case f.foreignTag():
		return No
	case f.stage < AtEOM:
		return Later
	}
	return answer(f.Origin().Evidence == origin.Foreign)
}

// describeOrigin tells what spoke, or why nothing did: never an address or an id.
func describeOrigin(a origin.Answer) string {
	if len(a.Spoke) == 0 {
		if a.Why == "" {
			return string(a.Evidence)
		}
		return string(a.Evidence) + "(" + a.Why + ")"
	}
	var spoke []string
	for _, s := range a.Spoke {
		spoke = append(spoke, string(s.Evidence))
	}
	return strings.Join(spoke, ",")
}
