package policy

import "strings"

// outscatter tells of a notification of our own whether it is backscatter: a
// report on a failed delivery (RFC 3464) to somebody elsewhere, whose mail our
// MTA has first accepted.
type outscatter struct {
	report  bool
	outside string // the first recipient that is not ours
}

func (o *outscatter) header(name, value string) {
	if !strings.EqualFold(name, "Content-Type") {
		return
	}
	value = strings.ToLower(value[:min(len(value), 1000)])
	o.report = o.report || strings.Contains(value, "multipart/report") && strings.Contains(value, "delivery-status")
}

// Outscatter is the address elsewhere to which the message, a report of our own
// MTA's, goes; "" where it is none. It is known at the end of headers.
func (m *Message) Outscatter() string {
	if m.Kind != OwnNotification || !m.outscatter.report {
		return ""
	}
	return m.outscatter.outside
}
