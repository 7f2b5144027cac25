package mtatest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// small is a message for looking at what is sent.
func small() Transaction {
	return Transaction{
		Client:   "203.0.113.5",
		Port:     0x4142,
		Helo:     "x.example.net",
		QueueID:  "Q1",
		From:     "a@example.net",
		MailArgs: []string{"SIZE=300"},
		Rcpts:    []Rcpt{{Addr: "alice@example.com", Args: []string{"NOTIFY=NEVER"}}, {Addr: "nosuch@example.com", Unknown: true}, {Addr: "bob@example.com"}},
		Headers:  []Header{{"Subject", " two spaces"}, {"From", "x\n\ty"}},
		Body:     []byte("hi\r\nthere\r\n"),
	}
}

// refuse answers the recipients that begin so with 550, everything else with Continue.
func refuse(prefix string) func(byte, string) []byte {
	return func(code byte, data string) []byte {
		if code == 'R' && strings.HasPrefix(data, "<"+prefix) {
			return Frame('y', "550 5.7.1 no\x00")
		}
		return Frame('c')
	}
}

// The frames and writes below are those recorded from Postfix 3.7.11, for the same session.
func TestRunAsPostfix(t *testing.T) {
	f := &fake{agreed: agree(6, 0, 0), answer: refuse("bob")}
	c := f.client(t, PostfixOffer())
	first, err := c.Run(small())
	if err != nil {
		t.Fatal(err)
	}
	again := small()
	again.Rcpts, again.From, again.MailArgs = To("bob@example.com"), "", nil
	second, err := c.Run(again)
	if err != nil {
		t.Fatal(err)
	}
	quit(t, c)
	no := Reply{ReplyCode, 550, "5.7.1 no"}
	if d := cmp.Diff(Result{StageEOM, Reply{Action: Accept}, []Reply{{Action: Continue}, {}, no}, nil}, first); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(Result{StageRcpt, no, []Reply{no}, nil}, second); d != "" {
		t.Error(d)
	}
	want := []string{
		"DCj|mail.example.com|{daemon_name}|mail.example.com|{daemon_addr}|192.0.2.25|v|Postfix_3.7.11|_|unknown_[203.0.113.5]| C[203.0.113.5]|4AB203.0.113.5|",
		"DH Hx.example.net|",
		"DM{mail_addr}|a@example.net|{mail_host}|example.net|{mail_mailer}|smtp| M<a@example.net>|SIZE=300|",
		"DR{rcpt_addr}|alice@example.com|{rcpt_host}|example.com|{rcpt_mailer}|local| R<alice@example.com>|NOTIFY=NEVER|",
		"DRi|Q1|{rcpt_addr}|bob@example.com|{rcpt_host}|example.com|{rcpt_mailer}|local| R<bob@example.com>|",
		"DTi|Q1| T",
		"DLi|Q1| LSubject|_two_spaces|",
		"DLi|Q1| LFrom|x~y|",
		"DNi|Q1| N",
		"DBi|Q1| Bhi~there~",
		"DEi|Q1| E",
		"A DM{mail_addr}||{mail_host}||{mail_mailer}|smtp| M<>|",
		"DR{rcpt_addr}|bob@example.com|{rcpt_host}|example.com|{rcpt_mailer}|local| R<bob@example.com>|",
		"A A Q",
	}
	if d := cmp.Diff(want, f.seen()); d != "" {
		t.Error(d)
	}
}

// With most answers negotiated away Postfix writes less often; it shows what it refuses to those who ask.
func TestRunAsPostfixLean(t *testing.T) {
	f := &fake{
		agreed: agree(6, MaySetMacros, NoHelo|NoUnknown|NoData|CanSkip|NoReplyConnect|NoReplyMail|NoReplyHeader|WantRejected,
			macros{0, "{client_addr} {daemon_name}"}, macros{2, "{auth_authen} i"}, macros{3, "i {rcpt_mailer} {rcpt_host}"}, macros{5, "i"}, macros{6, "{unused}"}),
		answer: func(code byte, data string) []byte {
			if code == 'C' || code == 'M' || code == 'L' {
				return nil
			}
			return refuse("bob")(code, data)
		},
	}
	c := f.client(t, PostfixOffer())
	if r, err := c.Run(small()); err != nil || !r.Accepted() {
		t.Fatal(r, err)
	}
	quit(t, c)
	want := []string{
		"DC{client_addr}|203.0.113.5|{daemon_name}|mail.example.com| C[203.0.113.5]|4AB203.0.113.5| DH DM M<a@example.net>|SIZE=300| " +
			"DR{rcpt_mailer}|local|{rcpt_host}|example.com| R<alice@example.com>|NOTIFY=NEVER|",
		"DRi|Q1|{rcpt_mailer}|error|{rcpt_host}|5.1.1| R<nosuch@example.com>|",
		"DRi|Q1|{rcpt_mailer}|local|{rcpt_host}|example.com| R<bob@example.com>|",
		"DTi|Q1|",
		"DL LSubject|_two_spaces| DL LFrom|x~y| DN N",
		"DBi|Q1| Bhi~there~",
		"DEi|Q1| E",
		"A A Q",
	}
	if d := cmp.Diff(want, f.seen()); d != "" {
		t.Error(d)
	}
}

