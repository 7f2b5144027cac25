package daemon

import (
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/mtaconf"
)

// introduce says what the daemon will and will not do, and which lines make
// an MTA ask it.
func (d *daemon) introduce() {
	log := d.live.Log()
	for _, why := range Idle(d.current().cfg) {
		log.Warn(why)
	}
	if len(d.mail) == 0 {
		return
	}
	postfix, sendmail, err := mtaconf.MilterLines(mtaAddress(reachable(d.mail[0].Addr())))
	if err != nil {
		return // what to write then is not known by trial
	}
	for _, line := range postfix {
		log.Info("Postfix: add to main.cf", "line", line)
	}
	for _, line := range sendmail {
		log.Info("Sendmail: add to sendmail.mc", "line", line)
	}
	log.Info("more is told by: backscatter-milter setup postfix, or setup sendmail")
}

// Idle tells what the configuration keeps the daemon from doing, and what it
// makes it do that is seldom wanted.
func Idle(cfg *config.Config) []string {
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
