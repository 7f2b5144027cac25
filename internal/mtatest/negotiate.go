package mtatest

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// What a milter may do to a message at its end (SMFIF_*).
const (
	MayAddHeader    uint32 = 1 << 0
	MayChangeBody   uint32 = 1 << 1
	MayAddRcpt      uint32 = 1 << 2
	MayDelRcpt      uint32 = 1 << 3
	MayChangeHeader uint32 = 1 << 4
	MayQuarantine   uint32 = 1 << 5
	MayChangeFrom   uint32 = 1 << 6
	MayAddRcptPar   uint32 = 1 << 7
	MaySetMacros    uint32 = 1 << 8 // the milter names the macros it wants
)

// What a milter does not want to be sent (No…), does not answer (NoReply…), or would like to have (SMFIP_*).
const (
	NoConnect      uint32 = 1 << 0
	NoHelo         uint32 = 1 << 1
	NoMail         uint32 = 1 << 2
	NoRcpt         uint32 = 1 << 3
	NoBody         uint32 = 1 << 4
	NoHeaders      uint32 = 1 << 5
	NoEOH          uint32 = 1 << 6
	NoReplyHeader  uint32 = 1 << 7
	NoUnknown      uint32 = 1 << 8
	NoData         uint32 = 1 << 9
	CanSkip        uint32 = 1 << 10 // Skip may be answered
	WantRejected   uint32 = 1 << 11 // recipients that the MTA itself refuses are shown too
	NoReplyConnect uint32 = 1 << 12
	NoReplyHelo    uint32 = 1 << 13
	NoReplyMail    uint32 = 1 << 14
	NoReplyRcpt    uint32 = 1 << 15
	NoReplyData    uint32 = 1 << 16
	NoReplyUnknown uint32 = 1 << 17
	NoReplyEOH     uint32 = 1 << 18
	NoReplyBody    uint32 = 1 << 19
	LeadingSpace   uint32 = 1 << 20 // header values come with the space after the colon
)

// The protocol versions that brought the UNKNOWN and DATA events; older ones are never sent them.
const (
	versionUnknown = 3
	versionData    = 4
)

// Offer is what the MTA can do, sent first on a connection: a protocol version and two bit masks (May… and No…).
type Offer struct {
	Version  uint32
	Actions  uint32
	Protocol uint32
}

// PostfixOffer is what Postfix offers since 2.6 (milter_protocol = 6).
func PostfixOffer() Offer { return Offer{Version: 6, Actions: 0x1FF, Protocol: 0x1FFFFF} }

// SendmailOffer is what Sendmail offers since 8.14: the same as Postfix.
func SendmailOffer() Offer { return PostfixOffer() }

// OldOffer is protocol version 2, the oldest in use: no skipping, no changed sender, every event answered.
func OldOffer() Offer { return Offer{Version: 2, Actions: 0x3F, Protocol: 0x7F} }

// Frame is the negotiation frame for the offer.
func (o Offer) Frame() []byte {
	b := binary.BigEndian.AppendUint32(nil, 13)
	b = append(b, cmdNegotiate)
	b = binary.BigEndian.AppendUint32(b, o.Version)
	b = binary.BigEndian.AppendUint32(b, o.Actions)
	return binary.BigEndian.AppendUint32(b, o.Protocol)
}

// Negotiated is the milter's answer to an [Offer]: the version to speak, what it may do (May…) and how it wants to be
// told (No…). Macros holds the names it asked for, as written, for StageConnect, StageHelo, StageMail, StageRcpt,
// StageData, StageEOH and StageEOM; where a stage is absent or empty the MTA sends what it thinks best.
type Negotiated struct {
	Version  uint32
	Actions  uint32
	Protocol uint32
	Macros   map[Stage][]string
}

// macroStages are the stages of a macro list in the order of their numbers (SMFIM_CONNECT = 0 to SMFIM_EOH = 6).
const macroStages = "CHMRTEN"

// parseNegotiated reads the milter's answer, and refuses one that goes beyond the offer.
func parseNegotiated(data []byte, o Offer) (Negotiated, error) {
	if len(data) < 12 {
		return Negotiated{}, fmt.Errorf("negotiation answer of %d bytes, not 12 or more", len(data))
	}
	n := Negotiated{
		Version:  binary.BigEndian.Uint32(data),
		Actions:  binary.BigEndian.Uint32(data[4:]),
		Protocol: binary.BigEndian.Uint32(data[8:]),
	}
	switch {
	case n.Version < 2 || n.Version > o.Version:
		return n, fmt.Errorf("milter speaks version %d, offered were 2 to %d", n.Version, o.Version)
	case n.Actions&^o.Actions != 0:
		return n, fmt.Errorf("milter takes actions %#x that were not offered (%#x)", n.Actions&^o.Actions, o.Actions)
	case n.Protocol&^o.Protocol != 0:
		return n, fmt.Errorf("milter takes protocol options %#x that were not offered (%#x)", n.Protocol&^o.Protocol, o.Protocol)
	case len(data) > 12 && n.Actions&MaySetMacros == 0:
		return n, fmt.Errorf("milter names macros without having taken the action for it")
	}
	var err error
	n.Macros, err = parseMacroLists(data[12:])
	return n, err
}

// parseMacroLists reads (stage number, names separated by spaces or commas, NUL) until the end of the frame.
func parseMacroLists(data []byte) (map[Stage][]string, error) {
	lists := map[Stage][]string{}
	for len(data) > 0 {
		if len(data) < 5 {
			return nil, fmt.Errorf("macro list of %d bytes, not 5 or more", len(data))
		}
		number := binary.BigEndian.Uint32(data)
		names, rest, ok := strings.Cut(string(data[4:]), "\x00")
		if !ok {
			return nil, fmt.Errorf("macro list %q without a NUL at its end", data[4:])
		}
		if number >= uint32(len(macroStages)) {
			return nil, fmt.Errorf("macro list for stage number %d, there are 0 to %d", number, len(macroStages)-1)
		}
		lists[Stage(macroStages[number])] = strings.FieldsFunc(names, func(r rune) bool { return r == ' ' || r == ',' })
		data = data[len(data)-len(rest):]
	}
	return lists, nil
}
