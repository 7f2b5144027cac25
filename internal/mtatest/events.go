package mtatest

// Connect tells of a new SMTP client: its host name, address family, port and address. Nothing but the host name is
// sent with FamilyUnknown. Macros, here and below, are names and values in turn: "j", "mail.example.com", ….
func (c *Client) Connect(host string, family byte, port uint16, addr string, macros ...string) (Reply, error) {
	if !c.wanted(StageConnect, NoConnect, macros) {
		return Reply{Action: Continue}, c.err
	}
	f := c.open(byte(StageConnect))
	c.str(host)
	c.w = append(c.w, family)
	if family != FamilyUnknown {
		c.w = append(c.w, byte(port>>8), byte(port))
		c.str(addr)
	}
	return c.finish(f, StageConnect, NoReplyConnect)
}

// Helo tells of HELO or EHLO.
func (c *Client) Helo(name string, macros ...string) (Reply, error) {
	if !c.wanted(StageHelo, NoHelo, macros) {
		return Reply{Action: Continue}, c.err
	}
	f := c.open(byte(StageHelo))
	c.str(name)
	return c.finish(f, StageHelo, NoReplyHelo)
}

// Mail tells of MAIL FROM. The address comes without its angle brackets, "" is the null sender; args are the ESMTP
// parameters, one a string ("SIZE=1000").
func (c *Client) Mail(from string, args []string, macros ...string) (Reply, error) {
	if !c.wanted(StageMail, NoMail, macros) {
		return Reply{Action: Continue}, c.err
	}
	return c.envelope(StageMail, from, args, NoReplyMail)
}

// Rcpt tells of RCPT TO, with an address and ESMTP parameters as for Mail.
func (c *Client) Rcpt(to string, args []string, macros ...string) (Reply, error) {
	if !c.wanted(StageRcpt, NoRcpt, macros) {
		return Reply{Action: Continue}, c.err
	}
	return c.envelope(StageRcpt, to, args, NoReplyRcpt)
}

func (c *Client) envelope(st Stage, addr string, args []string, unanswered uint32) (Reply, error) {
	f := c.open(byte(st))
	c.path(addr)
	for _, a := range args {
		c.str(a)
	}
	return c.finish(f, st, unanswered)
}

// Data tells of DATA. Milters of versions 2 and 3 do not know it and are told nothing.
func (c *Client) Data(macros ...string) (Reply, error) {
	if c.agreed.Version < versionData || !c.wanted(StageData, NoData, macros) {
		return Reply{Action: Continue}, c.err
	}
	return c.finish(c.open(byte(StageData)), StageData, NoReplyData)
}

// Header shows a header field. The value comes as it stands in the message after the colon and one space; folded
// lines are separated by "\n". Where the milter wants the space, it is put there.
func (c *Client) Header(name, value string, macros ...string) (Reply, error) {
	if !c.wanted(StageHeader, NoHeaders, macros) {
		return Reply{Action: Continue}, c.err
	}
	f := c.open(byte(StageHeader))
	c.str(name)
	if c.agreed.Protocol&LeadingSpace != 0 {
		c.w = append(c.w, ' ')
	}
	c.str(value)
	return c.finish(f, StageHeader, NoReplyHeader)
}

// EndOfHeaders tells that there are no more header fields.
func (c *Client) EndOfHeaders(macros ...string) (Reply, error) {
	if !c.wanted(StageEOH, NoEOH, macros) {
		return Reply{Action: Continue}, c.err
	}
	return c.finish(c.open(byte(StageEOH)), StageEOH, NoReplyEOH)
}

// Body shows body data, lines ended by CRLF, in as many chunks as it takes (65535 bytes each); it stops at an answer
// other than Continue.
func (c *Client) Body(data []byte, macros ...string) (Reply, error) {
	for {
		if !c.wanted(StageBody, NoBody, macros) {
			return Reply{Action: Continue}, c.err
		}
		chunk := data[:min(len(data), maxBody)]
		data = data[len(chunk):]
		f := c.open(byte(StageBody))
		c.w = append(c.w, chunk...)
		r, err := c.finish(f, StageBody, NoReplyBody)
		if err != nil || len(data) == 0 || r.Action != Continue {
			return r, err
		}
	}
}

// EndOfMessage tells that the message is complete, and returns the changes the milter makes to it, in their order,
// with its decision. It is always sent and always answered.
func (c *Client) EndOfMessage(macros ...string) (Reply, []Mod, error) {
	c.wanted(StageEOM, 0, macros)
	r, err := c.finish(c.open(byte(StageEOM)), StageEOM, 0)
	return r, c.mods, err
}

// Unknown tells of an SMTP command that the MTA does not know. Milters of version 2 are told nothing.
func (c *Client) Unknown(command string, macros ...string) (Reply, error) {
	if c.agreed.Version < versionUnknown || !c.wanted(StageUnknown, NoUnknown, macros) {
		return Reply{Action: Continue}, c.err
	}
	f := c.open(byte(StageUnknown))
	c.str(command)
	return c.finish(f, StageUnknown, NoReplyUnknown)
}

// Abort ends the current message. It has no answer, and is held back until something is sent that has one.
func (c *Client) Abort() error {
	c.skip = 0
	c.shut(c.open(cmdAbort))
	return c.err
}

// QuitNewConnection ends the SMTP session but not the milter connection: a Connect follows. It has no answer, and is
// held back as Abort is.
func (c *Client) QuitNewConnection() error {
	c.skip = 0
	c.play = playing{}
	c.shut(c.open(cmdQuitNew))
	return c.err
}

// Quit says goodbye and closes the connection.
func (c *Client) Quit() error {
	if c.play.abortAtQuit {
		c.shut(c.open(cmdAbort))
	}
	c.shut(c.open(cmdQuit))
	c.flush()
	if err := c.Close(); c.err == nil {
		return err
	}
	return c.err
}

// Close closes the connection without a word, as an MTA that dies does. What is held back is lost.
func (c *Client) Close() error { return c.conn.Close() }