// The frames and writes below are those recorded from Sendmail 8.17.1, for the same session.
func TestRunAsSendmail(t *testing.T) {
	f := &fake{agreed: agree(6, 0, 0), answer: refuse("bob")}
	c := f.client(t, SendmailOffer())
	if r, err := c.RunSendmail(small()); err != nil || !r.Accepted() {
		t.Fatal(r, err)
	}
	again := small()
	again.Rcpts, again.From, again.MailArgs = To("bob@example.com"), "", nil
	if _, err := c.RunSendmail(again); err != nil {
		t.Fatal(err)
	}
	quit(t, c)
	want := []string{
		"DCj|mail.example.com|_|[203.0.113.5]|{daemon_name}|MTA|{if_name}|mail.example.com|{if_addr}|192.0.2.25|",
		"C[203.0.113.5]|4AB203.0.113.5|",
		"DH", "Hx.example.net|",
		"DMi|Q1|{mail_mailer}|smtp|{mail_host}|example.net|{mail_addr}|a@example.net|", "M<a@example.net>|SIZE=300|",
		"DR{rcpt_mailer}|local|{rcpt_host}|example.com|{rcpt_addr}|alice@example.com|", "R<alice@example.com>|NOTIFY=NEVER|",
		"DR{rcpt_mailer}|error|{rcpt_host}|5.1.1|{rcpt_addr}|Recipient_address_rejected:_User_unknown|",
		"DR{rcpt_mailer}|local|{rcpt_host}|example.com|{rcpt_addr}|bob@example.com|", "R<bob@example.com>|",
		"T", "LSubject|_two_spaces|", "LFrom|x~y|", "N", "Bhi~there~",
		"DE{msg_id}|<Q1@mail.example.com>|", "E",
		"DMi|Q1|{mail_mailer}|smtp|{mail_host}||{mail_addr}||", "M<>|",
		"DR{rcpt_mailer}|local|{rcpt_host}|example.com|{rcpt_addr}|bob@example.com|", "R<bob@example.com>|",
		"A", "Q",
	}
	if d := cmp.Diff(want, f.seen()); d != "" {
		t.Error(d)
	}
}

func TestClientOfEachFamily(t *testing.T) {
	for _, tc := range []struct {
		client, name   string
		host           string
		family         byte
		addr, sendmail string
	}{
		{"192.0.2.1", "a.example.net", "a.example.net", FamilyInet, "192.0.2.1", "192.0.2.1"},
		{"192.0.2.1", "", "[192.0.2.1]", FamilyInet, "192.0.2.1", "192.0.2.1"},
		{"2001:db8::1", "", "[2001:db8::1]", FamilyInet6, "2001:db8::1", "IPv6:2001:db8::1"},
		{"::ffff:192.0.2.1", "a", "a", FamilyInet6, "::ffff:192.0.2.1", "IPv6:::ffff:192.0.2.1"},
		{"unix:/run/smtp", "", "localhost", FamilyUnix, "/run/smtp", "/run/smtp"},
		{"", "", "unknown", FamilyUnknown, "", ""},
		{"unknown", "", "unknown", FamilyUnknown, "", ""},
	} {
		tx := Transaction{Client: tc.client, ClientName: tc.name}
		host, family, addr := tx.client(&postfix)
		_, _, sm := tx.client(&sendmail)
		if host != tc.host || family != tc.family || addr != tc.addr || sm != tc.sendmail {
			t.Errorf("%q: got %q %c %q %q", tc.client, host, family, addr, sm)
		}
	}
}

