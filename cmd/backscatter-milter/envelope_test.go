package main

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// The client is what the MTA has seen, not what the client says of itself.
func TestClientIn(t *testing.T) {
	for _, tc := range []struct{ received, want string }{
		// Postfix, and others of its form.
		{"from mail.example.net (mail.example.net [203.0.113.7])\n\tby mx.example.com (Postfix) with ESMTP id 4XyZ for <alice@example.com>; Mon, 2 Nov 2026 10:00:05 +0000", "203.0.113.7"},
		{"from [198.51.100.77] (dsl.example.net [203.0.113.7])\n\tby mx.example.com (Postfix) with ESMTP id 4XyZ", "203.0.113.7"},
		{"from [192.168.1.5] (unknown [203.0.113.7]) by mx.example.com (Postfix)", "203.0.113.7"},
		{"from mail.example.net (mail.example.net [IPv6:2001:db8::7])\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\n\tby mx.example.com", "2001:db8::7"},
		{"from [198.51.100.77] (unknown [unknown]) by mx.example.com (Postfix)", ""},
		{"from by (mail.example.net [203.0.113.7]) by mx.example.com (Postfix)", "203.0.113.7"},
		{"by mx.example.com (Postfix, from userid 1000)\n\tid 4XyZ; Mon, 2 Nov 2026 10:00:05 +0000", ""},
		{"FROM x (mail.example.net. [203.0.113.7])\r\n        BY mx.example.com with ESMTPS", "203.0.113.7"},
		// Sendmail.
		{"from mail.example.net (root@mail.example.net [203.0.113.7] (may be forged))\n\tby mx.example.com (8.17.1/8.17.1) with ESMTP", "203.0.113.7"},
		{"from [198.51.100.77] ([203.0.113.7])\n\tby mx.example.com (8.17.1/8.17.1)", "203.0.113.7"},
		{"from x ([IPv6:2001:db8:0:0:0:0:0:7]) by mx.example.com (8.17.1/8.17.1)", "2001:db8::7"},
		{"(from root@localhost) by mx.example.com (8.17.1/8.17.1/Submit) id 1 ([203.0.113.7])", ""},
		// Exim.
		{"from mail.example.net ([203.0.113.7] helo=[198.51.100.77])\n\tby mx.example.com with esmtp (Exim 4.96)", "203.0.113.7"},
		{"from mail.example.net ([203.0.113.7]:4321 ident=mail)\n\tby mx.example.com with esmtp (Exim 4.96)", "203.0.113.7"},
		{"from [203.0.113.7] (helo=[198.51.100.77])\n\tby mx.example.com with smtp (Exim 4.96)", "203.0.113.7"},
		{"from [203.0.113.7] (port=4321 helo=198.51.100.77)\n\tby mx.example.com with smtp (Exim 4.96)", "203.0.113.7"},
		{"from [203.0.113.7]:4321 by mx.example.com with smtp (Exim 4.96)", "203.0.113.7"},
		// qmail.
		{"from unknown (HELO ?198.51.100.77?) (203.0.113.7)\n  by mx.example.com with SMTP; 2 Nov 2026 10:00:05 -0000", "203.0.113.7"},
		{"from mail.example.net (HELO [198.51.100.77]) (ident@203.0.113.7)\n  by mx.example.com with SMTP", "203.0.113.7"},
		{"(qmail 4321 invoked from network); 2 Nov 2026 10:00:05 -0000", ""},
		// Exchange, CommuniGate, and those that set it bare.
		{"from mail.example.net (203.0.113.7) by mx.example.com\n (10.0.0.1) with Microsoft SMTP Server (version=TLS1_2) id 15.1.1.1", "203.0.113.7"},
		{"from [198.51.100.77] (2001:db8::7) by mx.example.com (2001:db8::1) with Microsoft SMTP Server", "2001:db8::7"},
		{"from mail.example.net ([::ffff:203.0.113.7]) by mx.example.com with Microsoft SMTPSVC(10.0)", "203.0.113.7"},
		{"from [203.0.113.7] (account alice@example.com HELO [198.51.100.77])\n  by mx.example.com (CommuniGate Pro SMTP)", "203.0.113.7"},
		{"from mail.example.net [203.0.113.7] by mx.example.com; Mon, 2 Nov 2026 10:00:05 +0000", "203.0.113.7"},
		{"from [203.0.113.7]; Mon, 2 Nov 2026 10:00:05 +0000", "203.0.113.7"},
		// Local delivery, and nonsense.
		{"from mx.example.com by imap.example.com with LMTP id 1 ([203.0.113.7])", ""},
		{"from x (a \\) [198.51.100.77", "198.51.100.77"},
		{"from", ""}, {"from x (", ""}, {"from x (()) ()", ""}, {"from [", ""}, {"from x ([)", ""}, {"", ""}, {"(", ""}, {"from x (\\", ""},
	} {
		want, _ := netip.ParseAddr(tc.want) // none where there is none
		if got := clientIn(tc.received); got != want {
			t.Errorf("%q: %v, want %q", tc.received, got, tc.want)
		}
	}
}

