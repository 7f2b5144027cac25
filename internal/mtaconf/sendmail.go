package mtaconf

import (
	"regexp"
	"slices"
	"strings"
)

// Sendmail is what a sendmail.cf says that matters here.
type Sendmail struct {
	filters  map[string]string // name: equates, "S=inet:8895@127.0.0.1, F=T"
	asked    []string          // names in InputMailFilters
	maps     []string          // names of maps (K lines)
	relay    string            // DS, the smart host
	disguise string            // DM, the name to masquerade as
}

// ParseSendmail reads a sendmail.cf, as m4 makes it of a sendmail.mc. Lines
// that it does not know are left out.
func ParseSendmail(cf string) *Sendmail {
	s := &Sendmail{filters: map[string]string{}}
	for _, line := range logicalLines(cf) {
		rest := line[1:]
		switch line[0] {
		case 'X':
			name, equates, _ := strings.Cut(rest, ",")
			s.filters[strings.TrimSpace(name)] = strings.TrimSpace(equates)
		case 'K':
			if words := strings.Fields(rest); len(words) > 0 {
				s.maps = append(s.maps, words[0])
			}
		case 'D':
			switch {
			case strings.HasPrefix(rest, "S"):
				s.relay = strings.TrimSpace(rest[1:])
			case strings.HasPrefix(rest, "M"):
				s.disguise = strings.TrimSpace(rest[1:])
			}
		case 'O':
			name, value, _ := strings.Cut(rest, "=")
			if strings.TrimSpace(name) == "InputMailFilters" {
				s.asked = split(strings.ReplaceAll(value, ";", " "))
			}
		}
	}
	return s
}

// CheckSendmail tells what matters in the settings of Sendmail.
func CheckSendmail(s *Sendmail, site Site) []Finding {
	const keyed = "maps that know senders by their address may not know the signed ones: no test has been run with it"
	var found []Finding
	if s.relay != "" {
		found = append(found, Finding{true, "SMART_HOST " + s.relay, "mail leaves by another host, which may refuse or rewrite senders that it does not know",
			"sign only once a signed message has been seen to leave by it", true})
	}
	if s.disguise != "" {
		found = append(found, Finding{true, "MASQUERADE_AS " + s.disguise, "where senders are rewritten after signing, the signature becomes wrong",
			"sign only once a bounce to a signed message has been seen to come home", true})
	}
	for name, feature := range map[string]string{"generics": "genericstable", "virtuser": "virtusertable", "mailertable": "mailertable"} {
		switch {
		case !slices.Contains(s.maps, name):
		case name == "generics":
			found = append(found, Finding{true, "FEATURE(`" + feature + "')", keyed, "leave its addresses unsigned (unsigned_senders), or [batv] sign off", true})
		case !site.Subaddress && !slices.Contains(s.maps, "prvs"):
			found = append(found, Finding{true, "FEATURE(`" + feature + "')", "tagged recipients of its domains are looked up with the tag on",
				addLines + "sendmail", true})
		}
	}
	slices.SortFunc(found, func(a, b Finding) int { return strings.Compare(a.Setting, b.Setting) })
	return append(found, s.checkFilter(site)...)
}

func (s *Sendmail) checkFilter(site Site) []Finding {
	if len(site.Milters) == 0 {
		return nil
	}
	for _, name := range s.asked {
		equates := s.filters[name]
		if !slices.ContainsFunc(site.Milters, func(ours string) bool { return sendmailHas(equates, ours) }) {
			continue
		}
		if regexp.MustCompile(`(^|[ ,])F=[TR4]`).MatchString(equates) {
			return nil
		}
		return []Finding{{true, "INPUT_MAIL_FILTER(`" + name + "') without F=T", "while the milter is away mail passes unsigned and unjudged: its bounces will have no tag",
			"add F=T where missing tags are refused", false}}
	}
	return []Finding{{true, "INPUT_MAIL_FILTER", "Sendmail does not ask this milter, which is at " + strings.Join(site.Milters, ", "),
		addLines + "sendmail", false}}
}

// sendmailHas reports whether a filter's equates name the address.
func sendmailHas(equates, ours string) bool {
	for _, part := range strings.FieldsFunc(equates, func(c rune) bool { return c == ',' || c == ' ' }) {
		socket, isSocket := strings.CutPrefix(part, "S=")
		if isSocket && sameAddress(postfixForm(socket), ours, "/") {
			return true
		}
	}
	return false
}

// postfixForm turns inet:port@host, local:/path and unix:/path into the form
// that Postfix has for them.
func postfixForm(socket string) string {
	family, rest, _ := strings.Cut(socket, ":")
	port, host, isInet := strings.Cut(rest, "@")
	switch {
	case family == "local" || family == "unix":
		return "unix:" + rest
	case isInet && strings.Contains(host, ":") && !strings.HasPrefix(host, "["):
		return "inet:[" + host + "]:" + port
	case isInet:
		return "inet:" + host + ":" + port
	}
	return socket
}

// sendmailForm is the other way round.
func sendmailForm(address string) string {
	if file, isUnix := strings.CutPrefix(address, "unix:"); isUnix {
		return "local:" + file
	}
	address = strings.TrimPrefix(address, "inet:")
	at := strings.LastIndexByte(address, ':')
	return "inet:" + address[at+1:] + "@" + address[:at]
}
