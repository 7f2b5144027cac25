package policy

import (
	"strings"

	"github.com/backscatter-milter/backscatter-milter/internal/ledger"
)

// outgoing is what is kept of a message that leaves, to be remembered.
type outgoing struct {
	messageID, from string // field values
	recipients      []string
}

// header takes a header field. Of several of a name the first counts, and one that
// is too long does not.
func (o *outgoing) header(name, value string) {
	switch {
	case len(value) > maxKept:
	case o.messageID == "" && strings.EqualFold(name, "Message-ID"):
		o.messageID = value
	case o.from == "" && strings.EqualFold(name, "From"):
		o.from = value
	}
}

// recipient takes a recipient: one more than the ledger records of a message
// tells it that there were others.
func (o *outgoing) recipient(address string) {
	if len(o.recipients) <= ledger.MaxRecipients {
		o.recipients = append(o.recipients, address)
	}
}

// Sent is what there is to tell of a message that leaves, and whose reverse-path
// was signed or left as sign says. The queue id is the MTA's, "" where it is not
// known. A user's receipt or vacation notice is remembered by its author; a report
// of the MTA's is not, which nobody answers and a flood can call forth.
func (m *Message) Sent(sign Sent, queueID string) Sent {
	if m.outscatter.report {
		return sign
	}
	s, e := m.settings, &sign.Entry
	if s.handled(m.Sender) {
		e.Sender = m.Sender
		if bare := s.Tags.Verify(m.Sender, m.now).Bare(); bare != "" {
			e.Sender = bare
		}
	}
	if from := fieldAddress(m.outgoing.from); from != "" && s.handled(from) {
		e.From = from
	}
	if e.Sender == "" && e.From == "" {
		return sign
	}
	e.MessageID, e.QueueID, e.Recipients = fieldID(m.outgoing.messageID), queueID, m.outgoing.recipients
	return sign
}

// fieldAddress is the first address of a field, "" where it has none. What
// cannot be read costs nothing but the entry.
func fieldAddress(value string) string {
	for quoted, rest, ok := cutQuoted(value); ok; quoted, rest, ok = cutQuoted(value) {
		value = quoted + rest
	}
	if _, rest, ok := strings.Cut(value, "<"); ok {
		value, _, _ = strings.Cut(rest, ">")
	} else {
		value, _, _ = strings.Cut(value, "(") // user@example.com (Name), as before RFC 2822
	}
	value = strings.TrimSpace(value)
	if !strings.Contains(value, "@") || strings.ContainsAny(value, " \t\r\n,") {
		return ""
	}
	return value
}

// cutQuoted takes the first display name in quotes (RFC 5322, section 3.2.4) out of
// a field. A quoted local part, right before its "@", is none.
func cutQuoted(value string) (before, after string, ok bool) {
	start := strings.IndexByte(value, '"')
	if start < 0 {
		return "", "", false
	}
	for end := start + 1; end < len(value); end++ {
		switch value[end] {
		case '\\':
			end++
		case '"':
			return value[:start], value[end+1:], !strings.HasPrefix(value[end+1:], "@")
		}
	}
	return "", "", false
}

// fieldID is the id of a Message-ID field without comments around it.
func fieldID(value string) string {
	if _, rest, ok := strings.Cut(value, "<"); ok {
		value, _, _ = strings.Cut(rest, ">")
	} else {
		value, _, _ = strings.Cut(value, "(") // user@example.com (Name), as before RFC 2822
	}
	return strings.Join(strings.Fields(value), "") // as a returned one that was folded is read
}
