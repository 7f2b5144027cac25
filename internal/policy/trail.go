package policy

import (
	"cmp"
	"strconv"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/internal/flood"
	"github.com/backscatter-milter/backscatter-milter/internal/origin"
)

// HeaderName is the field that tells this site's users and filters of a
// verdict. Fields of that name that an untrusted client brings are removed.
const HeaderName = "X-Backscatter"

// HeaderUnknown is the value of one that tells nothing, above such as came with
// the message and could not all be removed.
const HeaderUnknown = "none; what follows came with the message"

// Header gives the field's value: short, and never an address.
func (v Verdict) Header(id string) string { return v.header() + "; id=" + id }

// header is the field's value without the decision id.
func (v Verdict) header() string {
	return string(v.Effective()) + "; reason=" + string(v.Reason) + "; class=" + v.Class() + "; origin=" + v.Origin()
}

// Class is what the message was found to be, "unknown" where it was decided
// before that was known.
func (v Verdict) Class() string { return string(cmp.Or(v.class, "unknown")) }

// Origin names the evidence that the original is ours, "unknown" where there is
// none or it was decided before that was asked.
func (v Verdict) Origin() string { return string(cmp.Or(v.evidence, origin.Unknown)) }

// evidence is what is known so far of where the original is from, "" if nothing.
func (f *Facts) evidence() origin.Evidence {
	if f.Tag().Result == batv.Valid {
		return OriginTag
	}
	return f.origin.Evidence
}

// Elsewhere tells, with the domain, what shows that its mail also leaves by other
// ways; "" where nothing does.
func (v Verdict) Elsewhere() (domain, what string) {
	f := v.shows
	if f == nil {
		f = v.Facts
	}
	if !f.showsElsewhere() {
		return "", ""
	}
	return domainPart(f.Address), f.origin.Elsewhere
}

func (f *Facts) showsElsewhere() bool {
	return f != nil && f.originKnown && f.origin.Elsewhere != ""
}

// Evidence is the human trail: what was found, in the words of the log.
func (v Verdict) Evidence() string {
	if v.Facts == nil {
		return ""
	}
	e := "tag=" + describeTag(v.Facts.Tag())
	m := v.Facts.message
	if m.signals != "" {
		e += " class=" + m.signals
	}
	if v.Facts.flood.by != flood.None {
		e += " flood=" + v.Facts.flood.String()
	}
	if v.Facts.originKnown {
		e += " origin=" + describeOrigin(v.Facts.origin)
	}
	if m.listing.spoke() {
		e += " lists=" + m.listing.describe()
	}
	return e
}

// describeTag tells what a tag is worth, and why.
func describeTag(tag batv.Verdict) string {
	e := tag.Result.String()
	if tag.Layout != batv.LayoutNone && tag.Key >= 0 {
		e += " key=" + strconv.Itoa(tag.Key)
	}
	if tag.Result == batv.Valid || tag.Result == batv.Expired {
		e += " days-left=" + strconv.Itoa(tag.DaysLeft)
	}
	return e
}
