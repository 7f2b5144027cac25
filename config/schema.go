package config

import (
	"io/fs"
	"log/slog"
	"net/netip"
	"regexp"
	"slices"
	"time"
)

// The schema: every key of the file with what it may be, in the order of the
// file. Reading, refusing, suggesting, and the tests of examples/config.toml
// all follow from it.

func schema() []key[Config] {
	return slices.Concat(topKeys(), batvKeys(), classifyKeys(), originKeys(), floodKeys(),
		within("exempt", exemptKeys(), func(c *Config) *Exempt { return &c.Exempt }),
		policyKeys(func(c *Config) *Policy { return &c.Policy }),
		tableKeys(), adminKeys())
}

const (
	networkAllowed = `a network such as "192.0.2.0/24" or "2001:db8::/32", or an address`
	nameAllowed    = `a host name such as "mail.example.com"`
	fileAllowed    = "the name of a file"
	storeAllowed   = fileAllowed + `, or "redis://host:6379/0", or the same with rediss:// for TLS`
	urlAllowed     = `"", or an http or https URL of at most 200 ASCII characters; the only braces allowed are those of "{reason}"`
)

func topKeys() []key[Config] {
	return []key[Config]{
		many("listen", listenerAllowed, listener, func(c *Config) *[]Listener { return &c.Listen }),
		choice("mode", func(c *Config) *Mode { return &c.Mode }, modes()...),
		choice("stage", func(c *Config) *Stage { return &c.Stage }, StageAuto, StageRcpt, StageData, StageEOM),
		domains("domains", func(c *Config) *DomainSet { return &c.Domains }),
		many("trusted_networks", networkAllowed, network, func(c *Config) *Networks { return &c.TrustedNetworks }),
		many("inbound_relays", networkAllowed, network, func(c *Config) *Networks { return &c.InboundRelays }),
		many("originating_daemons", "a word, the name of a daemon", word, func(c *Config) *[]string { return &c.OriginatingDaemons }),
		many("null_like", `a local part such as "mailer-daemon"`, nullLike, func(c *Config) *[]string { return &c.NullLike }),
		addresses("never_sends", func(c *Config) *Addresses { return &c.NeverSends }),
		many("public_addresses", `an address such as "192.0.2.25"`, publicAddress, func(c *Config) *[]netip.Addr { return &c.PublicAddresses }),
		many("our_relays", nameAllowed, hostName, func(c *Config) *[]string { return &c.OurRelays }),
		one("all_mail_here", "true or false", boolean, func(c *Config) *bool { return &c.AllMailHere }),
		one("store", storeAllowed, store, func(c *Config) *string { return &c.Store }),
		one("socket_mode", `octal digits in quotes, such as "0660"`, socketMode, func(c *Config) *fs.FileMode { return &c.SocketMode }),
		one("socket_group", `the name of a group, or ""`, text, func(c *Config) *string { return &c.SocketGroup }),
		one("max_connections", "a whole number from 1 to 1000000", between(1, 1e6), func(c *Config) *int { return &c.MaxConnections }),
		one("explain_url", urlAllowed, explainURL, func(c *Config) *string { return &c.ExplainURL }),
	}
}

func batvKeys() []key[Config] {
	return []key[Config]{
		one("batv.sign", signAllowed, sign, func(c *Config) *Sign { return &c.BATV.Sign }),
		one("batv.probe", `"host:port" of the MTA`, hostPort, func(c *Config) *string { return &c.BATV.Probe }),
		choice("batv.layout", func(c *Config) *Layout { return &c.BATV.Layout }, LayoutAuto, LayoutPRVS, LayoutSubaddress),
		one("batv.delimiter", delimiterAllowed, delimiter, func(c *Config) *string { return &c.BATV.Delimiter }),
		one("batv.keys", fileAllowed, fileName, func(c *Config) *string { return &c.BATV.Keys }),
		one("batv.lifetime", lifetimeAllowed, wholeDays(1, 99), func(c *Config) *time.Duration { return &c.BATV.Lifetime }),
		addresses("batv.unsigned_senders", func(c *Config) *Addresses { return &c.BATV.UnsignedSenders }),
		destinations("batv.unsigned_destinations", func(c *Config) *Destinations { return &c.BATV.UnsignedDestinations }),
	}
}

