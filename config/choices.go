package config

// Mode is how far judgement goes.
type Mode string

const (
	ModeEnforce Mode = "enforce" // sign, judge, refuse
	ModeMonitor Mode = "monitor" // sign and judge, refuse nothing, report what would have been done
	ModeOff     Mode = "off"     // hands off
)

func modes() []Mode {
	return []Mode{ModeEnforce, ModeMonitor, ModeOff}
}

// Stage is the SMTP stage at which missing tags are decided.
type Stage string

const (
	StageAuto Stage = "auto" // end of message, in a surge at RCPT
	StageRcpt Stage = "rcpt" // at RCPT
	StageData Stage = "data" // at DATA, so that sender callouts pass
	StageEOM  Stage = "eom"  // at end of message, always
)

// Sign says whether reverse-paths are signed.
type Sign string

const (
	SignAuto Sign = "auto"  // where the MTA takes tagged recipients
	SignOn   Sign = "true"  // everywhere
	SignOff  Sign = "false" // nowhere; tags that are abroad still verify
)

// Layout is the form of new tags; every form verifies.
type Layout string

const (
	LayoutAuto       Layout = "auto"       // the one that the MTA takes
	LayoutPRVS       Layout = "prvs"       // prvs=KDDDSSSSSS=local@domain
	LayoutSubaddress Layout = "subaddress" // local+prvs=KDDDSSSSSS@domain
)

// LogFormat is the form of log lines.
type LogFormat string

const (
	FormatText LogFormat = "text" // key=value
	FormatJSON LogFormat = "json" // one object a line
)

// Privacy says how addresses appear in the log.
type Privacy string

const (
	PrivacyFull   Privacy = "full"   // as they are
	PrivacyDomain Privacy = "domain" // only their domain
	PrivacyHash   Privacy = "hash"   // as a keyed hash
)

// Action is what happens to mail that a reason applies to.
type Action string

const (
	ActionAccept     Action = "accept"
	ActionMark       Action = "mark"       // accept, with a header
	ActionQuarantine Action = "quarantine" // the MTA's hold queue
	ActionReject     Action = "reject"     // 550
	ActionTempfail   Action = "tempfail"   // 451
	ActionDiscard    Action = "discard"    // accept and drop
	ActionAuto       Action = "auto"       // reject where the domain is strict, else mark; for flood: else tempfail
)
