package mtatest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"time"
)

// Client is the MTA's end of one milter connection. Its methods, one an event, return the milter's answer; an error
// means that the connection is of no more use. An event that was not sent, or is not answered, counts as Continue.
//
// As in Postfix, a macro frame and its command share a write, and what needs no answer is held back until something
// does. Once its buffers have grown, a Client allocates for changes made to a message and for replies it has not just
// had, and for nothing else.
type Client struct {
	// Offer is what Reset offers to the milter.
	Offer Offer
	// Timeout bounds each write and each wait for an answer; 0 waits for ever.
	Timeout time.Duration

	conn net.Conn
	err  error

	agreed    Negotiated
	agreedRaw []byte // the answer that agreed was parsed from

	w     []byte // held back
	eager bool   // hold nothing back
	r     []byte // r[start:end] is read and not used yet
	start int
	end   int

	skip     Stage  // events of this kind are skipped until another kind comes
	reply    Reply  // the last ReplyCode
	replyRaw []byte // and what it was parsed from
	mods     []Mod
	play     playing // the state of Run
}

// Reset takes a further connection and negotiates on it, with the buffers of the last one. A new(Client) needs an
// Offer first.
func (c *Client) Reset(conn net.Conn) error {
	c.conn, c.err = conn, nil
	c.w, c.start, c.end, c.eager, c.skip = c.w[:0], 0, 0, false, 0
	c.play = playing{}
	if c.r == nil {
		c.r = make([]byte, 1024)
	}
	c.w = append(c.w, 0, 0, 0, 13, cmdNegotiate)
	c.w = binary.BigEndian.AppendUint32(c.w, c.Offer.Version)
	c.w = binary.BigEndian.AppendUint32(c.w, c.Offer.Actions)
	c.w = binary.BigEndian.AppendUint32(c.w, c.Offer.Protocol)
	code, data, err := c.Receive()
	switch {
	case err != nil:
		return fmt.Errorf("negotiating: %w", err)
	case code != cmdNegotiate:
		return fmt.Errorf("negotiating: milter answered %q", code)
	case c.agreedRaw != nil && bytes.Equal(data, c.agreedRaw):
		return nil
	}
	c.agreedRaw = append(c.agreedRaw[:0], data...)
	if c.agreed, err = parseNegotiated(data, c.Offer); err != nil {
		c.agreedRaw = nil
		return fmt.Errorf("negotiating: %w", err)
	}
	return nil
}

// Negotiated is what the milter answered to the offer.
func (c *Client) Negotiated() Negotiated { return c.agreed }

// wanted says whether an event's command is to be sent, and sends the macros given for it (name, value, …) in any
// case: MTAs do so for events that the milter does not want, too.
func (c *Client) wanted(st Stage, unwanted uint32, macros []string) bool {
	if c.skipped(st) {
		return false
	}
	if len(macros) > 0 {
		f := c.openMacros(st)
		for i := 0; i+1 < len(macros); i += 2 {
			if c.asked(st, macros[i]) {
				c.str(macros[i])
				c.str(macros[i+1])
			}
		}
		c.shut(f)
	}
	return c.agreed.Protocol&unwanted == 0
}

// skipped says whether the milter has seen enough events of this kind; an event of another kind ends that.
func (c *Client) skipped(st Stage) bool {
	if c.skip == st {
		return true
	}
	c.skip = 0
	return false
}

func (c *Client) openMacros(st Stage) (start int) {
	start = c.open(cmdMacro)
	c.w = append(c.w, byte(st))
	return start
}

// asked says whether the milter asked for a macro at a stage, in so many words or by asking for none in particular.
// "i" and "{i}" are the same macro.
func (c *Client) asked(st Stage, name string) bool {
	list := c.agreed.Macros[macroStage(st)]
	for _, l := range list {
		if bare(l) == bare(name) {
			return true
		}
	}
	return len(list) == 0
}

// macroStage is the stage whose macro list an event uses: headers have that of the end of headers, body chunks that
// of the end of message.
func macroStage(st Stage) Stage {
	switch st {
	case StageHeader:
		return StageEOH
	case StageBody:
		return StageEOM
	default:
		return st
	}
}

func bare(macro string) string {
	return strings.TrimSuffix(strings.TrimPrefix(macro, "{"), "}")
}

// finish ends a command's frame and waits for the answer, unless the milter gives none.
func (c *Client) finish(start int, st Stage, unanswered uint32) (Reply, error) {
	c.shut(start)
	if c.err == nil && c.agreed.Protocol&unanswered != 0 {
		return Reply{Action: Continue}, nil
	}
	return c.answer(st)
}

// answer reads frames until the one that decides the event; at the end of a message, changes come before it.
func (c *Client) answer(st Stage) (Reply, error) {
	if c.err == nil && c.end > c.start {
		c.err = errUnasked
	}
	c.mods = nil
	for {
		code, data, err := c.Receive()
		if err != nil {
			return Reply{}, fmt.Errorf("%v: %w", st, err)
		}
		if code == actionProgress {
			continue
		}
		r, final, err := c.judge(st, code, data)
		if err != nil {
			c.err = err
			return Reply{}, fmt.Errorf("%v: %w", st, err)
		}
		if final {
			return r, nil
		}
	}
}

// judge takes one frame of an answer: the deciding one, or a change to the message.
func (c *Client) judge(st Stage, code byte, data []byte) (r Reply, final bool, err error) {
	switch a := Action(code); a {
	case ReplyCode:
		r, err = c.replyCode(data)
		return r, true, err
	case Skip:
		if c.agreed.Protocol&CanSkip == 0 {
			return r, false, fmt.Errorf("milter answered skip, which was not negotiated")
		}
		c.skip = st
		return Reply{Action: a}, true, nil
	case Continue, Accept, Reject, Tempfail, Discard:
		if len(data) > 0 {
			return r, false, fmt.Errorf("milter answered %v with data %q", a, data)
		}
		return Reply{Action: a}, true, nil
	}
	kind := ModKind(code)
	switch need := kind.action(); {
	case need == 0 || st != StageEOM:
		return r, false, fmt.Errorf("milter answered %q (%d bytes)", code, len(data))
	case c.agreed.Actions&need == 0:
		return r, false, fmt.Errorf("milter answered %v, which was not negotiated", kind)
	}
	m, err := parseMod(kind, data)
	c.mods = append(c.mods, m)
	return r, false, err
}

// replyCode parses a reply, unless it is the last one again.
func (c *Client) replyCode(data []byte) (Reply, error) {
	if c.replyRaw != nil && bytes.Equal(data, c.replyRaw) {
		return c.reply, nil
	}
	r, err := parseReplyCode(data)
	if err != nil {
		return r, err
	}
	c.reply, c.replyRaw = r, append(c.replyRaw[:0], data...)
	return r, nil
}