const (
	signAllowed = `"auto", true or false`

	delimiterAllowed = `one character such as "+" or "-": no letter, digit, "=", "%" or "!", and none that needs quotes in an address`

	// Tags count days and name the one on which they expire by its last three
	// digits (draft-levine-smtp-batv-01, section 3.1), so every tag is valid
	// again after 1000 days, for as long as its lifetime. 99 days keep that
	// below a tenth of the time.
	lifetimeAllowed = `whole days from "1d" to "99d", because a tag names its last day by three digits only and is valid again 1000 days later`
)

func classifyKeys() []key[Config] {
	return []key[Config]{
		one("classify.memos", "true or false", boolean, func(c *Config) *bool { return &c.Classify.Memos }),
		one("classify.max_body", `a size from "1KiB" to "64MiB"`, size(1<<10, 64<<20), func(c *Config) *int64 { return &c.Classify.MaxBody }),
	}
}

func originKeys() []key[Config] {
	return []key[Config]{
		one("origin.ledger", `whole days from "1d" to "365d"`, wholeDays(1, 365), func(c *Config) *time.Duration { return &c.Origin.Ledger }),
		one("origin.dkim", "true or false", boolean, func(c *Config) *bool { return &c.Origin.DKIM }),
		dkimKeys("origin.dkim_keys", func(c *Config) *map[string]string { return &c.Origin.DKIMKeys }),
		many("origin.resolvers", resolverAllowed, resolver, func(c *Config) *[]string { return &c.Origin.Resolvers }),
	}
}

const resolverAllowed = `the address of a DNS server, such as "192.0.2.53", "192.0.2.53:5353" or "[2001:db8::53]:53"`

func floodKeys() []key[Config] {
	const (
		count  = "a whole number from 1 to 1000000"
		window = `a time from "1s" to "1d"`
		block  = `a time from "1s" to "30d"`
	)
	return []key[Config]{
		one("flood.threshold", count, between(1, 1e6), func(c *Config) *int { return &c.Flood.Threshold }),
		one("flood.window", window, duration(time.Second, day), func(c *Config) *time.Duration { return &c.Flood.Window }),
		one("flood.recipient_threshold", count, between(1, 1e6), func(c *Config) *int { return &c.Flood.RecipientThreshold }),
		one("flood.recipient_window", window, duration(time.Second, day), func(c *Config) *time.Duration { return &c.Flood.RecipientWindow }),
		one("flood.block", block, duration(time.Second, 30*day), func(c *Config) *time.Duration { return &c.Flood.Block }),
		one("flood.max_block", block, duration(time.Second, 30*day), func(c *Config) *time.Duration { return &c.Flood.MaxBlock }),
		one("flood.surge", count, between(1, 1e6), func(c *Config) *int { return &c.Flood.Surge }),
		one("flood.proven_alarm", count, between(1, 1e6), func(c *Config) *int { return &c.Flood.ProvenAlarm }),
	}
}

func exemptKeys() []key[Exempt] {
	return []key[Exempt]{
		many("clients", networkAllowed, network, func(e *Exempt) *Networks { return &e.Clients }),
		addresses("senders", func(e *Exempt) *Addresses { return &e.Senders }),
		addresses("recipients", func(e *Exempt) *Addresses { return &e.Recipients }),
		headers("headers", func(e *Exempt) *Headers { return &e.Headers }),
	}
}

// policyKeys has a key for every reason.
func policyKeys[S any](at func(*S) *Policy) []key[S] {
	var keys []key[S]
	for _, reason := range reasons() {
		keys = append(keys, policyKey(reason, at))
	}
	return keys
}

