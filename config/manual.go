package config

import "slices"

// Key is what the manual says of one key of the file, apart from the words
// that examples/config.toml has for it.
type Key struct {
	Path     string // "batv.lifetime"; those of a [[table]] are "TABLE.KEY"
	Allowed  string // what its value may be, or each item of a list
	Example  string // a value that is allowed and not the default, as TOML
	Required bool   // its [[table]] cannot do without it
	Restart  bool   // a change takes effect after a restart
}

// Keys lists every key of the file, in the order of the file.
func Keys() []Key {
	list := describe(schema())
	values := examples()
	for i, k := range list {
		list[i].Example = values[k.Path]
		list[i].Restart = slices.Contains(restartKeys(), k.Path)
	}
	return list
}

// describe lists the keys of a schema, with those of repeated tables.
func describe[S any](keys []key[S]) []Key {
	var list []Key
	for _, k := range keys {
		if k.below == nil {
			list = append(list, Key{Path: k.path, Allowed: k.allowed, Required: k.required})
		}
		for _, item := range k.below {
			item.Path = join(k.path, item.Path)
			list = append(list, item)
		}
	}
	return list
}

// examples gives for every key a value that somebody might write: one that is
// allowed and not the default.
func examples() map[string]string {
	values := map[string]string{
		"listen":              `["unix:/var/spool/postfix/backscatter-milter/milter.sock"]`,
		"mode":                `"monitor"`,
		"stage":               `"data"`,
		"domains":             `["example.com", "*.example.com"]`,
		"trusted_networks":    `["127.0.0.0/8", "::1/128", "192.0.2.0/24"]`,
		"inbound_relays":      `["198.51.100.7"]`,
		"originating_daemons": `["SUBMISSION"]`,
		"null_like":           `["mailer-daemon"]`,
		"never_sends":         `["info@example.com"]`,
		"public_addresses":    `["192.0.2.25", "2001:db8::25"]`,
		"our_relays":          `["mail.example.com"]`,
		"all_mail_here":       `true`,
		"store":               `"/var/lib/backscatter-milter/other.db"`,
		"socket_mode":         `"0666"`,
		"socket_group":        `"postfix"`,
		"max_connections":     `10000`,
		"explain_url":         `"https://example.com/bounces#{reason}"`,

		"batv.sign": `true`, "batv.probe": `"[::1]:25"`, "batv.layout": `"subaddress"`, "batv.delimiter": `"-"`,
		"batv.keys": `"/etc/backscatter-milter/keys.toml"`, "batv.lifetime": `"7d"`,
		"batv.unsigned_senders":      `["news@example.com"]`,
		"batv.unsigned_destinations": `["list@example.net", "lists.example.org"]`,

		"classify.memos": `false`, "classify.max_body": `"1MiB"`,
		"rule.header": `"Subject"`, "rule.match": `"^Undeliverable: "`, "rule.class": `"bounce"`,
		"dnsbl.zone": `"bl.example.org"`, "dnsbl.codes": `["127.0.0.2", "127.0.0.3"]`, "dnsbl.resolvers": `["192.0.2.53"]`,
		"dnsbl.timeout": `"1s"`, "dnsbl.ipv6": `true`,
		"origin.ledger": `"30d"`, "origin.dkim": `false`, "origin.resolvers": `["[::1]:53"]`,
		"origin.dkim_keys": `{ "s1._domainkey.example.com" = "s1.txt" }`,

		"flood.threshold": `1000`, "flood.window": `"1m"`, "flood.recipient_threshold": `100`,
		"flood.recipient_window": `"1h"`, "flood.block": `"1h"`, "flood.max_block": `"1d"`, "flood.surge": `300`,
		"flood.proven_alarm": `500`,

		"domain.name": `"example.com"`, "domain.mode": `"monitor"`, "domain.all_mail_here": `true`,
		"domain.never_sends": `["info@example.com"]`, "domain.batv.sign": `false`,
		"domain.batv.unsigned_senders":      `["news@example.com"]`,
		"domain.batv.unsigned_destinations": `["*.example.net"]`,

		"admin.listen": `"unix:/run/backscatter-milter/admin.sock"`, "admin.token": `"5dc8b1f0a2f64be3"`,
		"admin.control": `"/run/backscatter-milter/control.sock"`,
		"log.level":     `"debug"`, "log.format": `"json"`, "log.privacy": `"hash"`,
	}
	for _, table := range []string{"", "domain."} {
		values[table+"exempt.clients"] = `["192.0.2.10"]`
		values[table+"exempt.senders"] = `["*@monitor.example.net"]`
		values[table+"exempt.recipients"] = `["helpdesk@example.com"]`
		values[table+"exempt.headers"] = `{ "X-Monitor" = "^5dc8b1f0a2f6" }`
		for _, reason := range reasons() {
			values[table+"policy."+reason.name] = `"quarantine"`
		}
	}
	return values
}
