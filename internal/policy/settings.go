package policy

import (
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/config"
)

// Settings is the immutable form of the configuration that transactions are
// judged by: a snapshot taken at MAIL FROM serves the message to its end.
type Settings struct {
	Stage  config.Stage
	Tags   batv.Scheme
	config *config.Config
	global *domain
	// domains has those with a [[domain]] table, by config.FoldDomain.
	domains map[string]*domain
	off     bool // hands off everything
	headers bool // in some domain header fields can exempt
	memos   bool // notifications with an ordinary sender are judged, too
	site    Site
	lists   Lists   // nil: none is asked
	origins Origins // nil: nothing but tags is known
	floods  Floods  // nil: nothing is counted

	thorough bool          // find out everything, not only what decides
	patience time.Duration // with lists; longestWait but in tests
}

// Sources are what facts are found out from. Only the Site is needed: rows whose
// source is missing never apply.
type Sources struct {
	Site    Site
	Lists   Lists
	Origins Origins
	Floods  Floods
}

// NewSettings resolves the configuration into Settings. The keyring may be nil
// where there are no keys: then nothing is signed and every tag is unknown.
func NewSettings(cfg *config.Config, keys *batv.Keyring, from Sources) *Settings {
	s := &Settings{
		Stage:   cfg.Stage,
		Tags:    Scheme(cfg, keys),
		config:  cfg,
		global:  globalDomain(cfg),
		domains: make(map[string]*domain),
		off:     cfg.Mode == config.ModeOff,
		headers: len(cfg.Exempt.Headers) > 0,
		memos:   cfg.Classify.Memos,
		site:    from.Site,
		lists:   from.Lists,
		origins: from.Origins,
		floods:  from.Floods,

		patience: longestWait,
	}
	for i := range cfg.DomainSettings {
		t := &cfg.DomainSettings[i]
		d := s.global.over(t)
		s.domains[config.FoldDomain(t.Name)] = d
		s.off = s.off && d.mode == config.ModeOff
		s.headers = s.headers || d.headers
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

// Ours reports whether the address lies in a domain of this site: one that is
// named, or where none are named one that has been learned.
func (s *Settings) Ours(address string) bool {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return false
	}
	if s.config.Domains.Empty() {
		return s.site.Ours(address[at+1:])
	}
	return s.config.Domains.Match(address[at+1:])
}

// handled is Ours for addresses of which hands are not off.
func (s *Settings) handled(address string) bool {
	return s.Ours(address) && s.domainOf(address).mode != config.ModeOff
}

// ExplainURL is the address, if any, that refusals show.
func (s *Settings) ExplainURL() string { return s.config.ExplainURL }

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

// blind reports whether the stage setting has tag-missing decided at this
// stage, before the message is seen.
func (s *Settings) blind(stage Stage) bool {
	return s.Stage == config.StageRcpt || s.Stage == config.StageData && stage >= AtData
}

// Classifying is how messages are to be classified.
func (s *Settings) Classifying() classify.Options {
	o := classify.Options{MaxBody: int(s.config.Classify.MaxBody)}
	for _, r := range s.config.Rules {
		o.Headers = append(o.Headers, classify.HeaderRule{Header: r.Header, Match: r.Match, Class: classify.Class(r.Class)})
	}
	return o
}
