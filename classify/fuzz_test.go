package classify

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"
)

// FuzzClassify wants of any bytes a class, and the same one from any way of
// handing them over.
func FuzzClassify(f *testing.F) {
	names, err := filepath.Glob("testdata/golden/*/*.eml")
	if err != nil {
		f.Fatal(err)
	}
	for i, name := range names {
		if i%6 != 0 {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[bytes.IndexByte(data, '\n')+1:])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Classify(bytes.NewReader(data), Options{MaxBody: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		checkResult(t, r)
		if again, _ := Classify(bytes.NewReader(data), Options{MaxBody: 64 << 10}); again.Class != r.Class || again.Action != r.Action {
			t.Errorf("%s %s, then %s %s", r.Class, r.Action, again.Class, again.Action)
		}
		if pushed := pushInChunks(data); pushed != r.Class {
			t.Errorf("%s as a whole, %s in chunks", r.Class, pushed)
		}
	})
}

// pushInChunks classifies data as a milter would.
func pushInChunks(data []byte) Class {
	raw := trimBlankLines(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	fs, whole := messageHeader(raw)
	s := New(Options{MaxBody: 64 << 10})
	for _, f := range fs {
		s.Header(f.name, f.value)
	}
	for body := raw[min(whole, len(raw)):]; len(body) > 0 && !s.Full(); {
		n := min(len(body), 100)
		s.Write(body[:n])
		body = body[n:]
	}
	return s.Close().Class
}

func checkResult(t *testing.T, r Result) {
	t.Helper()
	switch r.Class {
	case DSN, Bounce:
		if r.Action == "" {
			t.Errorf("%s without an action", r.Class)
		}
	case AutoReply, Challenge, Receipt, Report, Calendar, VirusNotice, List, Ordinary:
		if r.Action != "" {
			t.Errorf("%s with action %s", r.Class, r.Action)
		}
	default:
		t.Errorf("class %q", r.Class)
	}
	if r.Original.Extent == "" {
		t.Error("no extent")
	}
	if (r.Original.Extent == None) != (r.Original.HeaderBlock == nil) {
		t.Errorf("extent %s with a header of %d bytes", r.Original.Extent, len(r.Original.HeaderBlock))
	}
	for _, e := range r.Evidence {
		if len(e.Value) > maxEvidence || !utf8.ValidString(e.Value) {
			t.Errorf("evidence %q", e.Value)
		}
	}
	if len(r.Recipients) > maxRecipients || len(r.Original.HeaderBlock) > maxHeaderBlock || len(r.Evidence) > 60 {
		t.Errorf("%d recipients, %d bytes of header, %d pieces of evidence", len(r.Recipients), len(r.Original.HeaderBlock), len(r.Evidence))
	}
}

// FuzzDeliveryStatus wants of any bytes a bounded report that says of itself
// what it holds.
func FuzzDeliveryStatus(f *testing.F) {
	for _, s := range []string{
		"Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; bob@example.net\nAction: failed\nStatus: 5.1.1\n",
		"Reporting-MTA: dns;mx.example.net\r\nFinal-Recipient: utf-8;b\xc3\xb6b@example.net\r\nAction: delayed\r\nStatus: 4.4.1 (busy)\r\n",
		"Final-Recipient: bob@example.net\rAction: expired\r\rDiagnostic-Code: smtp;\r 550 no\r",
		"\n\n\nAction: delivered\n\n\nStatus: 2.0.0\nFinal-Recipient: rfc822;<>\n",
		"no field\nat all", "Status: 5.1.\nStatus: 5..1\nStatus: 55.1.1\nStatus: 5.1.1000", ":", "\x00: \x00", "A",
		"Original-Message-ID: <a@example.com>\nX-Original-Message-ID: b@example.com\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d := parseDeliveryStatus(text)
		if len(d.recipients) > maxRecipients || len(d.ids) > 10 {
			t.Errorf("%d recipients, %d message-ids", len(d.recipients), len(d.ids))
		}
		if d.isReport() && len(d.recipients) == 0 {
			t.Error("a report about nobody")
		}
		for _, r := range d.recipients {
			if r.Status != "" && findStatus(r.Status) != r.Status {
				t.Errorf("status %q", r.Status)
			}
		}
		switch d.action() {
		case "", Failed, Delayed, Delivered, Relayed, Expanded:
		default:
			t.Errorf("action %q", d.action())
		}
	})
}
