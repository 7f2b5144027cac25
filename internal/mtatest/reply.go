package mtatest

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Action is what a milter answers to an event, as the letter that stands for it in the protocol.
type Action byte

// The answers (SMFIR_*).
const (
	Continue  Action = 'c' // go on
	Accept    Action = 'a' // take the message (or connection) and show no more of it
	Reject    Action = 'r' // refuse with the MTA's own 5xx
	Tempfail  Action = 't' // refuse with the MTA's own 4xx
	Discard   Action = 'd' // say yes and throw the message away
	Skip      Action = 's' // as Continue, and show no more events of this kind
	ReplyCode Action = 'y' // refuse with this code and text
)

// String gives the action's name.
func (a Action) String() string {
	switch a {
	case Continue:
		return "continue"
	case Accept:
		return "accept"
	case Reject:
		return "reject"
	case Tempfail:
		return "tempfail"
	case Discard:
		return "discard"
	case Skip:
		return "skip"
	case ReplyCode:
		return "reply"
	case 0:
		return "none"
	}
	return fmt.Sprintf("action %q", byte(a))
}

// actionProgress says that the milter needs more time (SMFIR_PROGRESS).
const actionProgress = 'p'

// Reply is a milter's answer to an event. Code and Text are set where the Action is ReplyCode: the SMTP code, and the
// text that follows it (with its enhanced status code), several lines separated by "\n".
type Reply struct {
	Action Action
	Code   int
	Text   string
}

// String gives the reply for a test's message: "continue", "550 5.7.1 go away".
func (r Reply) String() string {
	if r.Action == ReplyCode {
		return fmt.Sprintf("%d %s", r.Code, r.Text)
	}
	return r.Action.String()
}

// GoesOn says that the answer lets the session go on: Continue or Skip.
func (r Reply) GoesOn() bool { return r.Action == Continue || r.Action == Skip }

// Refuses says that the answer is a refusal, for good or for now: Reject, Tempfail, ReplyCode.
func (r Reply) Refuses() bool {
	return r.Action == Reject || r.Action == Tempfail || r.Action == ReplyCode
}

// parseReplyCode reads "550 5.7.1 text" NUL, in one line or several. MTAs use it as a format: %% stands for %.
func parseReplyCode(data []byte) (Reply, error) {
	text, rest, ok := strings.Cut(string(data), "\x00")
	if !ok || rest != "" {
		return Reply{}, fmt.Errorf("milter's reply %q does not end in its only NUL", data)
	}
	lines := strings.Split(text, "\r\n")
	for i, l := range lines {
		sep := byte('-')
		if i == len(lines)-1 {
			sep = ' '
		}
		if len(l) < 4 || (l[0] != '4' && l[0] != '5') || !digits(l[1:3]) || l[:3] != text[:3] || l[3] != sep {
			return Reply{}, fmt.Errorf("milter's reply %q is no SMTP reply", text)
		}
		lines[i] = l[4:]
	}
	text = strings.ReplaceAll(strings.Join(lines, "\n"), "%%", "%")
	code := data[:3]
	return Reply{ReplyCode, int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0'), text}, nil
}

func digits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

// ModKind is a change to a message, as the letter that stands for it in the protocol.
type ModKind byte

// The changes a milter can make at the end of a message (SMFIR_*).
const (
	AddRcpt      ModKind = '+' // Value: the address
	AddRcptPar   ModKind = '2' // Value: the address; Args: its ESMTP parameters
	DelRcpt      ModKind = '-' // Value: the address
	ChangeFrom   ModKind = 'e' // Value: the address; Args: its ESMTP parameters
	AddHeader    ModKind = 'h' // Name, Value
	InsertHeader ModKind = 'i' // Index (0 is the top), Name, Value
	ChangeHeader ModKind = 'm' // Index (1 is the first of that name), Name, Value (empty: removed)
	ReplaceBody  ModKind = 'b' // Value: a piece of the new body
	Quarantine   ModKind = 'q' // Value: the reason
)

// String gives the name of the change.
func (k ModKind) String() string {
	switch k {
	case AddRcpt:
		return "add-rcpt"
	case AddRcptPar:
		return "add-rcpt-par"
	case DelRcpt:
		return "del-rcpt"
	case ChangeFrom:
		return "change-from"
	case AddHeader:
		return "add-header"
	case InsertHeader:
		return "insert-header"
	case ChangeHeader:
		return "change-header"
	case ReplaceBody:
		return "replace-body"
	case Quarantine:
		return "quarantine"
	}
	return fmt.Sprintf("change %q", byte(k))
}

// action is the bit a milter must have negotiated to make the change; 0 for what is no change at all.
func (k ModKind) action() uint32 {
	switch k {
	case AddRcpt:
		return MayAddRcpt
	case AddRcptPar:
		return MayAddRcptPar
	case DelRcpt:
		return MayDelRcpt
	case ChangeFrom:
		return MayChangeFrom
	case AddHeader, InsertHeader:
		return MayAddHeader
	case ChangeHeader:
		return MayChangeHeader
	case ReplaceBody:
		return MayChangeBody
	case Quarantine:
		return MayQuarantine
	}
	return 0
}

// Mod is one change a milter makes to a message. Addresses come without their angle brackets.
type Mod struct {
	Kind  ModKind
	Name  string
	Value string
	Index int
	Args  string
}

// strings is how many strings the data of a change has, at least and at most.
func (k ModKind) strings() (least, most int) {
	switch k {
	case AddHeader, InsertHeader, ChangeHeader:
		return 2, 2
	case AddRcptPar, ChangeFrom:
		return 1, 2
	default:
		return 1, 1
	}
}

// parseMod reads the data of a change: strings that end in NUL, with an index before them where a header is changed
// or inserted. The pieces of a new body are just that.
func parseMod(kind ModKind, data []byte) (Mod, error) {
	m := Mod{Kind: kind}
	if kind == ReplaceBody {
		m.Value = string(data)
		return m, nil
	}
	bad := fmt.Errorf("malformed %v %q", kind, data)
	if kind == InsertHeader || kind == ChangeHeader {
		if len(data) < 4 {
			return m, bad
		}
		m.Index = int(binary.BigEndian.Uint32(data))
		data = data[4:]
	}
	text, ok := strings.CutSuffix(string(data), "\x00")
	parts := strings.Split(text, "\x00")
	least, most := kind.strings()
	switch {
	case !ok || len(parts) < least || len(parts) > most:
		return m, bad
	case least == 2:
		m.Name, m.Value = parts[0], parts[1]
		if m.Name == "" {
			return m, bad
		}
		return m, nil
	case len(parts) == 2:
		m.Args = parts[1]
	}
	m.Value = parts[0]
	if kind != Quarantine {
		m.Value = unangle(m.Value)
	}
	return m, nil
}

func unangle(path string) string {
	if strings.HasPrefix(path, "<") && strings.HasSuffix(path, ">") {
		return path[1 : len(path)-1]
	}
	return path
}
