package policy

import (
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/config"
)

// Settings is the immutable form of the configuration that transactions are
// judged by: a snapshot taken at MAIL FROM serves the message to its end.
type Settings struct {
	Mode   config.Mode
	Stage  config.Stage
	Tags   batv.Scheme
	config *config.Config
	proven *ProvenKeys
	action []config.Action // of each row of the table
}

// NewSettings resolves the configuration into Settings. The keyring may be nil
// where there are no keys: then nothing is signed and every tag is unknown.
func NewSettings(cfg *config.Config, keys *batv.Keyring, proven *ProvenKeys) *Settings {
	s := &Settings{
		Mode:   cfg.Mode,
		Stage:  cfg.Stage,
		config: cfg,
		proven: proven,
		Tags:   Scheme(cfg, keys),
	}
	for _, r := range table {
		s.action = append(s.action, s.resolve(r))
	}
	return s
}

// Scheme is how the configuration has tags made and verified. Where it leaves
// the layout open, tags stand in front.
func Scheme(cfg *config.Config, keys *batv.Keyring) batv.Scheme {
	layout := batv.LayoutPRVS
	if cfg.BATV.Layout == config.LayoutSubaddress {
		layout = batv.LayoutSubaddress
	}
	return batv.Scheme{
		Keys:      keys,
		Layout:    layout,
		Delimiter: cfg.BATV.Delimiter[0],
		Lifetime:  int(cfg.BATV.Lifetime / (24 * time.Hour)),
	}
}

// resolve is the one place where a reason becomes an action. "auto" refuses
// once a domain is strict; until strictness is kept account of, it marks.
func (s *Settings) resolve(r row) config.Action {
	action, set := s.config.Policy[string(r.reason)]
	if !set {
		action = r.action
	}
	if action == config.ActionAuto {
		return config.ActionMark
	}
	return action
}

// Action tells what the given reason leads to.
func (s *Settings) Action(reason Reason) config.Action {
	for i, r := range table {
		if r.reason == reason {
			return s.action[i]
		}
	}
	return config.ActionAccept
}

// Ours reports whether the address lies in a domain of this site.
func (s *Settings) Ours(address string) bool {
	at := strings.LastIndexByte(address, '@')
	return at >= 0 && s.config.Domains.Match(address[at+1:])
}

// ExplainURL is the address, if any, that refusals show.
func (s *Settings) ExplainURL() string { return s.config.ExplainURL }

// JudgesHeaders reports whether header fields can exempt a message.
func (s *Settings) JudgesHeaders() bool { return len(s.config.Exempt.Headers) > 0 }

// earliest is the first stage at which a row may decide under these settings:
// [stage] "rcpt" and "data" bring the refusal of untagged notifications
// forward, at the price of refusing callouts ("rcpt") and untagged proofs.
func (s *Settings) earliest(r row) Stage {
	if r.reason == TagMissing {
		switch s.Stage {
		case config.StageRcpt:
			return AtRcpt
		case config.StageData:
			return AtData
		}
	}
	return r.from
}
