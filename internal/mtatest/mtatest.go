// Package mtatest is an MTA in miniature: the MTA's side of the milter protocol, for tests, benchmarks and demonstrations.
//
// It speaks the protocol itself, frame by frame, so that a milter is judged by what goes over the wire and not by the
// library it is built on. There are two levels:
//
//   - [Client] has one method an event (Connect, Helo, Mail, Rcpt, …). Each honours what was negotiated: an event the
//     milter does not want is not sent, an event without a reply is not waited for, macros are limited to those asked for.
//   - [Client.Run] and [Client.RunSendmail] play a whole [Transaction] the way Postfix and Sendmail do: which macros
//     travel when, what is held back to share a write, which answer ends a message and which only drops a recipient.
//     How the two behave was recorded from Postfix 3.7.11 and Sendmail 8.17.1.
//
// A Client is stricter than an MTA: a milter that answers twice, changes a message without having
// announced it, or accepts options that were not offered is an error, because a real MTA would lose mail over it.
//
// It refuses to be an SMTP server, a queue or a milter: nothing is delivered, and only the name server listens, on loopback. The other
// direction of the protocol is for the milter package. A Client is not safe for concurrent use.
//
// The protocol has no RFC; the names are those of Sendmail's libmilter (mfapi.h, mfdef.h), less their prefixes.
package mtatest

import (
	"fmt"
	"net"
	"time"
)

// Stage is a kind of event in an SMTP session, as the letter that stands for it in the protocol.
type Stage byte

// The events, in the order of an SMTP session.
const (
	StageConnect Stage = 'C'
	StageHelo    Stage = 'H'
	StageMail    Stage = 'M'
	StageRcpt    Stage = 'R'
	StageData    Stage = 'T'
	StageHeader  Stage = 'L'
	StageEOH     Stage = 'N'
	StageBody    Stage = 'B'
	StageEOM     Stage = 'E'
	StageUnknown Stage = 'U'
)

// Commands that are no event of an SMTP session.
const (
	cmdNegotiate byte = 'O'
	cmdMacro     byte = 'D'
	cmdAbort     byte = 'A'
	cmdQuit      byte = 'Q'
	cmdQuitNew   byte = 'K'
)

// String gives the stage's name as it is used in logs: "connect", "helo", …, "eom".
func (s Stage) String() string {
	switch s {
	case StageConnect:
		return "connect"
	case StageHelo:
		return "helo"
	case StageMail:
		return "mail"
	case StageRcpt:
		return "rcpt"
	case StageData:
		return "data"
	case StageHeader:
		return "header"
	case StageEOH:
		return "eoh"
	case StageBody:
		return "body"
	case StageEOM:
		return "eom"
	case StageUnknown:
		return "unknown"
	}
	return fmt.Sprintf("stage %q", byte(s))
}

// Address families of [Client.Connect].
const (
	FamilyUnknown byte = 'U'
	FamilyUnix    byte = 'L'
	FamilyInet    byte = '4'
	FamilyInet6   byte = '6'
)

// DefaultTimeout is how long a new Client waits for a connection, for the negotiation and for each reply.
const DefaultTimeout = 10 * time.Second

// Dial connects to a milter ("tcp" or "unix") and negotiates.
func Dial(network, addr string, o Offer) (*Client, error) {
	conn, err := net.DialTimeout(network, addr, DefaultTimeout)
	if err != nil {
		return nil, err
	}
	c, err := NewClient(conn, o)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// NewClient negotiates over a connection that is already there. The caller closes it when an error is returned.
func NewClient(conn net.Conn, o Offer) (*Client, error) {
	c := &Client{Timeout: DefaultTimeout, Offer: o}
	if err := c.Reset(conn); err != nil {
		return nil, err
	}
	return c, nil
}
