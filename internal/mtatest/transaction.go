package mtatest

import (
	"slices"
	"strings"
)

// Transaction is one message and the SMTP session that brings it. The zero value of a field is what is usual: the
// client "unknown", no authentication, a queue id and a daemon name made up.
type Transaction struct {
	Client     string // IP address, "unix:/path" or "" (unknown)
	ClientName string // the client's host name; "" where the address has none
	Port       uint16 // the client's port
	Helo       string
	Daemon     string            // {daemon_name}
	Auth       string            // {auth_authen}: the login name; "" is not authenticated
	QueueID    string            // i
	Macros     map[string]string // more macros, or other values, by their names as milters ask for them: "i", "{tls_version}"
	From       string            // reverse-path without angle brackets; "" is the null sender
	MailArgs   []string          // ESMTP parameters of MAIL FROM
	Rcpts      []Rcpt
	Headers    []Header
	Body       []byte // lines ended by CRLF
}

// Rcpt is a recipient as it stands in RCPT TO.
type Rcpt struct {
	Addr   string   // without angle brackets
	Args   []string // ESMTP parameters
	Mailer string   // {rcpt_mailer}; "" is "local"
	Host   string   // {rcpt_host}; "" is the domain
	User   string   // {rcpt_addr}; "" is Addr

	// Unknown is a recipient that the MTA itself refuses with 550 5.1.1. A milter is shown it only where it negotiated
	// WantRejected, and has no say.
	Unknown bool
}

// Header is a header field. The value comes without the space after the colon; folded lines are separated by "\n".
type Header struct{ Name, Value string }

// To makes recipients of addresses.
func To(addrs ...string) []Rcpt {
	rcpts := make([]Rcpt, len(addrs))
	for i, a := range addrs {
		rcpts[i].Addr = a
	}
	return rcpts
}

// Result is what became of a transaction.
type Result struct {
	// Stage is where it was decided: StageEOM where the milter saw all of it, StageRcpt where no recipient was left.
	Stage Stage
	// Reply is the deciding answer: Accept where the message was taken, be it by Continue at the end of the message.
	// Where no recipient was left it is the answer to the last one.
	Reply Reply
	// Rcpts are the answers to the recipients, in their order; the zero Reply where one was not shown to the milter.
	Rcpts []Reply
	// Mods are the changes to the message, in their order.
	Mods []Mod
}

// Accepted says whether the message was taken to be delivered.
func (r Result) Accepted() bool { return r.Reply.Action == Accept }

// Mod is the first change of a kind (to the header of that name, if one is given), or nil.
func (r Result) Mod(kind ModKind, name ...string) *Mod {
	for i, m := range r.Mods {
		if m.Kind == kind && (len(name) == 0 || strings.EqualFold(m.Name, name[0])) {
			return &r.Mods[i]
		}
	}
	return nil
}

// Apply is the transaction after the changes, as an MTA goes on with it: envelope, headers and body. Only recipients
// that were not refused remain.
func (r Result) Apply(tx Transaction) Transaction {
	out := tx
	out.Rcpts, out.Headers = nil, append([]Header(nil), tx.Headers...)
	for i, rc := range tx.Rcpts {
		if !rc.Unknown && (i >= len(r.Rcpts) || !r.Rcpts[i].Refuses()) {
			out.Rcpts = append(out.Rcpts, rc)
		}
	}
	replaced := false
	for _, m := range r.Mods {
		switch m.Kind {
		case ChangeFrom:
			out.From = m.Value
		case AddRcpt, AddRcptPar:
			out.Rcpts = append(out.Rcpts, Rcpt{Addr: m.Value, Args: strings.Fields(m.Args)})
		case DelRcpt:
			out.Rcpts = slices.DeleteFunc(out.Rcpts, func(rc Rcpt) bool { return rc.Addr == m.Value })
		case AddHeader:
			out.Headers = append(out.Headers, Header{m.Name, m.Value})
		case InsertHeader:
			out.Headers = slices.Insert(out.Headers, min(m.Index, len(out.Headers)), Header{m.Name, m.Value})
		case ChangeHeader:
			out.Headers = changeHeader(out.Headers, m)
		case ReplaceBody:
			if !replaced {
				out.Body, replaced = nil, true
			}
			out.Body = append(out.Body, m.Value...)
		case Quarantine:
		}
	}
	return out
}

// changeHeader replaces or removes the header of that name and index; one that is not there is added.
func changeHeader(hs []Header, m Mod) []Header {
	nth := 0
	for i := range hs {
		if strings.EqualFold(hs[i].Name, m.Name) {
			nth++
		}
		if nth < max(m.Index, 1) {
			continue
		}
		if m.Value == "" {
			return slices.Delete(hs, i, i+1)
		}
		hs[i].Value = m.Value
		return hs
	}
	if m.Value == "" {
		return hs
	}
	return append(hs, Header{m.Name, m.Value})
}
