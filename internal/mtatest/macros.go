package mtatest

import (
	"net/netip"
	"strconv"
	"strings"
)

// dialect is how an MTA's side of the protocol differs from another's.
type dialect struct {
	macros         map[Stage][]string // sent where the milter asks for none in particular
	headerMacros   bool               // macros come with headers and body chunks too
	macrosOfUnseen bool               // macros come for a recipient that the milter is not shown
	emptyMacros    bool               // a macro frame is sent for a stage that has no list, too
	eager          bool               // each frame is a write of its own
	queueIDAtMail  bool               // i is known at MAIL and not after the first recipient only
	alwaysAborts   bool               // ABORT after each message, and before QUIT
	ipv6Prefix     string             // before an IPv6 address
	nameless       string             // what stands before the address in _ where the client has no name
	version        string             // v
	daemon         string             // {daemon_name} if the configuration says nothing
}

// The MTA's own name and the queue id, in macros, where a transaction does not say.
const (
	hostName = "mail.example.com"
	queueID  = "4TabcD99999"
)

// postfix and sendmail are read and never written: the lists are those of Postfix's milter_*_macros and of
// confMILTER_MACROS_* in Sendmail's cf/README, as far as both have a value for them here.
var postfix = dialect{
	macros: map[Stage][]string{
		StageConnect: {"j", "{daemon_name}", "{daemon_addr}", "v", "_"},
		StageHelo:    {"{tls_version}", "{cipher}", "{cipher_bits}", "{cert_subject}", "{cert_issuer}"},
		StageMail:    {"i", "{auth_type}", "{auth_authen}", "{auth_author}", "{mail_addr}", "{mail_host}", "{mail_mailer}"},
		StageRcpt:    {"i", "{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}"},
		StageData:    {"i"},
		StageEOH:     {"i"},
		StageEOM:     {"i"},
	},
	headerMacros: true,
	emptyMacros:  true,
	alwaysAborts: true,
	nameless:     "unknown ",
	version:      "Postfix 3.7.11",
	daemon:       hostName,
}

var sendmail = dialect{
	macros: map[Stage][]string{
		StageConnect: {"j", "_", "{daemon_name}", "{if_name}", "{if_addr}"},
		StageHelo:    {"{tls_version}", "{cipher}", "{cipher_bits}", "{cert_subject}", "{cert_issuer}"},
		StageMail:    {"i", "{auth_type}", "{auth_authen}", "{auth_ssf}", "{auth_author}", "{mail_mailer}", "{mail_host}", "{mail_addr}"},
		StageRcpt:    {"{rcpt_mailer}", "{rcpt_host}", "{rcpt_addr}"},
		StageEOM:     {"{msg_id}"},
	},
	macrosOfUnseen: true,
	eager:          true,
	queueIDAtMail:  true,
	ipv6Prefix:     "IPv6:",
	version:        "8.17.1",
	daemon:         "MTA",
}

// say sends the macros of a stage: those the milter asked for, or the MTA's own choice, as far as they have a value.
// rc is the recipient at StageRcpt.
func (c *Client) say(tx *Transaction, st Stage, rc *Rcpt) {
	mta := c.play.mta
	if (st == StageHeader || st == StageBody) && !mta.headerMacros || c.skipped(st) {
		return
	}
	list := c.agreed.Macros[macroStage(st)]
	if len(list) == 0 {
		list = mta.macros[macroStage(st)]
	}
	if len(list) == 0 && !mta.emptyMacros {
		return
	}
	f := c.openMacros(st)
	for _, name := range list {
		if v, ok := c.value(tx, rc, name); ok {
			c.str(name)
			c.str(v)
		}
	}
	c.shut(f)
}

// value is what the MTA has for a macro.
func (c *Client) value(tx *Transaction, rc *Rcpt, name string) (value string, ok bool) {
	if v, ok := tx.Macros[name]; ok {
		return v, true
	}
	name = bare(name)
	switch {
	case rc != nil && strings.HasPrefix(name, "rcpt_"):
		return rc.value(name)
	case strings.HasPrefix(name, "client_"):
		return tx.clientValue(c.play.mta, name)
	case strings.HasPrefix(name, "mail_"), strings.HasPrefix(name, "auth_"):
		return tx.mailValue(name)
	}
	switch name {
	case "i":
		return or(tx.QueueID, queueID), c.play.queued
	case "j", "if_name":
		return hostName, true
	case "v":
		return c.play.mta.version, true
	case "_":
		if tx.ClientName != "" {
			return tx.ClientName + " [" + tx.Client + "]", true
		}
		return c.play.mta.nameless + "[" + or(tx.Client, "unknown") + "]", true
	case "daemon_name":
		return or(tx.Daemon, c.play.mta.daemon), true
	case "daemon_addr", "if_addr":
		return "192.0.2.25", true
	case "daemon_port":
		return "25", true
	case "msg_id":
		return tx.messageID(), true
	}
	return "", false
}

func (tx *Transaction) clientValue(mta *dialect, name string) (value string, ok bool) {
	switch name {
	case "client_addr":
		if ip, err := netip.ParseAddr(tx.Client); err == nil && ip.Is6() {
			return mta.ipv6Prefix + tx.Client, true
		}
		return or(tx.Client, "unknown"), true
	case "client_name", "client_ptr":
		return or(tx.ClientName, "unknown"), true
	case "client_port":
		return strconv.Itoa(int(tx.Port)), true
	}
	return "", false
}

func (tx *Transaction) mailValue(name string) (value string, ok bool) {
	switch name {
	case "auth_type":
		return "PLAIN", tx.Auth != ""
	case "auth_authen":
		return tx.Auth, tx.Auth != ""
	case "mail_addr":
		return tx.From, true
	case "mail_host":
		return domain(tx.From), true
	case "mail_mailer":
		return "smtp", true
	}
	return "", false
}

// value is what the MTA has to say of a recipient; of one that it refuses, what is wrong with it.
func (rc *Rcpt) value(name string) (value string, ok bool) {
	mailer, host, addr := or(rc.Mailer, "local"), or(rc.Host, domain(rc.Addr)), or(rc.User, rc.Addr)
	if rc.Unknown {
		mailer, host, addr = "error", "5.1.1", "Recipient address rejected: User unknown"
	}
	switch name {
	case "rcpt_mailer":
		return mailer, true
	case "rcpt_host":
		return host, true
	case "rcpt_addr":
		return addr, true
	}
	return "", false
}

// messageID is the message's own, or the one that Sendmail will give it.
func (tx *Transaction) messageID() string {
	for _, h := range tx.Headers {
		if strings.EqualFold(h.Name, "Message-ID") {
			return h.Value
		}
	}
	return "<" + or(tx.QueueID, queueID) + "@" + hostName + ">"
}

func domain(addr string) string {
	return addr[strings.LastIndexByte(addr, '@')+1:]
}
