package classify_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/backscatter-milter/backscatter-milter/classify"
)

// push hands a message over as a milter does: values with their leading blank,
// bodies in chunks.
func push(opts classify.Options, header [][2]string, chunks ...string) (classify.Hint, classify.Result) {
	s := classify.New(opts)
	for _, f := range header {
		s.Header(f[0], f[1])
	}
	hint := s.EndOfHeaders()
	for _, c := range chunks {
		s.Write([]byte(c))
	}
	return hint, s.Close()
}

var bounceHeader = [][2]string{
	{"From", " MAILER-DAEMON@mx.example.net"}, {"To", " alice@example.com"},
	{"Subject", " Undelivered Mail\r\n Returned to Sender"}, {"In-Reply-To", " <fig.1@example.com>"},
	{"Content-Type", " multipart/report; report-type=delivery-status;\r\n\tboundary=\"b1\""},
}

const bounceBody = "--b1\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n" +
	"--b1\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\nX-Original-Message-ID: <fig.1@example.com>\r\n\r\n" +
	"Original-Recipient: rfc822;robert@example.net\r\nFinal-Recipient: rfc822;bob@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no such\r\n user\r\n\r\n" +
	"Final-Recipient: rfc822;carol@example.net\r\nAction: delayed\r\nStatus: 4.2.2\r\n\r\n" +
	"--b1\r\nContent-Type: text/rfc822-headers\r\n\r\n" + returned + "\r\n--b1--\r\n"

const returned = "Return-Path: <alice@example.com>\r\nReceived: from a (a [192.0.2.1])\r\n\tby b; Mon, 2 Nov 2026 10:00:01 +0000\r\n" +
	"Received: from c\r\n\tby a; Mon, 2 Nov 2026 10:00:00 +0000\r\n" +
	"DKIM-Signature: v=1; a=rsa-sha256;  d=example.com;\r\n\ts=one; b=AA\r\n\tBB\r\n" +
	"From: =?utf-8?q?Al=C3=ADce?= <alice@example.com>\r\nTo: bob@example.net\r\nDate: Mon, 2 Nov 2026 10:00:00 +0000\r\n" +
	"Subject: =?iso-8859-1?Q?Gr=FC=DFe?=\r\nMessage-ID: <fig.1@example.com>\r\n"

func TestScanner(t *testing.T) {
	var chunks []string
	for c := range slices.Chunk([]byte(bounceBody), 7) {
		chunks = append(chunks, string(c))
	}
	hint, got := push(classify.Options{Envelope: &classify.Envelope{}}, bounceHeader, chunks...)
	if hint != classify.Maybe {
		t.Errorf("hint %d", hint)
	}
	want := classify.Result{
		Class: classify.DSN, Action: classify.Failed, ReportingMTA: "mx.example.net",
		InReplyTo: []string{"<fig.1@example.com>"}, OriginalMessageIDs: []string{"<fig.1@example.com>"},
		Recipients: []classify.Recipient{
			{Final: "bob@example.net", Original: "robert@example.net", Action: classify.Failed, Status: "5.1.1", Diagnostic: "550 5.1.1 no such user"},
			{Final: "carol@example.net", Action: classify.Delayed, Status: "4.2.2"},
		},
		Original: classify.Original{
			Extent: classify.Headers, Where: classify.InPart, MessageID: "<fig.1@example.com>",
			From: "Alíce <alice@example.com>", To: "bob@example.net", Date: "Mon, 2 Nov 2026 10:00:00 +0000",
			Subject: "Grüße", ReturnPath: "alice@example.com",
			Received: []string{
				"from a (a [192.0.2.1])\tby b; Mon, 2 Nov 2026 10:00:01 +0000",
				"from c\tby a; Mon, 2 Nov 2026 10:00:00 +0000",
			},
			DKIMSignatures: []string{"v=1; a=rsa-sha256;  d=example.com;\ts=one; b=AA\tBB"},
			HeaderBlock:    []byte(returned),
		},
	}
	got.Evidence = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// TestHeaderBlock wants the returned header byte for byte, however it came.
func TestHeaderBlock(t *testing.T) {
	lf := strings.ReplaceAll(returned, "\r\n", "\n")
	quote := func(prefix string) string {
		return prefix + strings.ReplaceAll(strings.TrimSuffix(lf, "\n"), "\n", "\n"+prefix) + "\n"
	}
	const text = "Your message could not be delivered.\n\n"
	tests := []struct{ name, body, want, where string }{
		{"below a line", text + "----- Original message -----\n\n" + lf + "\nHello", lf, classify.InText},
		{"at once", text + lf, lf, classify.InText},
		{"quoted", text + quote("> ") + "\n", lf, classify.InQuote},
		{"indented", text + quote("    ") + "\n", lf, classify.InQuote},
		{"with CR", strings.ReplaceAll(text+lf, "\n", "\r"), strings.ReplaceAll(lf, "\n", "\r"), classify.InText},
		{"below a postmark", text + ">From alice Mon Nov  2 10:00:00 2026\n" + lf, lf, classify.InText},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, r := push(classify.Options{Envelope: &classify.Envelope{}}, bounceHeader[:3], tt.body)
			if diff := cmp.Diff(tt.want, string(r.Original.HeaderBlock)); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			if r.Original.Where != tt.where || r.Original.MessageID != "<fig.1@example.com>" || r.Class != classify.Bounce {
				t.Errorf("%s in %q: %q", r.Class, r.Original.Where, r.Original.MessageID)
			}
		})
	}
}