func tableKeys() []key[Config] {
	return []key[Config]{
		repeated("rule", ruleKeys(), func() Rule { return Rule{} }, func(c *Config) *[]Rule { return &c.Rules }),
		repeated("dnsbl", zoneKeys(), func() Zone { return defaultZone("") }, func(c *Config) *[]Zone { return &c.DNSBL }),
		repeated("domain", domainKeys(), func() Domain { return Domain{} }, func(c *Config) *[]Domain { return &c.DomainSettings }),
	}
}

func ruleKeys() []key[Rule] {
	return []key[Rule]{
		one("header", `the name of a header field, such as "From"`, fieldName, func(r *Rule) *string { return &r.Header }).must(),
		one("match", `a regular expression, such as "(?i)mailer"`, expression, func(r *Rule) **regexp.Regexp { return &r.Match }).must(),
		choice("class", func(r *Rule) *string { return &r.Class }, "dsn", "bounce", "auto-reply", "challenge",
			"receipt", "report", "calendar", "virus-notice", "list", "ordinary").must(),
	}
}

func zoneKeys() []key[Zone] {
	return []key[Zone]{
		one("zone", `the name of a zone, such as "ips.backscatterer.org"`, hostName, func(z *Zone) *string { return &z.Name }).must(),
		many("codes", `an address in 127.0.0.0/8, such as "127.0.0.2"`, listingCode, func(z *Zone) *[]netip.Addr { return &z.Codes }),
		many("resolvers", resolverAllowed, resolver, func(z *Zone) *[]string { return &z.Resolvers }),
		one("timeout", `a time from "100ms" to "30s"`, duration(time.Second/10, 30*time.Second), func(z *Zone) *time.Duration { return &z.Timeout }),
		one("ipv6", "true or false", boolean, func(z *Zone) *bool { return &z.IPv6 }),
	}
}

func domainKeys() []key[Domain] {
	return slices.Concat([]key[Domain]{
		one("name", `the name of a domain, such as "example.com"`, hostName, func(d *Domain) *string { return &d.Name }).must(),
		choice("mode", func(d *Domain) *Mode { return &d.Mode }, modes()...),
		one("all_mail_here", "true or false", ref(boolean), func(d *Domain) **bool { return &d.AllMailHere }),
		addresses("never_sends", func(d *Domain) *Addresses { return &d.NeverSends }),
		one("batv.sign", signAllowed, sign, func(d *Domain) *Sign { return &d.BATV.Sign }),
		addresses("batv.unsigned_senders", func(d *Domain) *Addresses { return &d.BATV.UnsignedSenders }),
		destinations("batv.unsigned_destinations", func(d *Domain) *Destinations { return &d.BATV.UnsignedDestinations }),
	},
		policyKeys(func(d *Domain) *Policy { return &d.Policy }),
		within("exempt", exemptKeys(), func(d *Domain) *Exempt { return &d.Exempt }))
}

func adminKeys() []key[Config] {
	return []key[Config]{
		one("admin.listen", `"host:port", "unix:/path", or "" for none`, adminListen, func(c *Config) *string { return &c.Admin.Listen }),
		one("admin.token", `"" or at least 16 printable ASCII characters without spaces`, token, func(c *Config) *string { return &c.Admin.Token }),
		one("admin.control", fileAllowed, fileName, func(c *Config) *string { return &c.Admin.Control }),
		one("log.level", `"debug", "info", "warn" or "error"`, level, func(c *Config) *slog.Level { return &c.Log.Level }),
		choice("log.format", func(c *Config) *LogFormat { return &c.Log.Format }, FormatText, FormatJSON),
		choice("log.privacy", func(c *Config) *Privacy { return &c.Log.Privacy }, PrivacyFull, PrivacyDomain, PrivacyHash),
	}
}
