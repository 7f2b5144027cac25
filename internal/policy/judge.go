package policy

import (
	"iter"
	"slices"

	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/origin"
)

// Verdict is what the policy says of one recipient, or of a whole message.
// The zero Verdict is "nothing to say": the recipient is not judged.
type Verdict struct {
	Reason   Reason
	Action   config.Action // what the policy asks for
	Enforced bool          // false in monitor mode: reported, not done
	Stage    Stage
	Facts    *Facts // what was found out, for the trail

	// What was known when it was given: later stages, and explain, find out more.
	class    classify.Class
	evidence origin.Evidence
	shows    *Facts // where it joins several: of whom it is shown that mail leaves elsewhere
}

// Decided reports whether the verdict says anything.
func (v Verdict) Decided() bool { return v.Reason != "" }

// Effective is the action that is taken: a refusal that is not enforced
// becomes a mark.
func (v Verdict) Effective() config.Action {
	if !v.Enforced && severity(v.Action) > severity(config.ActionMark) {
		return config.ActionMark
	}
	return v.Action
}

// Refuses reports whether the verdict answers the client with 4xx or 5xx.
func (v Verdict) Refuses() bool { return v.Enforced && v.WouldRefuse() }

// WouldRefuse reports whether it would, were it enforced.
func (v Verdict) WouldRefuse() bool {
	return v.Action == config.ActionReject || v.Action == config.ActionTempfail
}

// severity orders the actions from the mildest to the harshest.
func severity(a config.Action) int {
	switch a {
	case config.ActionAccept, "":
		return 0
	case config.ActionMark:
		return 1
	case config.ActionQuarantine:
		return 2
	case config.ActionTempfail:
		return 3
	case config.ActionReject:
		return 4
	default: // discard: the only one that leaves the sender in the dark
		return 5
	}
}

func accepts(a config.Action) bool { return severity(a) <= severity(config.ActionMark) }

// Judge walks the table for one recipient and returns the first deciding row's
// verdict. It returns an undecided Verdict where the recipient is not judged,
// or where this stage is too early to tell.
//
// A row that refuses waits until every accepting row above it is known, unless
// the stage setting, a block or a surge asks for its decision now.
func Judge(f *Facts, stage Stage) Verdict {
	f.stage = stage
	if !f.Judged() {
		return f.separate(Verdict{Stage: stage})
	}
	v := Verdict{Stage: stage}
	for step := range f.steps(stage) {
		if step.decides {
			v = f.verdict(step.row.reason, step.action, stage)
			break
		}
	}
	return f.separate(v)
}

// step is one row put to one recipient.
type step struct {
	row     *row
	answer  Answer
	action  config.Action // what the row would lead to
	decides bool          // if no row above it does
}

// steps puts the rows of the table to the recipient in their order, as far as
// the stage allows.
func (f *Facts) steps(stage Stage) iter.Seq[step] {
	return func(yield func(step) bool) {
		s, memo := f.message.settings, f.message.memo()
		pending := false // an accepting row is not known yet
		for i := range table {
			r := &table[i]
			if memo && !r.memos {
				continue
			}
			early := s.earliest(*r)
			st := step{row: r, answer: f.ask(r, stage >= early)}
			if st.answer != No {
				st.action = f.leadsTo(i, memo)
			}
			// The stage setting, a block or a surge wants the decision now.
			asked := early < r.from || r.reason == Flood
			st.decides = st.answer == Yes && (!pending || accepts(st.action) || asked)
			pending = pending || st.answer == Later && accepts(st.action)
			if !yield(st) {
				return
			}
		}
	}
}

// leadsTo is what a row of the table would lead to for the recipient.
func (f *Facts) leadsTo(i int, memo bool) config.Action {
	reason, d := table[i].reason, f.domain()
	action := f.message.settings.resolve(i, d, f.bare())
	if reason == Flood {
		action = f.temper(d.action[i], action)
	}
	if memo && reason != OriginForeign && !accepts(action) {
		action = config.ActionMark
	}
	return action
}

// ask puts the row's question; before its stage the answer is put off.
func (f *Facts) ask(r *row, due bool) Answer {
	a := r.when(f)
	if a == Yes && !due {
		return Later
	}
	return a
}

// separate keeps the fates of a transaction's recipients apart: one whom the
// rows would let through, but whose fate may differ from the fates of those
// accepted before, is asked to be brought in a transaction of its own. So
// many-recipients speaks against accepting rows above it, too.
func (f *Facts) separate(v Verdict) Verdict {
	if v.Stage != AtRcpt || v.WouldRefuse() || f.differs() != Yes {
		return v
	}
	return f.verdict(ManyRecipients, f.message.settings.action(ManyRecipients, f.Address), AtRcpt)
}

func (f *Facts) verdict(reason Reason, action config.Action, stage Stage) Verdict {
	enforced := f.domain().mode != config.ModeMonitor
	return Verdict{
		Reason: reason, Action: action, Enforced: enforced, Stage: stage, Facts: f,
		class: f.message.class, evidence: f.evidence(),
	}
}

// Failure is the verdict on a recipient, or on a message, when judging itself
// has failed. Mail that is not judged is not refused for it either.
func (m *Message) Failure(stage Stage) Verdict {
	if m.Kind != InboundNull {
		return Verdict{}
	}
	s := m.settings
	return Verdict{Reason: Error, Action: s.action(Error, ""), Enforced: s.global.mode != config.ModeMonitor, Stage: stage}
}

// Combine joins the verdicts of a message's recipients into the one answer
// that the message can get. Where they differ the mildest action is taken and
// the message is marked with the reason of the harshest; the zero Verdict
// counts as accepting.
func Combine(verdicts []Verdict) Verdict {
	v := combine(verdicts)
	if i := slices.IndexFunc(verdicts, func(v Verdict) bool { return v.Facts.showsElsewhere() }); i >= 0 {
		v.shows = verdicts[i].Facts
	}
	return v
}

func combine(verdicts []Verdict) Verdict {
	var harsh Verdict
	mildest := 0
	for i, v := range verdicts {
		degree := severity(v.Effective())
		if i == 0 || degree < mildest {
			mildest = degree
		}
		if !harsh.Decided() || degree > severity(harsh.Effective()) {
			harsh = v
		}
	}
	if severity(harsh.Effective()) == mildest {
		return harsh
	}
	for _, v := range verdicts {
		if severity(v.Effective()) == mildest && v.Refuses() {
			return v
		}
	}
	harsh.Action = config.ActionMark
	return harsh
}
