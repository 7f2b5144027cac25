package classify

import (
	"bytes"
	"strings"
)

// deliveryStatus is what a message/delivery-status part says (RFC 3464, section
// 2; RFC 6533, section 3).
type deliveryStatus struct {
	reportingMTA string
	recipients   []Recipient
	ids          []string // message-ids of the original in fields of their own
}

// maxRecipients is how many recipients of a report are kept.
const maxRecipients = 200

// parseDeliveryStatus reads the fields of a report. Groups may be cut by empty
// lines, by too many of them, or not at all: a recipient begins where a field
// comes a second time, or after an empty line once the one before is complete.
func parseDeliveryStatus(text []byte) deliveryStatus {
	var d deliveryStatus
	fresh := true // an empty line since the last field of a recipient
	for len(text) > 0 {
		fs, _, size := parseHeader(text)
		for _, f := range fs {
			fresh = d.field(f, fresh) && fresh
		}
		if size == 0 || len(fs) == 0 { // a line that is no field: pass over it
			lines := lineReader{data: text}
			lines.next()
			size = max(size, lines.pos)
		}
		text = text[min(size, len(text)):]
		fresh = true
	}
	return d
}

// field takes one field, and reports whether it is not one of a recipient.
// With fresh, one that is begins the next recipient.
func (d *deliveryStatus) field(f field, fresh bool) (general bool) {
	value := unfold(f.value)
	name := strings.ToLower(f.name)
	switch name {
	case "reporting-mta":
		if d.reportingMTA == "" {
			_, d.reportingMTA, _ = cutType(value)
		}
		return true
	case "x-original-message-id", "original-message-id", "x-original-messageid", "x-message-id":
		if id := messageID(value); id != "" && len(d.ids) < 10 {
			d.ids = append(d.ids, id)
		}
		return true
	case "final-recipient", "original-recipient", "x-actual-recipient", "action", "status", "diagnostic-code":
	default:
		return true
	}
	if len(d.recipients) == 0 || d.current().holds(name) || fresh && d.current().complete() && strings.HasSuffix(name, "-recipient") {
		if len(d.recipients) == maxRecipients {
			return false
		}
		d.recipients = append(d.recipients, Recipient{})
	}
	d.current().set(name, value)
	return false
}

func (d *deliveryStatus) current() *Recipient { return &d.recipients[len(d.recipients)-1] }

// holds reports whether r has got the field already.
func (r *Recipient) holds(name string) bool {
	switch name {
	case "final-recipient":
		return r.Final != ""
	case "original-recipient":
		return r.Original != "" && r.Final != ""
	case "action":
		return r.Action != ""
	case "status":
		return r.Status != ""
	}
	return false
}

// complete reports whether r says what became of whom.
func (r *Recipient) complete() bool {
	return (r.Final != "" || r.Original != "") && (r.Action != "" || r.Status != "")
}

func (r *Recipient) set(name, value string) {
	switch name {
	case "final-recipient":
		r.Final = reportAddress(value)
	case "original-recipient":
		r.Original = reportAddress(value)
	case "x-actual-recipient":
		if r.Original == "" {
			r.Original = reportAddress(value)
		}
	case "action":
		r.Action = parseAction(value)
	case "status":
		r.Status = findStatus(value)
	case "diagnostic-code":
		_, r.Diagnostic, _ = cutType(value)
	}
}

// reportAddress reads "rfc822;user@example.com" and what else is written there.
func reportAddress(value string) string {
	if a := addressOf(value); a != "" {
		return a
	}
	_, rest, _ := cutType(value)
	return strings.Trim(rest, "<> ")
}

// parseAction reads the value of an Action field; "" if it is none.
func parseAction(value string) Action {
	word := strings.ToLower(value)
	for i := range len(word) {
		if word[i] < 'a' || word[i] > 'z' {
			word = word[:i]
			break
		}
	}
	switch word {
	case "failed", "failure", "fail", "expired": // SendGrid gives up with the last
		return Failed
	case "delayed", "delay":
		return Delayed
	case "delivered", "deliverable", "success":
		return Delivered
	case "relayed":
		return Relayed
	case "expanded":
		return Expanded
	}
	return ""
}

// isReport reports whether d is a report about recipients rather than text with
// a colon here and there.
func (d *deliveryStatus) isReport() bool {
	for _, r := range d.recipients {
		if (r.Final != "" || r.Original != "") && (r.Action != "" || r.Status != "" || r.Diagnostic != "") {
			return true
		}
	}
	return false
}

// action is what a report says on the whole: the worst of what it says of each
// recipient.
func (d *deliveryStatus) action() Action {
	var all []Action
	for _, r := range d.recipients {
		a := r.Action
		if a == "" && r.Status != "" {
			a = map[byte]Action{'2': Delivered, '4': Delayed, '5': Failed}[r.Status[0]]
		}
		all = append(all, a)
	}
	for _, a := range []Action{Failed, Delayed, Delivered, Relayed, Expanded} {
		for _, b := range all {
			if a == b {
				return a
			}
		}
	}
	return ""
}

// findStatus returns the first enhanced status code (RFC 3463) in s, or "".
func findStatus(s string) string {
	for i := 0; i+4 < len(s); i++ {
		if c := s[i]; (c != '2' && c != '4' && c != '5') || s[i+1] != '.' || i > 0 && isDigitOrDot(s[i-1]) {
			continue
		}
		end := i + 2
		for end < len(s) && isDigitOrDot(s[end]) {
			end++
		}
		code := strings.TrimRight(s[i:end], ".")
		if class := strings.Split(code, "."); len(class) == 3 && len(class[1]) > 0 && len(class[1]) < 4 && len(class[2]) > 0 && len(class[2]) < 4 {
			return code
		}
		i = end - 1
	}
	return ""
}

func isDigitOrDot(c byte) bool { return '0' <= c && c <= '9' || c == '.' }

// looksLikeReport reports whether text has the fields of a delivery status
// where no part is called one.
func looksLikeReport(text []byte) bool {
	text = text[:min(len(text), maxNotice)]
	found := 0
	for _, name := range []string{"final-recipient:", "action:", "status:", "reporting-mta:", "diagnostic-code:"} {
		if hasLine(text, name) {
			found++
		}
	}
	return found >= 3
}

// hasLine reports whether a line of text begins with prefix, blanks and case aside.
func hasLine(text []byte, prefix string) bool {
	lines := lineReader{data: text}
	for {
		line, ok := lines.next()
		if !ok {
			return false
		}
		if hasPrefixFold(bytes.TrimLeft(line, " \t>"), prefix) {
			return true
		}
	}
}
