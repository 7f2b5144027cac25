package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	prvs    = "prvs=0730576ed6=user@example.com"
	sub     = "user+prvs=0730576ed6@example.com"
	rndPRVS = "prvs=0730576ed7=x1y2z3@example.com"
	rndSub  = "x1y2z3+prvs=0730576ed7@example.com"
	plain   = "user@example.com"
)

func query() Query { return Query{prvs, sub, rndPRVS, rndSub, plain} }

// mta plays an MTA on pipes: rcpt answers RCPT TO, other maps the first word of
// any other command to a reply, and "" to the greeting.
type mta struct {
	rcpt  func(address string) string
	other map[string]string
	mu    sync.Mutex
	heard []string
	dials int
}

func (m *mta) DialContext(context.Context, string, string) (net.Conn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dials++
	client, server := net.Pipe()
	go m.serve(server)
	return client, nil
}

// asked counts the connections made.
func (m *mta) asked() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dials
}

// answer changes the replies to RCPT TO and to the greeting; "" there is none.
func (m *mta) answer(greeting string, rcpt func(string) string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rcpt, m.other = rcpt, nil
	if greeting != "" {
		m.other = map[string]string{"": greeting}
	}
}

func (m *mta) reply(line string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	word, _, _ := strings.Cut(line, " ")
	if r, ok := m.other[word]; ok {
		return r
	}
	switch word {
	case "":
		return "220 mx.example.com ESMTP"
	case "EHLO":
		return "250-mx.example.com\r\n250-SIZE\r\n250 8BITMIME"
	case "RCPT":
		return m.rcpt(strings.TrimSuffix(strings.TrimPrefix(line, "RCPT TO:<"), ">"))
	}
	return "250 2.0.0 ok"
}

func (m *mta) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for line := ""; ; {
		r := m.reply(line)
		if r == "HANG" {
			io.Copy(io.Discard, conn)
			return
		}
		if r == "CLOSE" {
			return
		}
		if _, err := io.WriteString(conn, r+"\r\n"); err != nil {
			return
		}
		text, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(text, "\r\n")
		m.mu.Lock()
		m.heard = append(m.heard, line)
		m.mu.Unlock()
	}
}

func (m *mta) log() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.heard, "\n")
}

func accepting(addresses ...string) func(string) string {
	return func(a string) string {
		for _, ok := range addresses {
			if a == ok {
				return "250 2.1.5 Ok"
			}
		}
		return "550-5.1.1 <" + a + ">:\r\n550 5.1.1 User unknown"
	}
}

func target(d Dialer) Target {
	return Target{Dialer: d, Address: "127.0.0.1:25", Helo: "mx.example.com", Now: time.Now}
}

func TestProbe(t *testing.T) {
	always := func(r string) func(string) string { return func(string) string { return r } }
	tests := []struct {
		name     string
		mta      *mta
		layout   Layout
		catchAll bool
		err      string // part of it; empty: none
	}{
		{"prvs", &mta{rcpt: accepting(prvs, sub, plain)}, PRVS, false, ""},
		{"sub-address", &mta{rcpt: accepting(sub, plain)}, Subaddress, false, ""},
		{"neither", &mta{rcpt: accepting(plain)}, None, false, ""},
		{"accepts anything", &mta{rcpt: always("250 ok")}, PRVS, true, ""},
		{"any sub-address", &mta{rcpt: accepting(sub, rndSub)}, Subaddress, true, ""},
		{"a sender that is nobody", &mta{rcpt: accepting()}, Unknown, false, "receives no mail even without a tag: 550 5.1.1 <user@example.com>: 5.1.1 User unknown"},
		{"greylisted", &mta{rcpt: always("450 4.2.0 Greylisted")}, Unknown, false, "not now: 450 4.2.0 Greylisted"},
		{"goes away", &mta{rcpt: always("421 4.3.2 shutting down")}, Unknown, false, "not now: 421"},
		{"drops at RCPT", &mta{rcpt: always("CLOSE")}, Unknown, false, "RCPT: the connection was closed"},
		{"greets with 554", &mta{other: map[string]string{"": "554 no SMTP here"}}, Unknown, false, "session refused: 554 no SMTP here"},
		{"greets with 421", &mta{other: map[string]string{"": "421 too busy"}}, Unknown, false, "not now: 421 too busy"},
		{"no EHLO", &mta{rcpt: accepting(prvs), other: map[string]string{"EHLO": "502 what"}}, PRVS, false, ""},
		{"no null sender", &mta{other: map[string]string{"MAIL": "550 no bounces"}}, Unknown, false, "session MAIL refused: 550 no bounces"},
		{"another protocol", &mta{other: map[string]string{"": "SSH-2.0-OpenSSH_9"}}, Unknown, false, `not an SMTP reply: "SSH-2.0-OpenSSH_9"`},
		{"a line without end", &mta{other: map[string]string{"EHLO": strings.Repeat("250", 1<<20)}}, Unknown, false, "reply line without end"},
		{"a reply without end", &mta{other: map[string]string{"EHLO": strings.Repeat("250-x\r\n", 1<<18)}}, Unknown, false, "reply without end"},
		{"codes that differ", &mta{other: map[string]string{"EHLO": "250-a\r\n550 b"}}, Unknown, false, "not an SMTP reply"},
		{"QUIT refused", &mta{rcpt: accepting(prvs), other: map[string]string{"RSET": "CLOSE"}}, PRVS, false, ""},
		{"354 to RCPT", &mta{rcpt: always("354 go on")}, Unknown, false, "not now: 354"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Probe(t.Context(), target(tt.mta), query())
			if tt.err != "" {
				if r.Err == nil || !strings.Contains(r.Err.Error(), tt.err) || r.Layout != Unknown {
					t.Fatalf("%+v, want an error with %q", r, tt.err)
				}
				return
			}
			if r.Layout != tt.layout || r.CatchAll != tt.catchAll || r.Err != nil {
				t.Errorf("%+v, want %v, catch-all %v", r, tt.layout, tt.catchAll)
			}
			if log := tt.mta.log(); strings.Contains(log, "DATA") {
				t.Errorf("said %q", log)
			}
		})
	}
}

