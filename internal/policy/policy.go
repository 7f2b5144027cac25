package policy

import "github.com/backscatter-milter/backscatter-milter/config"

// Reason is the stable code of a row: it stands in replies' explain_url, in
// the log, in metrics and in the X-Backscatter header, and is never renamed.
type Reason string

// The reasons, in the order in which they are judged.
const (
	Exempt         Reason = "exempt"          // client, sender, recipient or header is exempt
	TagValid       Reason = "tag-valid"       // the recipient carries a valid BATV tag
	TagForged      Reason = "tag-forged"      // the tag's signature is wrong for a key that has proved itself
	NeverSends     Reason = "never-sends"     // the recipient is an address that never writes
	ManyRecipients Reason = "many-recipients" // this recipient's fate differs from those accepted before it
	Flood          Reason = "flood"           // the client, the recipient or the subject is blocked
	OriginProven   Reason = "origin-proven"   // something other than a tag proves the original ours
	Receipt        Reason = "receipt"         // a read receipt: legitimately untagged
	Report         Reason = "report"          // DMARC, ARF, TLS-RPT: legitimately untagged
	Calendar       Reason = "calendar"        // an iTIP reply: legitimately untagged
	OriginForeign  Reason = "origin-foreign"  // the original is proven not to be ours
	Listed         Reason = "listed"          // the client is on a DNS list of backscatterers
	Challenge      Reason = "challenge"       // "click to be delivered"
	VirusNotice    Reason = "virus-notice"    // "you sent a virus"
	AutoReply      Reason = "auto-reply"      // out of office and the like
	TagMissing     Reason = "tag-missing"     // no tag, or an expired one, and nothing else proves the original ours
	Unproven       Reason = "unproven"        // a null sender that no other row speaks of
	Error          Reason = "error"           // our own failure
)

// A row is one line of the policy.
type row struct {
	reason Reason
	from   Stage               // the earliest stage at which the row may decide
	when   func(*Facts) Answer // does the reason apply?
	action config.Action       // unless [policy] says otherwise
	memos  bool                // to notifications with an ordinary sender, too?
}

// table is the whole policy: the first row that applies decides. Error stands
// last because no fact leads to it: it is the answer when finding one failed.
//
// Of memos, whose sender is no null sender, the rows that bear true speak; only
// origin-foreign refuses them, whatever [policy] says of the others.
var table = [...]row{
	{Exempt, AtRcpt, (*Facts).exempt, config.ActionAccept, true},
	{TagValid, AtRcpt, (*Facts).tagValid, config.ActionAccept, true},
	{TagForged, AtRcpt, (*Facts).tagForged, config.ActionReject, false},
	{NeverSends, AtRcpt, (*Facts).neverSends, config.ActionReject, false},
	{ManyRecipients, AtRcpt, (*Facts).differs, config.ActionTempfail, false},
	{Flood, AtRcpt, (*Facts).flooded, config.ActionAuto, false},
	{OriginProven, AtEOM, (*Facts).originProven, config.ActionAccept, true},
	{Receipt, AtEOH, (*Facts).receipt, config.ActionAccept, true},
	{Report, AtEOH, (*Facts).report, config.ActionAccept, true},
	{Calendar, AtEOH, (*Facts).calendar, config.ActionAccept, true},
	{OriginForeign, AtEOM, (*Facts).originForeign, config.ActionAuto, true},
	{Listed, AtEOM, (*Facts).listed, config.ActionAuto, false},
	{Challenge, AtEOM, (*Facts).challenge, config.ActionAuto, true},
	{VirusNotice, AtEOM, (*Facts).virusNotice, config.ActionAuto, true},
	{AutoReply, AtEOM, (*Facts).autoReply, config.ActionMark, true},
	{TagMissing, AtEOM, (*Facts).tagMissing, config.ActionAuto, false},
	{Unproven, AtEOM, (*Facts).unproven, config.ActionMark, true},
	{Error, AtRcpt, never, config.ActionAccept, false},
}

// Stage is a point of the SMTP transaction at which a verdict can be given.
type Stage uint8

// The stages in the order in which an MTA reaches them.
const (
	AtRcpt Stage = iota // RCPT TO: one recipient
	AtData              // DATA: all recipients are known
	AtEOH               // end of headers
	AtEOM               // end of message: nothing can be waited for any more
)

// String gives the stage's name in log and metrics.
func (s Stage) String() string {
	return [...]string{"rcpt", "data", "eoh", "eom"}[s]
}

// Answer is what a row hears when it asks whether its reason applies.
type Answer uint8

// The answers.
const (
	No    Answer = iota // it does not, and nothing later changes that
	Yes                 // it does
	Later               // not known at this stage
)

// never is the question of a row that no fact leads to.
func never(*Facts) Answer { return No }

func answer(yes bool) Answer {
	if yes {
		return Yes
	}
	return No
}

// Row is a line of the policy as documentation and tests see it.
type Row struct {
	Reason  Reason
	From    Stage
	Default config.Action
}

// Rows returns the policy table in its order.
func Rows() []Row {
	rows := make([]Row, len(table))
	for i, r := range table {
		rows[i] = Row{r.reason, r.from, r.action}
	}
	return rows
}