func TestEnvelopeBeatsReturnPath(t *testing.T) {
	header := [][2]string{{"Return-Path", " <>"}, {"From", " bob@example.net"}, {"Subject", " Lunch"}}
	if hint, _ := push(classify.Options{Envelope: &classify.Envelope{Sender: "bob@example.net"}}, header); hint != classify.CannotBe {
		t.Errorf("hint %d with a sender in the envelope", hint)
	}
	if hint, _ := push(classify.Options{}, header); hint != classify.Maybe {
		t.Errorf("hint %d without an envelope", hint)
	}
}

func TestSiteRules(t *testing.T) {
	opts := classify.Options{Headers: []classify.HeaderRule{
		{Header: "X-Gateway", Match: regexp.MustCompile(`(?i)^nachricht.*zurück`), Class: classify.Bounce},
	}}
	header := [][2]string{{"From", " bob@example.net"}, {"x-gateway", " =?iso-8859-1?q?Nachricht_zur=FCck?="}}
	if hint, r := push(opts, header, "x\r\n"); hint != classify.Maybe || r.Class != classify.Bounce || r.Action != classify.Failed {
		t.Errorf("hint %d, %s %s", hint, r.Class, r.Action)
	}
}

// TestSiteRuleOfAnyClass lets the site say anything, of mail that would be a
// bounce too.
func TestSiteRuleOfAnyClass(t *testing.T) {
	for _, c := range []classify.Class{
		classify.DSN, classify.Bounce, classify.AutoReply, classify.Challenge, classify.Receipt,
		classify.Report, classify.Calendar, classify.VirusNotice, classify.List, classify.Ordinary,
	} {
		opts := classify.Options{Headers: []classify.HeaderRule{{Header: "From", Match: regexp.MustCompile("(?i)mailer-daemon"), Class: c}}}
		if _, r := push(opts, bounceHeader, bounceBody); r.Class != c {
			t.Errorf("%s, want %s", r.Class, c)
		}
	}
}

func TestMaxBody(t *testing.T) {
	s := classify.New(classify.Options{MaxBody: 10})
	s.Header("From", "MAILER-DAEMON@example.net")
	if s.Full() {
		t.Error("full before the body")
	}
	if n, err := s.Write(make([]byte, 100)); n != 100 || err != nil {
		t.Errorf("wrote %d, %v", n, err)
	}
	if !s.Full() {
		t.Error("not full after ten times what it takes")
	}
}
