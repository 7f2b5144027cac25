package mtaconf

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
)

// Request is what setup is asked for.
type Request struct {
	Site
	// FailOpen has mail pass while the milter is away.
	FailOpen bool
}

// ErrNoAddress is the reason why there are no lines: servers were run with
// milters at IPv4 addresses and unix sockets only.
var ErrNoAddress = errors.New("the milter listens at no IPv4 address or unix socket, and no test has been run with another")

// address chooses the milter's address that the MTA is told.
func (r Request) address() (string, error) {
	for _, a := range r.Milters {
		if strings.HasPrefix(a, "unix:") {
			return a, nil
		}
		host, port, err := net.SplitHostPort(strings.TrimPrefix(a, "inet:"))
		ip := net.ParseIP(host)
		switch {
		case err != nil || ip == nil || ip.To4() == nil:
		case ip.IsUnspecified():
			return "inet:127.0.0.1:" + port, nil
		default:
			return a, nil
		}
	}
	return "", ErrNoAddress
}

// page is what setup prints: lines to add, and remarks behind a "#".
type page struct {
	strings.Builder
	file string // that the last lines were for
}

func (p *page) remark(format string, a ...any) {
	const width = 78
	line := "#"
	for word := range strings.FieldsSeq(fmt.Sprintf(format, a...)) {
		if len(line)+1+len(word) > width && line != "#" {
			p.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	p.WriteString(line + "\n")
}

func (p *page) gap() {
	if p.Len() > 0 {
		p.WriteByte('\n')
	}
}

func (p *page) add(r Recipe, milter, domain string) {
	if r.File != p.file {
		p.gap()
		p.remark("%s", r.File)
		p.file = r.File
	}
	for _, line := range r.fill(milter, domain) {
		p.WriteString(line + "\n")
	}
}

// findings writes what stands against signing.
func (p *page) findings(found []Finding) {
	first := true
	for _, f := range found {
		if !f.SignOff {
			continue
		}
		if first {
			p.gap()
			p.remark("Signing should stay off ([batv] sign = false) until this is dealt with:")
			first = false
		}
		p.remark("- %s", f)
	}
}

// Postfix writes the lines to add for Postfix. s is nil where it could not be
// asked.
func Postfix(r Request, s *Settings) (string, error) {
	address, err := r.address()
	if err != nil {
		return "", err
	}
	var p page
	if s == nil {
		p.remark("Postfix could not be asked how it is set up: this is for one that has no milter yet.")
	} else {
		p.others(s, r.Site)
	}
	action, costs := postfixTempfail, "While the milter is away, no mail is taken, and clients try again later."
	if r.FailOpen {
		action, costs = postfixAccept, "While the milter is away, mail passes unsigned and unjudged, and its bounces will have no tag."
	}
	for _, name := range []string{postfixMilter, action, postfixTimeouts} {
		p.add(recipe(name), address, "")
	}
	p.gap()
	p.remark("%s", costs)
	if s != nil && strings.HasPrefix(address, "unix:") {
		p.chroot(s, address)
	}
	p.recipients(r, s)
	if s != nil {
		p.findings(CheckPostfix(s, Site{Domains: r.Domains, Subaddress: r.Subaddress, Delimiter: r.Delimiter}))
	}
	return p.String(), nil
}

// others speaks of milters that are there already.
func (p *page) others(s *Settings, site Site) {
	for _, parameter := range []string{"smtpd_milters", "non_smtpd_milters"} {
		if value := s.Get(parameter); value != "" && !s.lists(parameter, site) {
			p.remark("%s is set already, to %s: keep what is there and add this milter to it.", parameter, value)
		}
	}
}

// chroot warns of a socket that an smtpd below the queue directory cannot see.
func (p *page) chroot(s *Settings, address string) {
	asks := &Settings{values: map[string]string{"smtpd_milters": address, "queue_directory": s.Get("queue_directory")}, services: s.services}
	for _, f := range chroots(asks, Site{Milters: []string{address}}) {
		p.remark("%s", f)
	}
}

// recipients has tagged recipients accepted, or says why it cannot.
func (p *page) recipients(r Request, s *Settings) {
	p.gap()
	if r.Subaddress {
		if s == nil || !strings.Contains(s.Get("recipient_delimiter"), r.Delimiter) {
			p.remark("Tagged recipients are accepted where recipient_delimiter has %s in it.", r.Delimiter)
		} else {
			p.remark("Tagged recipients are accepted: recipient_delimiter has %s in it. There is nothing to add.", r.Delimiter)
		}
		return
	}
	domain, why := localDomain(r, s)
	if why != "" {
		p.remark("For tagged recipients there are no lines that have been tested here: %s.", why)
		p.remark(`Leave [batv] sign off, or, where recipient_delimiter is set, use [batv] layout = "subaddress" with delimiter the same, which needs none.`)
		return
	}
	p.remark("For the users of the password file in %s: takes the tag off those who exist, and off nobody else. Set [batv] sign = true once mail to a tagged address arrives.", domain)
	if s == nil || s.Get("alias_maps") != "" {
		p.remark("Addresses that are only aliases (alias_maps) are not covered: list those that send mail in unsigned_senders.")
	}
	for _, name := range []string{postfixLocal, postfixUntag, postfixUser} {
		p.add(recipe(name), "", domain)
	}
}

// localDomain is the one domain for whose users there is a recipe, or why there
// is none.
func localDomain(r Request, s *Settings) (domain, why string) {
	switch {
	case len(r.Domains) == 0:
		return "", "name your domains in the configuration first (domains)"
	case len(r.Domains) > 1:
		return "", "several domains have not been run, only one"
	case strings.HasPrefix(r.Domains[0], "*."):
		return "", "sub-domains have not been run, only one domain"
	}
	domain = r.Domains[0]
	if s == nil {
		return domain, ""
	}
	ours := recipe(postfixLocal).Lines[0]
	if maps := s.Get("virtual_alias_maps"); maps != "" && "virtual_alias_maps = "+maps != ours {
		return "", "virtual_alias_maps is set already, to " + maps
	}
	for parameter, class := range map[string]string{
		"virtual_alias_domains": "virtual aliases", "virtual_mailbox_domains": "virtual mailboxes", "relay_domains": "relayed domains",
	} {
		if s.contains(parameter, domain) {
			return "", class + " have not been run, and " + domain + " is in " + parameter
		}
	}
	if s.Get("local_recipient_maps") == "" && s.has("local_recipient_maps") {
		return "", "local_recipient_maps is empty, so that every recipient is accepted anyway"
	}
	if !s.contains("mydestination", domain) {
		return "", domain + " is not named in mydestination"
	}
	return domain, ""
}

func (s *Settings) has(parameter string) bool {
	_, ok := s.values[parameter]
	return ok
}

// contains reports whether a list names a domain; tables in it are not asked.
func (s *Settings) contains(parameter, domain string) bool {
	return slices.ContainsFunc(split(s.expand(s.Get(parameter))), func(name string) bool { return strings.EqualFold(name, domain) })
}

// ForSendmail writes the lines to add for Sendmail. s is nil where its
// sendmail.cf could not be read.
func ForSendmail(r Request, s *Sendmail) (string, error) {
	address, err := r.address()
	if err != nil {
		return "", err
	}
	var p page
	name, costs := sendmailMilter, "While the milter is away, no mail is taken (F=T), and clients try again later."
	if r.FailOpen {
		name, costs = sendmailAccept, "While the milter is away, mail passes unsigned and unjudged, and its bounces will have no tag."
	}
	p.add(recipe(name), sendmailForm(address), "")
	p.gap()
	p.remark("%s", costs)
	p.gap()
	switch {
	case r.Subaddress && r.Delimiter == "+":
		p.remark("Tagged recipients of local users are accepted, as Sendmail knows + by itself. There is nothing to add.")
	case r.Subaddress:
		p.remark("Sendmail knows + as a delimiter only: set [batv] delimiter to it.")
	default:
		p.remark("For recipients in the domains of class w (local-host-names): takes the tag off before users are looked up. Set [batv] sign = true once mail to a tagged address arrives. virtusertable and mailertable have not been run.")
		p.add(recipe(sendmailUntag), "", "")
	}
	if s != nil {
		p.findings(CheckSendmail(s, Site{}))
	}
	return p.String(), nil
}

// MilterLines are the lines that have an MTA ask a milter at the address, and no
// more; ErrNoAddress as for Postfix.
func MilterLines(address string) (postfix, sendmail []string, err error) {
	address, err = Request{Site: Site{Milters: []string{address}}}.address()
	if err != nil {
		return nil, nil, err
	}
	postfix = append(recipe(postfixMilter).fill(address, ""), recipe(postfixTempfail).fill("", "")...)
	return postfix, recipe(sendmailMilter).fill(sendmailForm(address), ""), nil
}
