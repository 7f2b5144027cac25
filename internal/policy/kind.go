package policy

import (
	"net/netip"
	"strings"
)

// Kind says what a transaction is, and with it what may happen to it.
type Kind uint8

// The kinds.
const (
	HandsOff        Kind = iota // mode = "off", or no transaction at all: nothing is done
	Ordinary                    // inbound with an ordinary sender: never judged, tags taken off
	InboundNull                 // inbound with a null sender: judged
	Outbound                    // from a trusted client, reverse-path ours: signed
	OwnNotification             // from a trusted client, null sender: tags taken off
	Relayed                     // from a trusted client, reverse-path not ours: tags taken off
)

// String gives the kind's name in the log.
func (k Kind) String() string {
	return [...]string{"hands-off", "ordinary", "null-sender", "outbound", "own-notification", "relayed"}[k]
}

// Sends reports whether the message is one that this site sends, in whoever's
// name: what would answer it is to be recognised.
func (k Kind) Sends() bool { return k == Outbound || k == Relayed || k == OwnNotification }

// Untrusted reports whether what the message says of itself counts for nothing.
func (k Kind) Untrusted() bool { return k == Ordinary || k == InboundNull }

// Client is who hands the MTA the message, as the milter protocol tells it.
type Client struct {
	Addr   netip.Addr // zero where the MTA knows none
	Local  bool       // the message did not come by SMTP: a process of this machine, or the MTA itself, handed it over
	Daemon string     // {daemon_name}
}

// Envelope is what is known when MAIL FROM has been given.
type Envelope struct {
	Client Client
	Auth   string // {auth_authen}; only whether it is empty counts
	Sender string // reverse-path without angle brackets, "" for the null sender
}

// sort tells the kind of a transaction.
func (s *Settings) sort(e Envelope) Kind {
	if s.off {
		return HandsOff
	}
	null := e.Sender == "" || s.nullLike(e.Sender)
	if !s.trusts(e) {
		if null {
			return InboundNull
		}
		return Ordinary
	}
	switch {
	case e.Sender == "":
		return OwnNotification
	case s.handled(e.Sender):
		return Outbound
	}
	return Relayed
}

// trusts reports whether the client sends on this site's behalf. A network in
// inbound_relays brings outside mail even from inside trusted_networks; a user
// who authenticated there is trusted all the same, and so is what did not come
// by SMTP: a content filter on this machine is an inbound relay at 127.0.0.1,
// while sendmail(1) and the MTA's own notifications bear that address, too.
func (s *Settings) trusts(e Envelope) bool {
	if e.Auth != "" || e.Client.Local {
		return true
	}
	if s.config.InboundRelays.Contains(e.Client.Addr) {
		return false
	}
	if s.config.TrustedNetworks.Contains(e.Client.Addr) {
		return true
	}
	for _, name := range s.config.OriginatingDaemons {
		if name == e.Client.Daemon {
			return true
		}
	}
	return false
}

// nullLike reports whether the sender's local part is listed in null_like,
// whatever its case: software that bounces from postmaster@ and the like.
func (s *Settings) nullLike(sender string) bool {
	if len(s.config.NullLike) == 0 {
		return false
	}
	local := sender
	if at := strings.LastIndexByte(sender, '@'); at >= 0 {
		local = sender[:at]
	}
	for _, name := range s.config.NullLike {
		if strings.EqualFold(name, local) {
			return true
		}
	}
	return false
}