// FuzzClientIn wants no panic, and an address that stands there.
func FuzzClientIn(f *testing.F) {
	f.Add("from [198.51.100.77] (dsl.example.net [203.0.113.7]) by mx.example.com")
	f.Fuzz(func(t *testing.T, received string) {
		if a := clientIn(received); a.IsValid() && (a.Zone() != "" || a.Is4In6()) {
			t.Errorf("%q: %v", received, a)
		}
	})
}

// What a delivered message tells of its envelope.
func TestEnvelopeIn(t *testing.T) {
	const (
		outside = "Received: from [198.51.100.77] (dsl.example.net [203.0.113.7])\n\tby mx.example.com; Mon, 2 Nov 2026 10:00:05 +0000\n"
		older   = "Received: from a (a [198.51.100.9]) by b; Mon, 2 Nov 2026 09:00:00 +0000\n"
	)
	hop := func(address string) string {
		return "Received: from filter (filter [" + address + "])\n\tby mx.example.com; Mon, 2 Nov 2026 10:00:07 +0000\n"
	}
	for name, tc := range map[string]struct {
		header     string
		client     string
		recipients []string
		received   int // seconds after 10:00
	}{
		"the topmost":       {outside + older, "203.0.113.7", nil, 5},
		"loopback above":    {hop("127.0.0.1") + outside + older, "203.0.113.7", nil, 7},
		"loopback as IPv6":  {hop("IPv6:::1") + outside, "203.0.113.7", nil, 7},
		"private above":     {hop("10.0.0.3") + hop("IPv6:::ffff:192.168.0.3") + hop("IPv6:fd00::3") + outside, "203.0.113.7", nil, 7},
		"link-local above":  {hop("IPv6:fe80::3%eth0") + outside, "203.0.113.7", nil, 7},
		"private only":      {hop("10.0.0.3"), "", nil, 7},
		"no hop at all":     {"Date: Mon, 2 Nov 2026 10:00:09 +0000\n", "", nil, 9},
		"X-Original-To":     {"Date: Mon, 2 Nov 2026 10:00:09 +0000\nTo: c@example.com\nDelivered-To: b@example.com\nX-Original-To: a@example.com\n", "", []string{"a@example.com"}, 9},
		"Delivered-To":      {"Date: Mon, 2 Nov 2026 10:00:09 +0000\nTo: c@example.com\nDelivered-To: <b@example.com>\n", "", []string{"b@example.com"}, 9},
		"To, and else none": {"Date: Mon, 2 Nov 2026 10:00:09 +0000\nTo: C <c@example.com>, d@example.com\nTo: e@example.com\n", "", []string{"c@example.com", "d@example.com"}, 9},
	} {
		t.Run(name, func(t *testing.T) {
			e := envelopeIn([]byte(tc.header + "Subject: Hello\n\nHello\n"))
			want, _ := netip.ParseAddr(tc.client)
			at := time.Date(2026, time.November, 2, 10, 0, tc.received, 0, time.UTC)
			if e.client != want || !slices.Equal(e.recipients, tc.recipients) || !e.received.Equal(at) {
				t.Errorf("%+v, want client %q, recipients %q, at %s", e, tc.client, tc.recipients, at)
			}
		})
	}
	many := envelopeIn([]byte("To: " + strings.Repeat("a@example.com, ", 2*maxGuessed) + "b@example.com\n\n"))
	if len(many.recipients) != maxGuessed {
		t.Errorf("%d recipients", len(many.recipients))
	}
}
