package mtaconf

import (
	"slices"
	"strings"
)

// class is how Postfix comes to know the users of a domain (its ADDRESS_CLASS
// manual).
type class int

const (
	notNamed class = iota
	local          // mydestination
	virtual        // virtual_alias_domains, virtual_mailbox_domains, relay_domains with maps
	anybody        // Postfix does not know them
)

// class finds the class of a domain. s is nil where Postfix could not be asked:
// then it is taken to be local.
func (s *Settings) class(domain string) class {
	if s == nil {
		return local
	}
	for _, c := range []struct {
		domains, maps string
		class         class
	}{
		{"mydestination", "local_recipient_maps", local},
		{"virtual_alias_domains", "virtual_alias_maps", virtual},
		{"virtual_mailbox_domains", "virtual_mailbox_maps", virtual},
		{"relay_domains", "relay_recipient_maps", virtual},
	} {
		if !s.contains(c.domains, domain) {
			continue
		}
		if s.has(c.maps) && s.Get(c.maps) == "" && c.class != local || c.class == local && s.everybody() {
			return anybody
		}
		return c.class
	}
	return notNamed
}

// everybody reports whether all local recipients are accepted.
func (s *Settings) everybody() bool {
	return s.has("local_recipient_maps") && s.Get("local_recipient_maps") == ""
}

func (s *Settings) has(parameter string) bool {
	_, ok := s.values[parameter]
	return ok
}

// contains reports whether a list names a domain; tables in it are not asked.
func (s *Settings) contains(parameter, domain string) bool {
	return slices.ContainsFunc(split(s.expand(s.Get(parameter))), func(name string) bool { return strings.EqualFold(name, domain) })
}

// recipients has tagged recipients accepted, or says why it cannot.
func (p *page) recipients(r Request, s *Settings) {
	p.gap()
	if r.Subaddress {
		p.delimiter(r, s)
		return
	}
	domains := map[class][]string{}
	for _, domain := range r.Domains {
		if strings.HasPrefix(domain, "*.") {
			p.remark("%s: sub-domains have not been run: name each that sends mail.", domain)
			continue
		}
		c := s.class(domain)
		if c == notNamed {
			p.remark("%s: no lines, as it is named in none of mydestination, virtual_alias_domains, virtual_mailbox_domains and relay_domains. Tables in these are not read.", domain)
		}
		domains[c] = append(domains[c], domain)
	}
	if len(domains[local])+len(domains[virtual])+len(domains[anybody]) == 0 {
		if len(r.Domains) == 0 {
			p.remark("For tagged recipients name your domains in the configuration first (domains).")
		}
		p.remark(`Leave [batv] sign off, or, where recipient_delimiter is set, use [batv] layout = "subaddress" with delimiter the same, which needs no lines.`)
		return
	}
	p.maps(domains, s)
}

// delimiter speaks of the sub-address layout, which needs no lines.
func (p *page) delimiter(r Request, s *Settings) {
	if s == nil || !strings.Contains(s.Get("recipient_delimiter"), r.Delimiter) {
		p.remark("Tagged recipients are accepted where recipient_delimiter has %s in it.", r.Delimiter)
		return
	}
	p.remark("Tagged recipients are accepted: recipient_delimiter has %s in it. There is nothing to add.", r.Delimiter)
}

// maps writes the maps that take tags off, and what they need.
func (p *page) maps(domains map[class][]string, s *Settings) {
	p.remark("Takes the tag off recipients whom Postfix knows, and off nobody else. Set [batv] sign = true once mail to a tagged address arrives.")
	w := words{"ALIASES": "", "LOCAL_MAPS": "proxy:unix:passwd.byname hash:/etc/aliases"}
	plus := true
	if s == nil {
		p.remark("The users are taken to be those of the password file and of /etc/aliases.")
	} else {
		w = words{"ALIASES": s.aliases(), "LOCAL_MAPS": s.expand(s.Get("local_recipient_maps"))}
		if w["LOCAL_MAPS"] == "" {
			w["LOCAL_MAPS"] = strings.TrimSpace("proxy:unix:passwd.byname " + s.Get("alias_maps"))
		}
		plus = strings.Contains(s.Get("recipient_delimiter"), "+")
	}
	if w["ALIASES"] != "" {
		p.remark("What virtual_alias_maps was, %s, is what untagged_alias_maps is now.", w["ALIASES"])
	}
	if len(domains[virtual]) > 0 {
		p.remark("A domain for which a map has a catch-all (@domain) belongs in untag-any.re, not in untag.re.")
	}
	p.add(recipe(postfixAliases), w)
	p.add(recipe(postfixKnown), w)
	p.table(recipe(postfixUntag), append(slices.Clone(domains[local]), domains[virtual]...), "no domain with users whom Postfix knows")
	p.table(recipe(postfixUntagAny), domains[anybody], "here belong domains of which Postfix takes every recipient, so that only the next server knows them")
	p.add(recipe(postfixPlain), nil)
	if plus {
		p.add(recipe(postfixBare), nil)
	} else {
		p.table(recipe(postfixBare), nil, "recipient_delimiter has no +, and no other has been run")
	}
	p.table(recipe(postfixLocal), domains[local], "no domain is local")
	p.add(recipe(postfixFound), nil)
}

// table writes a line for each domain, or why there is none.
func (p *page) table(r Recipe, domains []string, none string) {
	for _, domain := range domains {
		p.add(r, inDomain(domain))
	}
	if len(domains) == 0 {
		p.add(Recipe{File: r.File}, nil)
		p.remark("(%s)", none)
	}
}

// aliases is virtual_alias_maps without the lines of setup.
func (s *Settings) aliases() string {
	if strings.Contains(s.values["virtual_alias_maps"], "/etc/postfix/untag.re") {
		return s.Get("untagged_alias_maps")
	}
	return s.Get("virtual_alias_maps")
}

// sendmailRecipients has Sendmail take tags off before it looks anybody up.
func (p *page) sendmailRecipients(r Request) {
	p.remark("Takes the tag off before users, aliases, virtusertable and mailertable are looked up. Set [batv] sign = true once mail to a tagged address arrives.")
	var named []string
	for _, domain := range r.Domains {
		if strings.HasPrefix(domain, "*.") {
			p.remark("%s: sub-domains have not been run: name each that sends mail.", domain)
			continue
		}
		named = append(named, domain)
	}
	if len(named) == 0 {
		p.remark("This is for the domains of local-host-names and VIRTUSER_DOMAIN. Name your domains in the configuration (domains) for those that are relayed.")
		p.add(recipe(sendmailMap), nil)
		p.add(recipe(sendmailRules), nil)
		return
	}
	p.add(recipe(sendmailMap), nil)
	p.add(recipe(sendmailClass), words{"DOMAINS": strings.Join(named, " ")})
	p.add(recipe(sendmailRules), nil)
	p.add(recipe(sendmailTagged), nil)
}
