package main

import (
	"fmt"
	"net"

	"github.com/backscatter-milter/backscatter-milter/config"
)

// introduce says what the daemon will and will not do, and which lines make
// an MTA ask it.
func (d *daemon) introduce() {
	log := d.journal.Log()
	for _, why := range idle(d.current().cfg) {
		log.Warn(why)
	}
	if len(d.mail) == 0 {
		return
	}
	at := reachable(d.mail[0].Addr())
	address := mtaAddress(at)
	log.Info("Postfix: add to main.cf", "line", "smtpd_milters = "+address)
	log.Info("Postfix: add to main.cf", "line", "non_smtpd_milters = "+address)
	log.Info("Postfix: add to main.cf", "line", "internal_mail_filter_classes = bounce")
	log.Info("Postfix: add to main.cf", "line", "milter_default_action = tempfail")
	log.Info("Sendmail: add to sendmail.mc", "line", fmt.Sprintf("INPUT_MAIL_FILTER(`backscatter', `S=%s, F=T, T=C:5s;S:5s;R:5s;E:10s')dnl", sendmailAddress(at)))
}

// idle tells what the configuration keeps the daemon from doing, and what it
// makes it do that is seldom wanted.
func idle(cfg *config.Config) []string {
	var why []string
	if cfg.Mode == config.ModeOff {
		return []string{`mode = "off": nothing is signed, judged or changed`}
	}
	if cfg.Domains.Empty() {
		why = append(why, "no domains are named: they are learned from mail that comes in and goes out, and until then nothing is signed, judged or changed")
	}
	if cfg.BATV.Sign == config.SignAuto {
		why = append(why, "nothing is signed until the MTA at "+cfg.BATV.Probe+" has been seen to accept tagged recipients")
	}
	switch cfg.Policy["tag-missing"] {
	case config.ActionReject, config.ActionTempfail, config.ActionDiscard:
		if cfg.BATV.Sign == config.SignOff {
			why = append(why, "[policy] tag-missing refuses, and this host does not sign: bounces of mail that no other host has signed are lost")
		}
		why = append(why, "[policy] tag-missing refuses every untagged message with a null sender, read receipts and reports among them")
	}
	return why
}

// reachable is where an MTA on this machine finds a listener that is bound to
// every address.
func reachable(a net.Addr) net.Addr {
	t, ok := a.(*net.TCPAddr)
	if !ok || !t.IP.IsUnspecified() {
		return a
	}
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: t.Port}
}

// mtaAddress writes a listener's address as Postfix names milters.
func mtaAddress(a net.Addr) string {
	if a.Network() == "unix" {
		return "unix:" + a.String()
	}
	return "inet:" + a.String()
}

// sendmailAddress writes it as Sendmail does: inet:port@host, inet6:port@host.
func sendmailAddress(a net.Addr) string {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return mtaAddress(a)
	}
	family := "inet"
	if t.IP.To4() == nil {
		family = "inet6"
	}
	return fmt.Sprintf("%s:%d@%s", family, t.Port, t.IP)
}
