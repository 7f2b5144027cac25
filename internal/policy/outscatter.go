package policy

import "strings"

// outscatter tells of a notification of our own whether it is backscatter: a
// report on a failed delivery (RFC 3464) to somebody elsewhere, whose mail our
// MTA has first accepted. That it was delivered, who wants to know that has asked
// to be told (RFC 3461); by their subject such reports of Postfix are known.
type outscatter struct {
	report  bool
	success bool
	outside string // the first recipient that is not ours
}

func (o *outscatter) header(name, value string) {
	value = value[:min(len(value), 1000)]
	switch {
	case strings.EqualFold(name, "Content-Type"):
		value = strings.ToLower(value)
		o.report = o.report || strings.Contains(value, "multipart/report") && strings.Contains(value, "delivery-status")
	case strings.EqualFold(name, "Subject"):
		o.success = strings.EqualFold(value, "Successful Mail Delivery Report")
	}
}

// Outscatter is the address elsewhere to which the message, a report of our own
// MTA's, goes; "" where it is none. It is known at the end of headers.
func (m *Message) Outscatter() string {
	if m.Kind != OwnNotification || !m.outscatter.report || m.outscatter.success {
		return ""
	}
	return m.outscatter.outside
}