// Where a milter's answer ends a message: no event of the message comes after it, and the next message does.
func TestAnswersThatEndAMessage(t *testing.T) {
	for _, tc := range []struct {
		stage Stage
		reply byte
		then  string // the commands after the one that was answered so, until the second message's MAIL
	}{
		{StageMail, 'r', "AM"}, {StageMail, 'a', "AM"}, {StageMail, 'd', "AM"},
		{StageRcpt, 'a', "AM"}, {StageRcpt, 'd', "AM"},
		{StageRcpt, 't', "RAM"}, {StageRcpt, 'r', "RAM"},
		{StageData, 't', "AM"}, {StageHeader, 'r', "AM"}, {StageEOH, 'a', "AM"}, {StageBody, 'd', "AM"},
		{StageEOM, 'r', "AM"}, {StageEOM, 't', "AM"}, {StageEOM, 'd', "AM"}, {StageEOM, 'a', "AM"},
	} {
		order, hit := "", false
		f := &fake{agreed: agree(6, 0, 0), answer: func(code byte, _ string) []byte {
			if code == byte(tc.stage) {
				return Frame(tc.reply)
			}
			return Frame('c')
		}}
		c := f.client(t, PostfixOffer())
		r, err := c.Run(small())
		if err != nil || r.Stage != tc.stage || r.Reply.Action != Action(tc.reply) {
			t.Errorf("%v %c: got %v %v, %v", tc.stage, tc.reply, r.Stage, r.Reply, err)
		}
		if r.Accepted() != (tc.reply == 'a') {
			t.Errorf("%v %c: accepted is %v", tc.stage, tc.reply, r.Accepted())
		}
		if _, err := c.Run(small()); err != nil {
			t.Errorf("%v %c: the next message: %v", tc.stage, tc.reply, err)
		}
		for _, fr := range strings.Fields(strings.Join(f.seen(), " ")) {
			if fr[0] != 'D' && hit && !strings.HasSuffix(order, "M") {
				order += fr[:1]
			}
			hit = hit || fr[0] == byte(tc.stage)
		}
		if order != tc.then {
			t.Errorf("%v %c: then came %q, want %q", tc.stage, tc.reply, order, tc.then)
		}
	}
}

// A decision at CONNECT or HELO is one about all messages, and nothing more is sent.
func TestAnswersThatEndASession(t *testing.T) {
	for _, st := range []Stage{StageConnect, StageHelo} {
		for _, reply := range []byte{'a', 'r', 't'} {
			f := &fake{agreed: agree(6, 0, 0), answer: func(code byte, _ string) []byte {
				if code == byte(st) {
					return Frame(reply)
				}
				return Frame('c')
			}}
			c := f.client(t, PostfixOffer())
			for range 2 {
				r, err := c.Run(small())
				if err != nil || r.Stage != st || r.Reply.Action != Action(reply) {
					t.Errorf("%v %c: got %v %v, %v", st, reply, r.Stage, r.Reply, err)
				}
			}
			got := f.seen()
			if last := got[len(got)-1]; last[strings.LastIndexByte(last, ' ')+1] != byte(st) {
				t.Errorf("%v %c: then came %q", st, reply, got)
			}
		}
	}
}

func TestRecipientsAnsweredSkip(t *testing.T) {
	f := &fake{agreed: agree(6, 0, CanSkip), answer: func(code byte, _ string) []byte {
		if code == 'R' {
			return Frame('s')
		}
		return Frame('c')
	}}
	r, err := f.client(t, PostfixOffer()).Run(small())
	if err != nil || !r.Accepted() {
		t.Fatal(r, err)
	}
	if n := strings.Count(strings.Join(f.seen(), " "), " R<"); n != 1 {
		t.Errorf("%d recipients shown after the first was answered skip", n-1)
	}
}

func TestMacroValues(t *testing.T) {
	f := &fake{agreed: agree(6, MaySetMacros, 0, macros{2, "{auth_type} {auth_authen} {client_addr} {client_name} {client_port} {tls_version} j v"}), answer: goOn}
	c := f.client(t, PostfixOffer())
	tx := small()
	tx.Auth, tx.Macros = "me", map[string]string{"{tls_version}": "TLSv1.3", "j": "other"}
	if _, err := c.Run(tx); err != nil {
		t.Fatal(err)
	}
	want := "DM{auth_type}|PLAIN|{auth_authen}|me|{client_addr}|203.0.113.5|{client_name}|unknown|{client_port}|16706|{tls_version}|TLSv1.3|j|other|v|Postfix_3.7.11|"
	if got := strings.Fields(f.seen()[2]); got[0] != want {
		t.Errorf("got %q, want %q", got[0], want)
	}
	if v, _ := c.value(&Transaction{Client: "2001:db8::1"}, nil, "{client_addr}"); v != "2001:db8::1" {
		t.Errorf("client_addr: %q", v)
	}
}

