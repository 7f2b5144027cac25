package admin

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/journal"
)

func functions() template.FuncMap {
	return template.FuncMap{
		"time":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
		"minute":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") },
		"machine": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"number":  number,
		"ago":     func(now, then time.Time) string { return shortly(now.Sub(then)) },
		"left":    func(now, then time.Time) string { return shortly(then.Sub(now)) },
		"ms":      func(d time.Duration) string { return fmt.Sprintf("%.3g ms", d.Seconds()*1000) },
		"why":     why,
		"meaning": meaning,
		"at":      atStage,
		"join":    strings.Join,
		"dict":    dict,
		"outgoing": func(result string) string {
			return strings.ReplaceAll(result, "-", " ")
		},
	}
}

// dict makes a map of names and values, to hand a template several.
func dict(pairs ...any) map[string]any {
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m
}

// number writes a number with its thousands apart.
func number(n any) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// shortly writes a length of time by its largest unit.
func shortly(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	}
	return fmt.Sprintf("%d seconds", max(d, 0)/time.Second)
}

func meaning(o journal.Outcome) string {
	switch o {
	case journal.Accepted:
		return "delivered as it came"
	case journal.Marked:
		return "delivered with a header that says why"
	case journal.Spared:
		return "delivered and marked; the policy asks for more, but the mode is monitor"
	case journal.Held:
		return "quarantined or discarded"
	case journal.Deferred:
		return "refused for now; the other side tries again"
	}
	return "the other side was told so for good"
}

func atStage(stage string) string {
	switch stage {
	case "rcpt":
		return "at RCPT TO, before any data"
	case "data":
		return "at DATA, before the message"
	case "eoh":
		return "at the end of the headers"
	case "eom":
		return "at the end of the message"
	}
	return stage
}

// why tells in a sentence what a reason says.
func why(reason string) string {
	switch reason {
	case "exempt":
		return "The client, the sender, the recipient or a header field is listed under [exempt]."
	case "tag-valid":
		return "The recipient bears a valid tag: this site sent the original."
	case "tag-forged":
		return "The recipient's tag has a wrong signature, though the key it names is known and has verified tags that came home."
	case "never-sends":
		return "The recipient is listed as an address that never writes, so no bounce to it is genuine."
	case "many-recipients":
		return "This recipient's fate differs from those accepted before it in the same transaction; the other side brings it again by itself."
	case "flood":
		return "The client network, the recipient or the subject is blocked, having brought or received too many unproven notifications."
	case "origin-proven":
		return "There was no valid tag, but something else proves that this site sent the original: its DKIM signature, the record of sent mail, or that the recipient wrote to who reports."
	case "receipt":
		return "A read or delivery receipt, which comes without a tag for good reasons."
	case "report":
		return "A DMARC, ARF or TLS report, which comes without a tag for good reasons."
	case "calendar":
		return "An answer to an invitation, which comes without a tag for good reasons."
	case "origin-foreign":
		return "The original that came back claims to be ours, dates from a time for which the record is complete, and is not on it: this site did not send it."
	case "listed":
		return "The client is on a DNS list of hosts that send backscatter, and nothing proves that this site sent the original."
	case "challenge":
		return "A request to confirm a message, of which nothing proves that this site sent it."
	case "virus-notice":
		return "A notice about a virus or an attachment in a message, of which nothing proves that this site sent it."
	case "auto-reply":
		return "An automatic reply to a message, of which nothing proves that this site sent it."
	case "tag-missing":
		return "A bounce without a valid tag, though mail of this address is signed, and nothing else proves that this site sent the original."
	case "unproven":
		return "A message with a null sender that is none of the known kinds, and nothing proves that it answers mail of this site."
	case "error":
		return "The milter failed to judge the message; the log says how."
	}
	return ""
}
