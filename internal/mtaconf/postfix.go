package mtaconf

import (
	"net"
	"path"
	"slices"
	"strings"
)

// whenSet are the parameters of which it matters that they are set.
func whenSet() []Finding {
	const (
		keyed    = "maps that know senders by their address do not know the signed ones"
		unmapped = keyed + ", which leave by their own address"
		leave    = "leave those senders unsigned (unsigned_senders), or [batv] sign off"
	)
	return []Finding{
		{true, "relayhost", "mail leaves by another host, which may refuse or rewrite senders that it does not know",
			"sign only once a signed message has been seen to leave by it", true},
		{true, "smtp_generic_maps", keyed, leave, true},
		{true, "canonical_maps", "they are applied again to the signed sender: " + unmapped, leave, true},
		{true, "sender_canonical_maps", "they are applied again to the signed sender: " + unmapped, leave, true},
		{true, "recipient_canonical_maps", "a map that accepts any tagged address makes a user of everybody",
			"have tags taken off by what setup prints, and by no other map", false},
		{true, "masquerade_domains", "the host part of signed senders is stripped after signing, and the signature with it becomes wrong",
			`[batv] sign = false for hosts below those domains, and [domain.policy] tag-missing = "mark" for the domains, as bounces of that mail come home without a tag`, true},
		{true, "sender_dependent_relayhost_maps", keyed, leave, true},
		{true, "sender_dependent_default_transport_maps", keyed, leave, true},
		{true, "smtp_sender_dependent_authentication", "passwords are looked up by sender: " + keyed, leave, true},
		{true, "smtpd_proxy_filter", "a milter in front of the filter sees the envelope only, and can change nothing",
			"list the milter at the service that takes mail back from the filter, and its network in inbound_relays", false},
	}
}

// CheckPostfix tells what matters in the settings of Postfix.
func CheckPostfix(s *Settings, site Site) []Finding {
	var found []Finding
	for _, f := range whenSet() {
		value := s.Get(f.Setting)
		if value != "" && value != "no" {
			f.Setting = named(f.Setting, value)
			found = append(found, f)
		}
	}
	for _, check := range []func(*Settings, Site) []Finding{
		milters, chroots, internalMail, defaultAction, contentFilter, delimiter, pace, others,
	} {
		found = append(found, check(s, site)...)
	}
	return found
}

// named writes a parameter with its value, unless that is long.
func named(parameter, value string) string {
	const short = 60
	if len(value) > short {
		return parameter
	}
	return parameter + " = " + value
}

// milters looks for ours among those that Postfix asks.
func milters(s *Settings, site Site) []Finding {
	if len(site.Milters) == 0 {
		return nil
	}
	listed := s.lists("smtpd_milters", site)
	for _, service := range s.services {
		listed = listed || service.Command == "smtpd" && lists(s, service.Options["smtpd_milters"], site)
	}
	if !listed {
		return []Finding{{true, named("smtpd_milters", s.Get("smtpd_milters")), "Postfix does not ask this milter, which is at " + strings.Join(site.Milters, ", "),
			addLines + "postfix", false}}
	}
	if !s.lists("non_smtpd_milters", site) {
		return []Finding{{true, named("non_smtpd_milters", s.Get("non_smtpd_milters")), "mail by sendmail(1) is not signed, and its bounces look untagged",
			"set it to $smtpd_milters", false}}
	}
	return nil
}

func (s *Settings) lists(parameter string, site Site) bool { return lists(s, s.Get(parameter), site) }

// lists reports whether one of the milter's addresses is in a list of milters.
func lists(s *Settings, value string, site Site) bool {
	for _, m := range split(s.expand(value)) {
		address, _ := milter(m)
		for _, ours := range site.Milters {
			if sameAddress(address, ours, s.Get("queue_directory")) {
				return true
			}
		}
	}
	return false
}

// milter reads an element of a list of milters: an address, or one with
// settings, "{ inet:host:port, default_action=accept }".
func milter(element string) (address string, options map[string]string) {
	options = map[string]string{}
	if !strings.HasPrefix(element, "{") {
		return element, options
	}
	for i, part := range split(strings.Trim(element, "{}")) {
		if i == 0 {
			address = part
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		options[name] = value
	}
	return address, options
}

// sameAddress compares an address that Postfix is given with one of ours. A
// unix path of Postfix's may be below its queue directory.
func sameAddress(postfix, ours, queue string) bool {
	theirs, isUnix := strings.CutPrefix(postfix, "unix:")
	mine, mineUnix := strings.CutPrefix(ours, "unix:")
	if isUnix || mineUnix {
		return isUnix && mineUnix && slices.Contains([]string{path.Clean("/" + theirs), path.Join("/", queue, theirs)}, path.Clean(mine))
	}
	return hostPort(postfix) == hostPort(ours)
}

// hostPort is the host and port of inet:host:port, all names of this host being
// one.
func hostPort(address string) string {
	host, port, err := net.SplitHostPort(strings.TrimPrefix(strings.TrimPrefix(address, "inet6:"), "inet:"))
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		host = "localhost"
	}
	return host + " " + port
}

