package mtatest

import (
	"bytes"
	"fmt"
)

// Sizes of the samples' bodies in bytes.
const (
	bounceSize   = 4 << 10
	ordinarySize = 20 << 10
	outboundSize = 8 << 10
)

// SampleBounce is a report of failed delivery (RFC 3464) from another site's server to an address of ours, 4 KB, with
// the null sender. It returns the headers and the beginning of a message from returned: the same address, or the
// plain one where the recipient is tagged.
func SampleBounce(rcpt, returned string) Transaction {
	const boundary = "4TabcD77777.1795255201/mx.example.net"
	head := fmt.Sprintf(bounceHead, boundary, returned)
	return Transaction{
		Client:     "192.0.2.17",
		ClientName: "mx.example.net",
		Port:       41234,
		Helo:       "mx.example.net",
		MailArgs:   []string{"SIZE=5120"},
		Rcpts:      To(rcpt),
		Headers: []Header{
			{"Received", "from mx.example.net (mx.example.net [192.0.2.17])\n\tby mail.example.com (Postfix) with ESMTPS id 4TabcD99999\n\tfor <" + rcpt + ">; Sat, 21 Nov 2026 10:00:02 +0000 (UTC)"},
			{"Received", "by mx.example.net (Postfix)\n\tid 4TabcD77777; Sat, 21 Nov 2026 10:00:01 +0000 (UTC)"},
			{"Date", "Sat, 21 Nov 2026 10:00:01 +0000 (UTC)"},
			{"From", "Mail Delivery System <MAILER-DAEMON@mx.example.net>"},
			{"Subject", "Undelivered Mail Returned to Sender"},
			{"To", rcpt},
			{"Auto-Submitted", "auto-replied"},
			{"MIME-Version", "1.0"},
			{"Content-Type", "multipart/report; report-type=delivery-status;\n\tboundary=\"" + boundary + "\""},
			{"Message-Id", "<20261121100001.4TabcD77777@mx.example.net>"},
		},
		Body: fill(head, "\r\n--"+boundary+"--\r\n", bounceSize),
	}
}

// bounceHead is the report up to the text of the returned message: %[1]s is the boundary, %[2]s the original's sender.
const bounceHead = "This is a report in several parts.\r\n" +
	"\r\n--%[1]s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n" +
	"The server mx.example.net could not deliver your message.\r\n\r\n" +
	"<no.such.user@example.net>: there is no mailbox of that name here\r\n" +
	"\r\n--%[1]s\r\nContent-Type: message/delivery-status\r\n\r\n" +
	"Reporting-MTA: dns; mx.example.net\r\nArrival-Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\n" +
	"Final-Recipient: rfc822; no.such.user@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n" +
	"Diagnostic-Code: smtp; 550 5.1.1 <no.such.user@example.net>: unknown mailbox\r\n" +
	"\r\n--%[1]s\r\nContent-Type: message/rfc822\r\n\r\n" +
	"Return-Path: <%[2]s>\r\n" +
	"Received: from mail.example.com (mail.example.com [198.51.100.25])\r\n" +
	"\tby mx.example.net (Postfix) with ESMTPS id 4TabcD77777\r\n" +
	"\tfor <no.such.user@example.net>; Sat, 21 Nov 2026 10:00:00 +0000 (UTC)\r\n" +
	"Date: Sat, 21 Nov 2026 09:59:58 +0000\r\nFrom: <%[2]s>\r\nTo: no.such.user@example.net\r\n" +
	"Subject: The key of the boat shed\r\nMessage-ID: <20261121095958.4711@mail.example.com>\r\n" +
	"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"

// SampleOrdinary is a letter from another site to an address of ours, 20 KB.
func SampleOrdinary(from, rcpt string) Transaction {
	return Transaction{
		Client:     "192.0.2.44",
		ClientName: "out.example.org",
		Port:       52044,
		Helo:       "out.example.org",
		From:       from,
		MailArgs:   []string{"SIZE=22000", "BODY=8BITMIME"},
		Rcpts:      To(rcpt),
		Headers: append([]Header{
			{"Received", "from out.example.org (out.example.org [192.0.2.44])\n\tby mail.example.com (Postfix) with ESMTPS id 4TabcD99999\n\tfor <" + rcpt + ">; Sat, 21 Nov 2026 10:00:02 +0000 (UTC)"},
			{"Received", "from desk.example.org by out.example.org;\n\tSat, 21 Nov 2026 10:00:01 +0000"},
		}, letterHeaders(from, rcpt)...),
		Body: fill("Dear all,\r\n\r\n", "\r\nYours,\r\nB.\r\n", ordinarySize),
	}
}

// SampleOutbound is a letter that a user of ours submits with authentication, 8 KB.
func SampleOutbound(from, rcpt string) Transaction {
	return Transaction{
		Client:     "198.51.100.7",
		ClientName: "desk.example.com",
		Port:       50007,
		Helo:       "desk.example.com",
		Auth:       "user",
		From:       from,
		MailArgs:   []string{"SIZE=9000"},
		Rcpts:      []Rcpt{{Addr: rcpt, Mailer: "smtp"}},
		Headers:    letterHeaders(from, rcpt),
		Body:       fill("Dear B.,\r\n\r\n", "\r\nYours,\r\nA.\r\n", outboundSize),
	}
}

func letterHeaders(from, rcpt string) []Header {
	return []Header{
		{"Date", "Sat, 21 Nov 2026 10:00:00 +0000"},
		{"From", "<" + from + ">"},
		{"To", "<" + rcpt + ">"},
		{"Subject", "Minutes of the meeting about the boat shed"},
		{"Message-ID", "<20261121100000.0815@desk.example.org>"},
		{"In-Reply-To", "<20261120093000.0814@mail.example.com>"},
		{"References", "<20261119080000.0813@desk.example.org>\n\t<20261120093000.0814@mail.example.com>"},
		{"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Transfer-Encoding", "8bit"},
		{"Content-Language", "en"},
		{"User-Agent", "Example Mail 4.2"},
	}
}

// paragraph is what the samples are filled with.
const paragraph = "The shed was opened at ten. Two oars were found to be of different length, which explains\r\n" +
	"the circles of last summer. The treasurer showed the accounts; nobody asked to see them twice.\r\n" +
	"It was agreed to paint the door green again, and to find out who has the second key.\r\n\r\n"

// fill makes a body of exactly size bytes between its beginning and its end; the last line is cut short.
func fill(head, tail string, size int) []byte {
	n := size - len(head) - len(tail) - len("\r\n")
	text := bytes.Repeat([]byte(paragraph), n/len(paragraph)+1)[:n]
	for i := n - 1; text[i] == '\r' || text[i] == '\n'; i-- {
		text[i] = '.'
	}
	return append(append([]byte(head), text...), "\r\n"+tail...)
}
