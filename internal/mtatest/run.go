package mtatest

import (
	"net/netip"
	"strings"
)

// playing is what Run remembers of the SMTP session between messages.
type playing struct {
	mta         *dialect
	greeted     bool    // CONNECT and HELO are done
	decided     *Result // the milter ended the session there: all messages share that fate
	queued      bool    // the message has a queue id
	abortAtQuit bool    // Postfix ends the HELO with an ABORT before it quits
}

// Run plays a message as Postfix does, beginning with CONNECT and HELO if the connection is new; further messages of
// one client follow on the same connection. A recipient that is refused is dropped, any other refusal, Accept and
// Discard end the message, and a message without a recipient is given up. An ABORT follows each message.
func (c *Client) Run(tx Transaction) (Result, error) { return c.run(&postfix, tx) }

// RunSendmail plays a message as Sendmail does. It differs: macros and commands are written one by one, headers and
// body chunks come without macros, the queue id is known at MAIL, IPv6 addresses have a prefix, and an ABORT follows
// only a message that was given up.
func (c *Client) RunSendmail(tx Transaction) (Result, error) { return c.run(&sendmail, tx) }

func (c *Client) run(mta *dialect, tx Transaction) (Result, error) {
	c.play.mta, c.eager = mta, mta.eager
	if !c.play.greeted {
		if err := c.greet(&tx); err != nil {
			return Result{}, err
		}
	}
	if c.play.decided != nil {
		return *c.play.decided, nil
	}
	c.play.queued = mta.queueIDAtMail
	res := Result{Rcpts: make([]Reply, 0, len(tx.Rcpts))}
	if err := c.message(&tx, &res); err != nil {
		return res, err
	}
	if res.Stage == StageEOM && res.Reply.GoesOn() {
		res.Reply = Reply{Action: Accept}
	}
	if mta.alwaysAborts || res.Stage == StageRcpt && res.Reply.Refuses() {
		return res, c.Abort()
	}
	return res, nil
}

// greet plays CONNECT and HELO. A decision there is one about the whole session.
func (c *Client) greet(tx *Transaction) error {
	c.play.greeted = true
	host, family, addr := tx.client(c.play.mta)
	c.say(tx, StageConnect, nil)
	r, err := c.Connect(host, family, tx.Port, addr)
	if err != nil || c.decide(StageConnect, r) {
		return err
	}
	c.say(tx, StageHelo, nil)
	r, err = c.Helo(tx.Helo)
	if err == nil && !c.decide(StageHelo, r) {
		c.play.abortAtQuit = c.play.mta.alwaysAborts
	}
	return err
}

// decide ends the session at an answer that does; Discard means nothing there.
func (c *Client) decide(st Stage, r Reply) bool {
	if r.GoesOn() || r.Action == Discard {
		return false
	}
	c.play.decided = &Result{Stage: st, Reply: r}
	return true
}

// message plays MAIL to the end of the message, as far as the milter's answers lead.
func (c *Client) message(tx *Transaction, res *Result) error {
	c.say(tx, StageMail, nil)
	r, err := c.Mail(tx.From, tx.MailArgs)
	if err != nil || res.ended(StageMail, r) {
		return err
	}
	if done, err := c.recipients(tx, res); done || err != nil {
		return err
	}
	if c.agreed.Version >= versionData {
		c.say(tx, StageData, nil)
	}
	r, err = c.Data()
	if err != nil || res.ended(StageData, r) {
		return err
	}
	c.flush() // another process of Postfix takes over here
	return c.content(tx, res)
}

// recipients plays the RCPTs; done says that no more is to come of the message.
func (c *Client) recipients(tx *Transaction, res *Result) (done bool, err error) {
	good := 0
	for i := range tx.Rcpts {
		rc := &tx.Rcpts[i]
		if rc.Unknown && c.agreed.Protocol&WantRejected == 0 {
			if c.play.mta.macrosOfUnseen {
				c.say(tx, StageRcpt, rc)
			}
			res.Rcpts = append(res.Rcpts, Reply{})
			continue
		}
		c.say(tx, StageRcpt, rc)
		r, err := c.Rcpt(rc.Addr, rc.Args)
		if err != nil {
			return true, err
		}
		res.Rcpts = append(res.Rcpts, r)
		switch {
		case rc.Unknown:
			continue
		case r.Refuses():
			res.Reply = r
			continue
		case res.ended(StageRcpt, r):
			return true, nil
		}
		good++
		c.play.queued = true
	}
	if good == 0 {
		res.Stage = StageRcpt
	}
	return good == 0, nil
}

// content plays the headers, the body and the end of the message.
func (c *Client) content(tx *Transaction, res *Result) error {
	if c.agreed.Protocol&NoHeaders == 0 {
		for i := range tx.Headers {
			c.say(tx, StageHeader, nil)
			r, err := c.Header(tx.Headers[i].Name, tx.Headers[i].Value)
			if err != nil || res.ended(StageHeader, r) {
				return err
			}
		}
	}
	if c.agreed.Protocol&NoEOH == 0 {
		c.say(tx, StageEOH, nil)
		r, err := c.EndOfHeaders()
		if err != nil || res.ended(StageEOH, r) {
			return err
		}
	}
	if c.agreed.Protocol&NoBody == 0 {
		for body := tx.Body; len(body) > 0; {
			chunk := body[:min(len(body), maxBody)]
			body = body[len(chunk):]
			c.say(tx, StageBody, nil)
			r, err := c.Body(chunk)
			if err != nil || res.ended(StageBody, r) {
				return err
			}
		}
	}
	c.say(tx, StageEOM, nil)
	r, mods, err := c.EndOfMessage()
	res.Stage, res.Reply, res.Mods = StageEOM, r, mods
	return err
}

// ended notes an answer that ends the message.
func (r *Result) ended(st Stage, reply Reply) bool {
	if reply.GoesOn() {
		return false
	}
	r.Stage, r.Reply = st, reply
	return true
}

// client is the SMTP client as CONNECT names it.
func (tx *Transaction) client(mta *dialect) (host string, family byte, addr string) {
	host = tx.ClientName
	if path, ok := strings.CutPrefix(tx.Client, "unix:"); ok {
		return or(host, "localhost"), FamilyUnix, path
	}
	ip, err := netip.ParseAddr(tx.Client)
	if err != nil {
		return or(host, "unknown"), FamilyUnknown, ""
	}
	if host == "" {
		host = "[" + tx.Client + "]"
	}
	if ip.Is4() {
		return host, FamilyInet, tx.Client
	}
	return host, FamilyInet6, mta.ipv6Prefix + tx.Client
}

func or(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}
