//go:build linux

package e2e

import (
	"strings"
	"time"
)

func memoCases() []testCase {
	return []testCase{
		{name: "memos", settings: settings{top: "all_mail_here = true", tables: memoTables, prepare: signedFor(12 * 24 * time.Hour)}, run: memos},
	}
}

const memoTables = `[policy]
unproven = "reject"
auto-reply = "reject"

[[rule]]
header = "X-Warehouse"
match = "^parcel (lost|returned)$"
class = "bounce"
`

// Notifications that have an ordinary sender are told apart and marked, never
// refused for want of proof; a pattern of the site's own finds one that nobody
// else writes. A person's mail about the same things is not touched.
func memos(d *desk) {
	client := d.connect(outsideClient)
	for _, c := range []struct{ name, header, body, mark string }{
		{"notes", "Subject: DELIVERY FAILURE: User carol (carol@example.net) not listed in Domino Directory\r\n",
			"Your message\r\n\r\n  Subject: Minutes\r\n\r\nwas not delivered to:\r\n\r\n  carol@example.net\r\n\r\nbecause:\r\n\r\n  User carol (carol@example.net) not listed in Domino Directory\r\n", "mark; reason=unproven; class=bounce; "},
		{"vacation", "Subject: Automatic reply: Minutes\r\nAuto-Submitted: auto-replied\r\n", "I am away until Monday.\r\n", "mark; reason=auto-reply; class=auto-reply; "},
		{"reply", "Subject: Accepted: Lunch\r\nContent-Type: text/calendar; method=REPLY; charset=utf-8\r\n",
			"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:1@example.net\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.net\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", "accept; reason=calendar; class=calendar; "},
		{"rule", "Subject: Note\r\nX-Warehouse: parcel lost\r\n", "Nobody knows where it went.\r\n", "mark; reason=unproven; class=bounce; "},
		{"no-rule", "Subject: Note\r\nX-Warehouse: parcel lost twice\r\n", "Nobody knows where it went.\r\n", ""},
		{"person", "Subject: Re: DELIVERY FAILURE again\r\n", "Hello Alice,\r\n\r\ntoday I got this once more: \"Your message was not delivered\". Am I out of the office?\r\n\r\nBob\r\n", ""},
	} {
		message := "From: Bob <bob@example.net>\r\nTo: <alice@example.com>\r\nDate: Sat, 21 Nov 2026 09:30:00 +0000\r\nMessage-ID: <" +
			d.token + "-" + c.name + "@example.net>\r\nMIME-Version: 1.0\r\n" + c.header + "\r\n" + c.body
		d.send(client, stranger, alice, message)
		delivery := d.claimFor(alice)
		d.wantBody(delivery, message)
		mark := strings.Join(delivery.Fields("X-Backscatter"), "|")
		if !strings.HasPrefix(mark, c.mark) || (c.mark == "") != (mark == "") {
			d.Errorf("%s: X-Backscatter %q, want %q", c.name, mark, c.mark)
		}
	}
}