func TestApply(t *testing.T) {
	tx := small()
	tx.Headers = []Header{{"A", "1"}, {"B", "2"}, {"a", "3"}}
	r := Result{
		Stage: StageEOM, Reply: Reply{Action: Accept},
		Rcpts: []Reply{{Action: Continue}, {}, {ReplyCode, 550, "no"}},
		Mods: []Mod{
			{Kind: DelRcpt, Value: "alice@example.com"},
			{Kind: AddRcptPar, Value: "al@example.com", Args: "NOTIFY=NEVER ORCPT=x"},
			{Kind: ChangeFrom, Value: "s@example.com"},
			{Kind: ChangeHeader, Name: "A", Index: 2, Value: "changed"},
			{Kind: ChangeHeader, Name: "A", Index: 1},
			{Kind: ChangeHeader, Name: "none", Index: 1},
			{Kind: ChangeHeader, Name: "new", Index: 1, Value: "n"},
			{Kind: InsertHeader, Name: "top", Index: 0, Value: "t"},
			{Kind: InsertHeader, Name: "far", Index: 99, Value: "f"},
			{Kind: AddHeader, Name: "end", Value: "e"},
			{Kind: ReplaceBody, Value: "one "}, {Kind: ReplaceBody, Value: "two"},
		},
	}
	got := r.Apply(tx)
	want := tx
	want.From = "s@example.com"
	want.Rcpts = []Rcpt{{Addr: "al@example.com", Args: []string{"NOTIFY=NEVER", "ORCPT=x"}}}
	want.Headers = []Header{{"top", "t"}, {"B", "2"}, {"a", "changed"}, {"new", "n"}, {"far", "f"}, {"end", "e"}}
	want.Body = []byte("one two")
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]Header{{"A", "1"}, {"B", "2"}, {"a", "3"}}, tx.Headers); d != "" {
		t.Error("Apply changed the transaction it was given:", d)
	}
	if m := r.Mod(ChangeHeader, "NEW"); m == nil || m.Value != "n" {
		t.Errorf("Mod: %v", m)
	}
	if m := r.Mod(Quarantine); m != nil {
		t.Errorf("Mod: %v", m)
	}
}

func TestSamples(t *testing.T) {
	for size, tx := range map[int]Transaction{
		4 << 10:  SampleBounce("prvs=0730576ed6=user@example.com", "user@example.com"),
		20 << 10: SampleOrdinary("b@example.org", "user@example.com"),
		8 << 10:  SampleOutbound("user@example.com", "b@example.org"),
	} {
		if len(tx.Body) != size {
			t.Errorf("body of %d bytes, want %d", len(tx.Body), size)
		}
		text := string(tx.Body)
		if !strings.HasSuffix(text, "\r\n") || strings.Count(text, "\r\n") != strings.Count(text, "\n") || strings.Count(text, "\r") != strings.Count(text, "\n") {
			t.Errorf("body of %d bytes: lines do not all end in CRLF", size)
		}
		if strings.Contains(text, "%!") {
			t.Errorf("body of %d bytes: bad format", size)
		}
	}
}

// A load generator must not spend its time on memory.
func TestAllocations(t *testing.T) {
	conn := &canned{answers: [][]byte{Frame('O', string(agree(6, MaySetMacros, NoReplyConnect|NoReplyMail|NoHelo, macros{0, "{client_addr}"}, macros{3, "i"})))}}
	c, err := NewClient(conn, PostfixOffer())
	if err != nil {
		t.Fatal(err)
	}
	tx := SampleBounce("user@example.com", "user@example.com")
	negotiation, refusal := conn.answers, [][]byte{Frame('y', "550 5.7.1 no\x00")}
	got := testing.AllocsPerRun(200, func() {
		conn.answers, conn.next = negotiation, 0
		if err := c.Reset(conn); err != nil {
			t.Fatal(err)
		}
		conn.answers, conn.next = refusal, 0
		if r, err := c.Run(tx); err != nil || r.Reply.Code != 550 {
			t.Fatal(r, err)
		}
		quit(t, c)
	})
	if got > 2 { // the transaction's copy and the list of answers to the recipients
		t.Errorf("%v allocations for a connection with a refused message, want 2 at most", got)
	}
	events := testing.AllocsPerRun(200, func() {
		_, mailErr := c.Mail("", nil, "i", "Q")
		r, err := c.Rcpt("user@example.com", tx.MailArgs, "{rcpt_addr}", "user@example.com")
		if mailErr != nil || err != nil || r.Code != 550 {
			t.Fatal(r, mailErr, err)
		}
		if err := c.Abort(); err != nil {
			t.Fatal(err)
		}
	})
	if events != 0 {
		t.Errorf("%v allocations for a refused message played by hand, want 0", events)
	}
}
