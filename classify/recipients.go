package classify

import (
	"bytes"
	"strings"
)

// maxFailedLines is how many lines of a notice are searched for recipients.
const maxFailedLines = 200

// recipientsOf takes the recipients from a notice that has them in its text
// only. own is the address that the notice went to: it is the original's sender.
func recipientsOf(notice []byte, header fields, own string) []Recipient {
	var all []Recipient
	add := func(address, rest string) {
		if !isAddress(address) || strings.EqualFold(untagged(address), own) || len(all) >= maxRecipients || isDaemon(address) {
			return
		}
		for _, r := range all {
			if strings.EqualFold(r.Final, address) {
				return
			}
		}
		all = append(all, Recipient{Final: address, Status: findStatus(rest), Diagnostic: rest})
	}
	for _, v := range header.all("X-Failed-Recipients", 20) {
		for a := range strings.SplitSeq(unfold(v), ",") {
			add(strings.TrimSpace(a), "")
		}
	}
	lines := lineReader{data: notice}
	for range maxFailedLines {
		line, ok := lines.next()
		if !ok {
			break
		}
		if address, rest, ok := recipientLine(line); ok {
			if rest == "" {
				rest = nextLine(lines)
			}
			add(address, rest)
		}
	}
	if len(all) == 0 {
		mentioned(notice, domainOf(addressOf(decodeValue(header.first("From"), ""))), add)
	}
	describe(all, notice)
	return all
}

// mentioned calls add with the addresses that stand within the first lines of a
// notice, as in "There was an error delivering your mail to <bob@example.net>.".
// Those of whoever can be asked for help at the site that the notice comes from
// are left out.
func mentioned(notice []byte, site string, add func(address, rest string)) {
	lines := lineReader{data: notice}
	for range 40 {
		line, ok := lines.next()
		if !ok {
			return
		}
		text := string(line[:min(len(line), 600)])
		if strings.IndexByte(text, '@') < 0 {
			continue
		}
		for token := range strings.FieldsFuncSeq(text, endsAddress) {
			token = strings.Trim(cutDomain(strings.TrimPrefix(strings.Trim(token, ".:'"), "mailto:")), ".:'")
			if isAddress(token) && !(isHelper(token) && sameSite(domainOf(token), site)) {
				add(token, "")
			}
		}
	}
}

// cutDomain cuts an address where its domain has ended and letters of another
// script follow: Chinese and Japanese put no blank there.
func cutDomain(address string) string {
	at := strings.LastIndexByte(address, '@')
	for i := at + 1; at >= 0 && i < len(address); i++ {
		if address[i] >= 0x80 {
			if strings.IndexByte(address[at:i], '.') >= 0 {
				return address[:i]
			}
			break
		}
	}
	return address
}

// isHelper reports whether an address is one that notices tell people to write to.
func isHelper(address string) bool {
	switch localPart(address) {
	case "support", "helpdesk", "help", "abuse", "info", "admin", "noreply", "no-reply", "hostmaster", "webmaster", "root":
		return true
	}
	return false
}

// domainOf returns what stands behind the @ of an address, in lower case.
func domainOf(address string) string {
	return strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
}

// sameSite reports whether one of two domains is, or is within, the other.
func sameSite(a, b string) bool {
	return a == b || strings.HasSuffix(a, "."+b) || strings.HasSuffix(b, "."+a)
}

// nextLine returns the line that comes next, as the explanation of a recipient
// that has a line of its own; "" if it names the next one.
func nextLine(lines lineReader) string {
	line, _ := lines.next()
	if _, _, ok := recipientLine(line); ok {
		return ""
	}
	return strings.ToValidUTF8(strings.TrimSpace(string(line[:min(len(line), 500)])), "\uFFFD")
}

// recipientLine reads a line that begins with an address, as in
// "<user@example.com>: user unknown".
func recipientLine(line []byte) (address, rest string, ok bool) {
	text := strings.TrimLeft(string(line[:min(len(line), 600)]), " \t>\"")
	text = strings.TrimPrefix(text, "<")
	end := strings.IndexFunc(text, endsAddress)
	if end < 0 {
		end = len(text)
	}
	address = strings.TrimRight(cutDomain(text[:end]), ":.\"'")
	rest = strings.TrimLeft(text[len(address):], "<>:.\"' \t,;()-")
	return strings.TrimPrefix(address, "mailto:"), strings.TrimSpace(rest), isAddress(address)
}

// isDaemon reports whether an address is one that notices come from.
func isDaemon(address string) bool {
	switch localPart(address) {
	case "mailer-daemon", "postmaster", "mailerdaemon", "mail-daemon":
		return true
	}
	return false
}

// describe gives recipients without an explanation the first line of the notice
// that reads like the answer of a server.
func describe(all []Recipient, notice []byte) {
	answer := serverAnswer(notice)
	for i := range all {
		if r := &all[i]; r.Diagnostic == "" {
			r.Diagnostic = answer
		}
		if all[i].Status == "" {
			all[i].Status = findStatus(all[i].Diagnostic)
		}
	}
}

// serverAnswer returns the first line of a notice that holds an SMTP reply, from
// its code on, or "".
func serverAnswer(notice []byte) string {
	lines := lineReader{data: notice}
	for range maxFailedLines {
		line, ok := lines.next()
		if !ok {
			return ""
		}
		if i := replyCode(line); i >= 0 {
			return strings.ToValidUTF8(string(bytes.TrimSpace(line[i:min(len(line), i+500)])), "\uFFFD")
		}
	}
	return ""
}

// replyCode returns where in line the reply of an SMTP server (RFC 5321, section
// 4.2) begins, of those that refuse: "550 ...", "451-4.7.1 ..."; or -1.
func replyCode(line []byte) int {
	for i := 0; i+4 < len(line) && i < 300; i++ {
		c := line[i]
		if c != '4' && c != '5' || line[i+1] < '0' || line[i+1] > '7' || line[i+2] < '0' || line[i+2] > '9' {
			continue
		}
		if sep := line[i+3]; sep != ' ' && sep != '-' && sep != '#' {
			continue
		}
		if i > 0 && (isDigitOrDot(line[i-1]) || line[i-1] == '-' || line[i-1] == '/') {
			continue
		}
		if rest := bytes.TrimLeft(line[i+4:], " "); len(rest) > 0 && (isLetter(rest[0]) || rest[0] == '<' || findStatus(string(rest[:min(len(rest), 12)])) != "") {
			return i
		}
	}
	return -1
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
