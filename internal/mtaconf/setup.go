package mtaconf

import (
	"errors"
	"fmt"
	"net"
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

func (p *page) add(r Recipe, w words) {
	if r.File != p.file {
		p.gap()
		p.remark("%s", r.File)
		p.file = r.File
	}
	for _, line := range r.fill(w) {
		p.WriteString(line + "\n")
	}
}

// findings writes what stands against signing, beside what these lines mend.
func (p *page) findings(found []Finding) {
	first := true
	for _, f := range found {
		if !f.SignOff || strings.HasPrefix(f.Do, addLines) {
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
		p.add(recipe(name), words{"MILTER": address})
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
	p.add(recipe(name), words{"MILTER": sendmailForm(address)})
	p.gap()
	p.remark("%s", costs)
	p.gap()
	switch {
	case r.Subaddress && r.Delimiter == "+":
		p.remark("Tagged recipients of local users are accepted, as Sendmail knows + by itself. There is nothing to add.")
	case r.Subaddress:
		p.remark("Sendmail knows + as a delimiter only: set [batv] delimiter to it.")
	default:
		p.sendmailRecipients(r)
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
	postfix = append(recipe(postfixMilter).fill(words{"MILTER": address}), recipe(postfixTempfail).fill(nil)...)
	return postfix, recipe(sendmailMilter).fill(words{"MILTER": sendmailForm(address)}), nil
}
