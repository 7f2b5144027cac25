package mtatest

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNegotiated(t *testing.T) {
	f := &fake{agreed: agree(6, MayChangeFrom|MaySetMacros, NoHelo|NoReplyMail, macros{2, "{auth_authen} i"}, macros{5, "i,{msg_id}"}, macros{6, "{none}"}), answer: goOn}
	c := f.client(t, PostfixOffer())
	want := Negotiated{6, MayChangeFrom | MaySetMacros, NoHelo | NoReplyMail, map[Stage][]string{
		StageMail: {"{auth_authen}", "i"}, StageEOM: {"i", "{msg_id}"}, StageEOH: {"{none}"},
	}}
	if d := cmp.Diff(want, c.Negotiated()); d != "" {
		t.Error(d)
	}
}

func TestOfferGoesOut(t *testing.T) {
	for _, o := range []Offer{PostfixOffer(), SendmailOffer(), OldOffer(), {Version: 4, Actions: 3, Protocol: 0x3FF}} {
		f := &fake{agreed: agree(2, 0, 0), answer: goOn}
		f.client(t, o)
		f.mu.Lock()
		if got, want := f.writes[0], show([]string{string(o.Frame()[4:])}); got != want {
			t.Errorf("offered %q, want %q", got, want)
		}
		f.mu.Unlock()
	}
}