// chroots finds unix sockets that an smtpd cannot see.
func chroots(s *Settings, site Site) []Finding {
	queue := s.Get("queue_directory")
	for _, service := range s.services {
		if !service.Chroot || service.Command != "smtpd" {
			continue
		}
		for _, m := range split(s.In(service, "smtpd_milters")) {
			address, _ := milter(m)
			file, isUnix := strings.CutPrefix(address, "unix:")
			for _, ours := range site.Milters {
				mine, mineUnix := strings.CutPrefix(ours, "unix:")
				if isUnix && mineUnix && path.Clean("/"+file) == path.Clean(mine) && path.Join("/", queue, file) != path.Clean(mine) {
					return []Finding{{true, service.Name + " " + service.Type + " (chroot)", "smtpd runs below " + queue + " and does not see " + mine,
						"listen on inet:, or at " + path.Join("/", queue, file) + " while Postfix goes on to name it " + address, false}}
				}
			}
		}
	}
	return nil
}

func internalMail(s *Settings, _ Site) []Finding {
	classes := split(s.Get("internal_mail_filter_classes"))
	if slices.Contains(classes, "bounce") {
		return nil
	}
	return []Finding{{true, named("internal_mail_filter_classes", s.Get("internal_mail_filter_classes")),
		"Postfix's own bounces of signed mail do not pass the milter, and keep the tag in their recipient",
		"set it to bounce", false}}
}

// defaultAction tells what happens while the milter is away.
func defaultAction(s *Settings, site Site) []Finding {
	action := s.Get("milter_default_action")
	for _, m := range split(s.Get("smtpd_milters")) {
		address, options := milter(m)
		for _, ours := range site.Milters {
			if own := options["default_action"]; own != "" && sameAddress(address, ours, s.Get("queue_directory")) {
				action = own
			}
		}
	}
	f := Finding{Setting: "milter_default_action = " + action}
	switch action {
	case "tempfail", "shutdown":
		f.Means = "while the milter is away no mail is taken, and clients try again later"
	case "accept":
		f.Warning = true
		f.Means = "while the milter is away mail passes unsigned and unjudged: its bounces will have no tag"
		f.Do = "set it to tempfail where missing tags are refused"
	case "reject":
		f.Warning = true
		f.Means = "while the milter is away all mail is refused for good"
		f.Do = "set it to tempfail"
	case "quarantine":
		f.Warning = true
		f.Means = "while the milter is away mail is taken and held unsigned in the hold queue"
		f.Do = "set it to tempfail"
	default:
		return nil
	}
	return []Finding{f}
}

// contentFilter finds filters after the queue with the milter on both sides of
// them.
func contentFilter(s *Settings, _ Site) []Finding {
	before := false // the filter, the milter is asked
	var after *Service
	for i, service := range s.services {
		if service.Command != "smtpd" || !s.asksMilters(service) {
			continue
		}
		if s.In(service, "content_filter") != "" {
			before = true
		} else if _, set := service.Options["content_filter"]; set && after == nil {
			after = &s.services[i] // where mail comes back
		}
	}
	if !before || after == nil {
		return nil
	}
	return []Finding{{true, after.Name + " " + after.Type, "mail that the content filter brings back passes the milter a second time, its tags gone: " +
		"with the filter's network in inbound_relays genuine bounces are refused, without it outside mail in our name is signed",
		"give that service -o receive_override_options=no_milters; or ask the milter there only, with -o smtpd_milters= and " +
			"-o receive_override_options=no_address_mappings at the services before the filter, and its network in inbound_relays", false}}
}

func (s *Settings) asksMilters(service Service) bool {
	return s.In(service, "smtpd_milters") != "" && !slices.Contains(split(s.In(service, "receive_override_options")), "no_milters")
}

func delimiter(s *Settings, site Site) []Finding {
	has := s.Get("recipient_delimiter")
	if !site.Subaddress || strings.Contains(has, site.Delimiter) {
		return nil
	}
	return []Finding{{true, "recipient_delimiter = " + has, "tags stand behind " + site.Delimiter + " ([batv] layout, delimiter), and Postfix does not know it as a delimiter: bounces are refused as unknown users",
		"add " + site.Delimiter + " to it", true}}
}

func pace(s *Settings, _ Site) []Finding {
	delay := s.Get("in_flow_delay")
	if delay == "" || strings.Trim(delay, "0smhdw") == "" {
		return nil
	}
	return []Finding{{false, "in_flow_delay = " + delay, "when more mail arrives than leaves, each message and each callout waits that long and holds an smtpd process: in a flood of callouts they run out",
		"", false}}
}

func others(s *Settings, site Site) []Finding {
	var found []Finding
	if s.Get("soft_bounce") == "yes" {
		found = append(found, Finding{true, "soft_bounce = yes", "every refusal becomes temporary, and backscatter comes again and again", "set it to no", false})
	}
	if p := s.Get("milter_protocol"); p != "" && p != "6" {
		found = append(found, Finding{true, "milter_protocol = " + p, "the milter is made for version 6", "leave it at its default", false})
	}
	if !site.Subaddress && usesProbe(s) && !strings.Contains(s.Get("virtual_alias_maps"), "untag-any.re") {
		found = append(found, Finding{true, "reject_unverified_recipient", "recipients are probed with the tag on, and the next server does not know them so",
			addLines + "postfix", true})
	}
	return found
}

func usesProbe(s *Settings) bool {
	for name, value := range s.values {
		if strings.HasSuffix(name, "_restrictions") && slices.Contains(split(value), "reject_unverified_recipient") {
			return true
		}
	}
	return false
}