func TestDialogue(t *testing.T) {
	m := &mta{rcpt: accepting(sub)}
	if r := Probe(t.Context(), target(m), query()); r.Reply != "250 2.1.5 Ok" {
		t.Errorf("reply %q", r.Reply)
	}
	want := "EHLO mx.example.com\nMAIL FROM:<>\nRCPT TO:<" + prvs + ">\nRCPT TO:<" + sub + ">\nRCPT TO:<" + rndSub + ">\nRSET\nQUIT"
	if m.log() != want {
		t.Errorf("said\n%s\nwant\n%s", m.log(), want)
	}
	m = &mta{rcpt: accepting(sub)}
	if r := Probe(t.Context(), target(m), Query{PRVS: prvs}); r.Layout != None || strings.Contains(m.log(), sub) {
		t.Errorf("asked for one layout: %+v, said %q", r, m.log())
	}
}

func TestHangs(t *testing.T) {
	m := &mta{other: map[string]string{"EHLO": "HANG"}}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r := Probe(ctx, target(m), query())
	if !errors.Is(r.Err, context.DeadlineExceeded) || r.Layout != Unknown {
		t.Errorf("%+v", r)
	}
	// The same by the deadline of the reply, with a clock 20 s behind.
	to := target(m)
	to.Now = func() time.Time { return time.Now().Add(50*time.Millisecond - replyTimeout) }
	if r := Probe(t.Context(), to, query()); r.Err == nil || !strings.Contains(r.Err.Error(), "EHLO: ") {
		t.Errorf("%+v", r)
	}
}

func TestInjection(t *testing.T) {
	m := &mta{rcpt: accepting()}
	for _, a := range []string{"a>\r\nDATA", "a\x00b", "<a@example.com"} {
		if r := Probe(t.Context(), target(m), Query{PRVS: a}); r.Err == nil || m.asked() > 0 {
			t.Errorf("%q: %+v", a, r)
		}
	}
}

func TestNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := target(&net.Dialer{})
	to.Address = l.Addr().String()
	l.Close()
	if r := Probe(t.Context(), to, query()); r.Err == nil || !strings.HasPrefix(r.Err.Error(), "no connection: ") {
		t.Errorf("%+v", r)
	}
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{"250 ok\r\n", "250-a\r\n250 b\r\n", "250\n", "25", "999 x\r\n", "250-a\r\n251 b\r\n", "550 \xff\x00\r\n", ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := readReply(bufio.NewReaderSize(strings.NewReader(string(data)), maxLine))
		if err != nil {
			return
		}
		if r.code < 200 || r.code > 599 || len(r.text) > maxText+3 || !strings.HasPrefix(string(data), fmt.Sprint(r.code)) {
			t.Errorf("%q gives %+v", data, r)
		}
		for _, c := range r.text {
			if c < ' ' || c > '~' {
				t.Errorf("%q gives text %q", data, r.text)
			}
		}
	})
}
