package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

const (
	replyTimeout = 20 * time.Second // postscreen and address verification take their time
	totalTimeout = 60 * time.Second
)

// Layout says in which form, if any, tagged addresses are accepted.
type Layout uint8

// The layouts.
const (
	Unknown    Layout = iota // not found out, or not yet
	None                     // tagged addresses are refused
	PRVS                     // prvs=TAG=local@domain
	Subaddress               // local+prvs=TAG@domain
)

// String gives the name of the layout.
func (l Layout) String() string {
	return [...]string{"unknown", "none", "prvs", "subaddress"}[l]
}

// Signs reports whether mail can be signed.
func (l Layout) Signs() bool { return l == PRVS || l == Subaddress }

// Dialer opens connections; *net.Dialer is one.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Query is one question. Addresses are without angle brackets; an empty one is
// not asked for.
type Query struct {
	PRVS       string // a sender just seen, tagged in front
	Subaddress string // the same, tagged behind the delimiter
	// RandomPRVS and RandomSubaddress are tagged forms of a local part that
	// nobody has: an MTA that accepts it accepts anything.
	RandomPRVS, RandomSubaddress string
	// Plain is the sender without a tag, asked for when all tagged forms are
	// refused: one that receives no mail at all, such as noreply@, says nothing
	// of tags.
	Plain string
}

func (q Query) addresses() []string { return append(q.tagged(), q.Plain) }

func (q Query) tagged() []string {
	return []string{q.PRVS, q.Subaddress, q.RandomPRVS, q.RandomSubaddress}
}

// Result is the answer to a Query.
type Result struct {
	Layout   Layout // the first that is accepted
	CatchAll bool   // tagged unknown users are accepted, too: acceptance says little
	Reply    string // what the MTA said to the address that decided, for people
	// Err says why Layout is Unknown: no connection, no SMTP, or a temporary
	// refusal. It is worth asking again.
	Err error
}

// A TemporaryError is a reply of the kind "try again later".
type TemporaryError struct{ Reply string }

func (e *TemporaryError) Error() string { return "not now: " + e.Reply }

// A NoMailboxError is what the MTA said to the sender without a tag: it receives
// no mail, and another sender has to be taken.
type NoMailboxError struct{ Reply string }

func (e *NoMailboxError) Error() string {
	return "the sender receives no mail even without a tag: " + e.Reply
}

// ofSender reports whether the error is about the sender, not the MTA.
func ofSender(err error) bool {
	return errors.As(err, new(*TemporaryError)) || errors.As(err, new(*NoMailboxError))
}

// Target says whom to ask, and how to introduce oneself.
type Target struct {
	Dialer  Dialer
	Address string // host:port
	Helo    string // name of this host, for EHLO
	Now     func() time.Time
}

// Probe asks once. It takes a minute at the most, and 20 seconds for each
// reply.
func Probe(ctx context.Context, t Target, q Query) Result {
	ctx, cancel := context.WithTimeout(ctx, totalTimeout)
	defer cancel()
	for _, a := range q.addresses() {
		if strings.ContainsAny(a, "\r\n<>\x00") {
			return Result{Err: fmt.Errorf("%q cannot be put into a command", a)}
		}
	}
	conn, err := t.Dialer.DialContext(ctx, "tcp", t.Address)
	if err != nil {
		return Result{Err: fmt.Errorf("no connection: %w", err)}
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	d := &dialogue{conn: conn, in: bufio.NewReaderSize(conn, maxLine), now: t.Now}
	r, err := d.ask(t.Helo, q)
	switch {
	case err == nil:
		d.leave()
		return r
	case ctx.Err() != nil && !ofSender(err):
		err = fmt.Errorf("%w (%w)", context.Cause(ctx), err)
	}
	return Result{Reply: r.Reply, Err: err}
}

// dialogue is one SMTP session.
type dialogue struct {
	conn net.Conn
	in   *bufio.Reader
	now  func() time.Time
}

// command sends a line, none for the greeting, and reads the reply.
func (d *dialogue) command(line string) (reply, error) {
	if err := d.conn.SetDeadline(d.now().Add(replyTimeout)); err != nil {
		return reply{}, err
	}
	what := "greeting"
	if line != "" {
		what, _, _ = strings.Cut(line, " ")
		if _, err := d.conn.Write([]byte(line + "\r\n")); err != nil {
			return reply{}, fmt.Errorf("%s: %w", what, err)
		}
	}
	r, err := readReply(d.in)
	if err != nil {
		return reply{}, fmt.Errorf("%s: %w", what, err)
	}
	if r.code == 421 { // RFC 5321, section 3.8: it closes the connection
		return reply{}, &TemporaryError{r.String()}
	}
	return r, nil
}

// want sends a command that must be accepted.
func (d *dialogue) want(line string) error {
	r, err := d.command(line)
	switch {
	case err != nil:
		return err
	case r.class() == 4:
		return &TemporaryError{r.String()}
	case r.class() != 2:
		what, _, _ := strings.Cut(line+" ", " ")
		return fmt.Errorf("%s refused: %s", strings.TrimSpace("session "+what), r)
	}
	return nil
}

// begin comes as far as an envelope sender.
func (d *dialogue) begin(helo string) error {
	if err := d.want(""); err != nil {
		return err
	}
	r, err := d.command("EHLO " + helo)
	if err != nil {
		return err
	}
	if r.class() != 2 {
		if err := d.want("HELO " + helo); err != nil {
			return err
		}
	}
	return d.want("MAIL FROM:<>")
}

// ask finds the first layout that is accepted.
func (d *dialogue) ask(helo string, q Query) (Result, error) {
	if err := d.begin(helo); err != nil {
		return Result{}, err
	}
	result := Result{Layout: None}
	for _, c := range []struct {
		layout          Layout
		address, random string
	}{{PRVS, q.PRVS, q.RandomPRVS}, {Subaddress, q.Subaddress, q.RandomSubaddress}} {
		if c.address == "" {
			continue
		}
		r, err := d.command("RCPT TO:<" + c.address + ">")
		if err != nil {
			return result, err
		}
		result.Reply = r.String()
		switch r.class() {
		case 2:
			result.Layout = c.layout
			result.CatchAll, err = d.accepts(c.random)
			return result, err
		case 5:
			continue
		}
		return result, &TemporaryError{r.String()}
	}
	return result, d.exists(q.Plain)
}

// exists asks whether the sender receives mail without a tag.
func (d *dialogue) exists(plain string) error {
	if plain == "" {
		return nil
	}
	r, err := d.command("RCPT TO:<" + plain + ">")
	switch {
	case err != nil:
		return err
	case r.class() == 2:
		return nil
	case r.class() == 5:
		return &NoMailboxError{r.String()}
	}
	return &TemporaryError{r.String()}
}

// accepts reports whether the MTA takes the address, too. A temporary refusal
// is none of a catch-all.
func (d *dialogue) accepts(address string) (bool, error) {
	if address == "" {
		return false, nil
	}
	r, err := d.command("RCPT TO:<" + address + ">")
	return r.class() == 2, err
}

// leave ends the session politely; what the MTA says to it changes nothing.
func (d *dialogue) leave() {
	if _, err := d.command("RSET"); err == nil {
		_, _ = d.command("QUIT")
	}
}
