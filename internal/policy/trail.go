package policy

import (
	"strconv"
	"strings"

	"github.com/backscatter-milter/backscatter-milter/batv"
)

// HeaderName is the field that tells this site's users and filters of a
// verdict. Fields of that name that an untrusted client brings are removed.
const HeaderName = "X-Backscatter"

// Header gives the field's value: short, and never an address.
func (v Verdict) Header(id string) string {
	var b strings.Builder
	b.Grow(96)
	for _, s := range [...]string{
		string(v.Effective()), "; reason=", string(v.Reason),
		"; class=", v.Class(), "; origin=", v.Origin(), "; id=", id,
	} {
		b.WriteString(s)
	}
	return b.String()
}

// Class is what the message was found to be, "unknown" where it was decided
// before that was known.
func (v Verdict) Class() string {
	if v.Facts == nil || v.Facts.message.class == "" {
		return "unknown"
	}
	return string(v.Facts.message.class)
}

// Origin names the evidence that the original is ours, or "unknown".
func (v Verdict) Origin() string {
	if v.Facts != nil && v.Facts.Tag().Result == batv.Valid {
		return "tag"
	}
	return "unknown"
}

// Evidence is the human trail: what was found, in the words of the log.
func (v Verdict) Evidence() string {
	if v.Facts == nil {
		return ""
	}
	tag := v.Facts.Tag()
	e := "tag=" + tag.Result.String()
	if tag.Layout != batv.LayoutNone && tag.Key >= 0 {
		e += " key=" + strconv.Itoa(tag.Key)
	}
	if tag.Result == batv.Valid {
		e += " days-left=" + strconv.Itoa(tag.DaysLeft)
	}
	if signals := v.Facts.message.signals; signals != "" {
		e += " class=" + signals
	}
	return e
}