func TestBadNegotiation(t *testing.T) {
	for _, tc := range []struct {
		name   string
		agreed []byte
		want   string
	}{
		{"short", []byte("12345678901"), "negotiation answer of 11 bytes, not 12 or more"},
		{"version too new", agree(7, 0, 0), "milter speaks version 7, offered were 2 to 6"},
		{"version too old", agree(1, 0, 0), "milter speaks version 1, offered were 2 to 6"},
		{"action", agree(6, 0x200, 0), "milter takes actions 0x200 that were not offered (0x1ff)"},
		{"option", agree(6, 0, 1<<21), "milter takes protocol options 0x200000 that were not offered (0x1fffff)"},
		{"macros without the action", agree(6, 0, 0, macros{0, "j"}), "milter names macros without having taken the action for it"},
		{"macro stage", agree(6, MaySetMacros, 0, macros{7, "j"}), "macro list for stage number 7, there are 0 to 6"},
		{"macro list cut", append(agree(6, MaySetMacros, 0), 0, 0, 0, 1), "macro list of 4 bytes, not 5 or more"},
		{"macro list open", append(agree(6, MaySetMacros, 0), 0, 0, 0, 1, 'j'), `macro list "j" without a NUL at its end`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := &fake{agreed: tc.agreed, answer: goOn}
			_, err := NewClient(f.start(t), PostfixOffer())
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// Every event, as it goes over the wire, with nothing negotiated away.
func TestEvents(t *testing.T) {
	f := &fake{agreed: agree(6, 0, 0), answer: goOn}
	c := f.client(t, PostfixOffer())
	calls := []func() (Reply, error){
		func() (Reply, error) { return c.Connect("a.example.net", FamilyInet, 0x4142, "192.0.2.1", "j", "mx") },
		func() (Reply, error) { return c.Connect("b", FamilyInet6, 0, "2001:db8::1") },
		func() (Reply, error) { return c.Connect("localhost", FamilyUnix, 0, "/run/smtp") },
		func() (Reply, error) { return c.Connect("unknown", FamilyUnknown, 25, "dropped") },
		func() (Reply, error) { return c.Helo("a.example.net", "{tls_version}", "TLSv1.3", "{cipher}", "X") },
		func() (Reply, error) { return c.Mail("", nil) },
		func() (Reply, error) { return c.Mail("a@example.net", []string{"SIZE=1", "BODY=8BITMIME"}, "i", "Q1") },
		func() (Reply, error) { return c.Rcpt("b@example.com", []string{"NOTIFY=NEVER"}) },
		func() (Reply, error) { return c.Data("i", "Q1") },
		func() (Reply, error) { return c.Header("Subject", "x\n\ty", "i", "Q1") },
		func() (Reply, error) { return c.EndOfHeaders() },
		func() (Reply, error) { return c.Body([]byte("one\r\ntwo\r\n")) },
		func() (Reply, error) { r, _, err := c.EndOfMessage("i", "Q1"); return r, err },
		func() (Reply, error) { return c.Unknown("XYZZY") },
	}
	for i, call := range calls {
		if r, err := call(); err != nil || r.Action != Continue {
			t.Fatalf("call %d: %v, %v", i, r, err)
		}
	}
	if err := errors.Join(c.Abort(), c.QuitNewConnection(), c.Quit()); err != nil {
		t.Error(err)
	}
	want := []string{
		"DCj|mx| Ca.example.net|4AB192.0.2.1|",
		"Cb|6||2001:db8::1|",
		"Clocalhost|L||/run/smtp|",
		"Cunknown|U",
		"DH{tls_version}|TLSv1.3|{cipher}|X| Ha.example.net|",
		"M<>|",
		"DMi|Q1| M<a@example.net>|SIZE=1|BODY=8BITMIME|",
		"R<b@example.com>|NOTIFY=NEVER|",
		"DTi|Q1| T",
		"DLi|Q1| LSubject|x~y|",
		"N",
		"Bone~two~",
		"DEi|Q1| E",
		"UXYZZY|",
		"A K Q",
	}
	if d := cmp.Diff(want, f.seen()); d != "" {
		t.Error(d)
	}
}

func TestUnwantedEventsAreNotSent(t *testing.T) {
	all := NoConnect | NoHelo | NoMail | NoRcpt | NoBody | NoHeaders | NoEOH | NoUnknown | NoData
	f := &fake{agreed: agree(6, 0, all), answer: goOn}
	c := f.client(t, PostfixOffer())
	sent(t)(c.Connect("a", FamilyInet, 1, "192.0.2.1", "j", "mx"))
	sent(t)(c.Helo("a"))
	sent(t)(c.Mail("a", nil))
	sent(t)(c.Rcpt("b", nil))
	sent(t)(c.Data())
	sent(t)(c.Header("A", "b"))
	sent(t)(c.EndOfHeaders())
	sent(t)(c.Body([]byte("x")))
	sent(t)(c.Unknown("x"))
	if r, _, err := c.EndOfMessage(); err != nil || r.Action != Continue {
		t.Errorf("%v, %v", r, err)
	}
	// the macros of an unwanted event go out all the same
	if d := cmp.Diff([]string{"DCj|mx| E"}, f.seen()); d != "" {
		t.Error(d)
	}
}

func TestOldVersionsAreNotToldNewEvents(t *testing.T) {
	for version, want := range map[uint32][]string{2: {"E"}, 3: {"Ux|", "E"}, 4: {"T", "Ux|", "E"}} {
		f := &fake{agreed: agree(version, 0, 0), answer: goOn}
		c := f.client(t, PostfixOffer())
		sent(t)(c.Data("i", "Q"))
		sent(t)(c.Unknown("x"))
		complete(t, c)
		got := f.seen()
		for i := range got {
			got[i] = strings.TrimPrefix(got[i], "DTi|Q| ")
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("version %d: %s", version, d)
		}
	}
}

func TestUnansweredEventsShareAWrite(t *testing.T) {
	quiet := NoReplyConnect | NoReplyHelo | NoReplyMail | NoReplyHeader | NoReplyEOH | NoReplyBody | NoReplyData
	f := &fake{agreed: agree(6, 0, quiet), answer: func(code byte, _ string) []byte {
		if code == 'R' || code == 'E' {
			return Frame('c')
		}
		return nil
	}}
	c := f.client(t, PostfixOffer())
	sent(t)(c.Connect("a", FamilyInet, 0x4142, "192.0.2.1"))
	sent(t)(c.Helo("a"))
	sent(t)(c.Mail("", nil, "i", "Q"))
	sent(t)(c.Rcpt("b", nil))
	sent(t)(c.Data())
	sent(t)(c.Header("A", "b"))
	sent(t)(c.EndOfHeaders())
	sent(t)(c.Body([]byte("x")))
	complete(t, c)
	want := []string{"Ca|4AB192.0.2.1| Ha| DMi|Q| M<>| R<b>|", "T LA|b| N Bx E"}
	if d := cmp.Diff(want, f.seen()); d != "" {
		t.Error(d)
	}
}

func TestMacrosAreThoseAskedFor(t *testing.T) {
	f := &fake{agreed: agree(6, MaySetMacros, 0, macros{2, "{i} {auth_authen}"}, macros{6, "x"}, macros{5, ""}), answer: goOn}
	c := f.client(t, PostfixOffer())
	sent(t)(c.Mail("a", nil, "i", "Q", "{mail_addr}", "a", "{auth_authen}", "me"))
	sent(t)(c.Header("A", "b", "i", "Q"))
	sent(t)(c.Rcpt("b", nil, "{rcpt_addr}", "b"))
	sent(t)(c.Body([]byte("x"), "i", "Q"))
	want := []string{
		"DMi|Q|{auth_authen}|me| M<a>|", // {i} and i are one
		"DL LA|b|",                      // headers have the list of the end of headers: an empty frame is left
		"DR{rcpt_addr}|b| R<b>|",        // no list: all
		"DBi|Q| Bx",                     // an empty list: all
	}
	if d := cmp.Diff(want, f.seen()); d != "" {
		t.Error(d)
	}
}

func TestSkip(t *testing.T) {
	f := &fake{agreed: agree(6, 0, CanSkip), answer: func(code byte, _ string) []byte {
		if code == 'L' || code == 'B' || code == 'R' {
			return Frame('s')
		}
		return Frame('c')
	}}
	c := f.client(t, PostfixOffer())
	sent(t)(c.Rcpt("a", nil))
	sent(t)(c.Rcpt("b", nil))
	sent(t)(c.Header("A", "1", "i", "Q"))
	sent(t)(c.Header("B", "2", "i", "Q"))
	sent(t)(c.Body(make([]byte, maxBody+1)))
	sent(t)(c.Body([]byte("more")))
	complete(t, c)
	sent(t)(c.Rcpt("c", nil))
	got := f.seen()
	want := []string{"R<a>|", "DLi|Q| LA|1|", got[2], "E", "R<c>|"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if !strings.HasPrefix(got[2], "B|") || !strings.HasSuffix(got[2], "…65536") {
		t.Errorf("first body chunk: %q", got[2])
	}
}

func TestBodyChunks(t *testing.T) {
	sizes := []int{}
	f := &fake{agreed: agree(6, 0, 0), answer: func(code byte, data string) []byte {
		sizes = append(sizes, len(data))
		return Frame('c')
	}}
	c := f.client(t, PostfixOffer())
	if _, err := c.Body(make([]byte, 2*maxBody+5)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{maxBody, maxBody, 5}, sizes); d != "" {
		t.Error(d)
	}
}

func TestLeadingSpace(t *testing.T) {
	f := &fake{agreed: agree(6, 0, LeadingSpace), answer: goOn}
	c := f.client(t, PostfixOffer())
	sent(t)(c.Header("Subject", " two"))
	if d := cmp.Diff([]string{"LSubject|__two|"}, f.seen()); d != "" {
		t.Error(d)
	}
}

// A milter that answers more than it is asked puts every later answer in the wrong place.
func TestUnaskedAnswer(t *testing.T) {
	f := &fake{agreed: agree(6, 0, 0), answer: func(byte, string) []byte { return append(Frame('c'), Frame('a')...) }}
	c := f.client(t, PostfixOffer())
	if r, err := c.Helo("a"); err != nil || r.Action != Continue {
		t.Fatalf("%v, %v", r, err)
	}
	if _, err := c.Mail("a", nil); !errors.Is(err, errUnasked) {
		t.Errorf("got %v, want %v", err, errUnasked)
	}
}

func TestDeadMilter(t *testing.T) {
	f := &fake{agreed: agree(6, 0, 0), answer: func(byte, string) []byte { return nil }}
	c := f.client(t, PostfixOffer())
	c.Timeout = 30 * time.Millisecond
	if _, err := c.Helo("a"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("silent milter: %v", err)
	}
	ours, theirs := net.Pipe()
	go func() {
		io.ReadFull(theirs, make([]byte, 17))
		theirs.Close()
	}()
	if _, err := NewClient(ours, PostfixOffer()); !errors.Is(err, io.EOF) {
		t.Errorf("milter that hangs up: %v", err)
	}
}

func TestSendRaw(t *testing.T) {
	f := &fake{agreed: agree(6, 0, NoReplyHelo), answer: goOn}
	c := f.client(t, PostfixOffer())
	sent(t)(c.Helo("held back"))
	if err := c.SendRaw(Frame('M', "no NUL")); err != nil {
		t.Fatal(err)
	}
	code, data, err := c.Receive()
	if err != nil || code != 'c' || len(data) != 0 {
		t.Errorf("%q %q %v", code, data, err)
	}
	if d := cmp.Diff([]string{"Hheld_back| Mno_NUL"}, f.seen()[:1]); d != "" {
		t.Error(d)
	}
}

// A client that is used again must not carry anything over.
func TestReset(t *testing.T) {
	f := &fake{agreed: agree(6, 0, CanSkip|NoReplyMail), answer: func(byte, string) []byte { return Frame('s') }}
	c := f.client(t, PostfixOffer())
	sent(t)(c.Rcpt("a", nil))
	sent(t)(c.Mail("held back", nil))
	g := &fake{agreed: agree(6, MayAddHeader, 0), answer: goOn}
	if err := c.Reset(g.start(t)); err != nil {
		t.Fatal(err)
	}
	sent(t)(c.Rcpt("b", nil))
	if d := cmp.Diff([]string{"R<b>|"}, g.seen()); d != "" {
		t.Error(d)
	}
	if c.Negotiated().Actions != MayAddHeader {
		t.Errorf("actions of the first connection: %#x", c.Negotiated().Actions)
	}
}
