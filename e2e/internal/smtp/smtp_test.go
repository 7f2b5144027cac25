package smtp

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// talk connects a client to a new sink.
func talk(t *testing.T) (*Client, *Sink) {
	t.Helper()
	sink, err := ListenSink(netip.MustParseAddrPort("127.0.0.1:0"), "example.com")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.Close)
	client, err := Dial("127.0.0.1", sink.listener.Addr().String(), &Transcript{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if reply := client.Hello(); !reply.Is("250") || !strings.Contains(string(reply), "\n250-DSN\n") {
		t.Fatalf("EHLO: %q", reply)
	}
	return client, sink
}

func want(t *testing.T, reply Reply, codes string) {
	t.Helper()
	if !reply.Is(codes) {
		t.Errorf("reply %q, want %s", reply, codes)
	}
}

// What the client sends is what the sink keeps, dots and odd octets included.
func TestDelivery(t *testing.T) {
	const message = "Subject: a\r\nX-Folded: b\r\n\tc\r\nsubject: d\r\n\r\n.\r\n..\r\n.x\r\n\xff \t\r\n\r\n"
	client, sink := talk(t)
	want(t, client.Mail("", "ret=HDRS", "ENVID=q1"), "250 2.1.0")
	want(t, client.Rcpt("alice", "NOTIFY=NEVER"), "250 2.1.5")
	want(t, client.Rcpt("refused@example.net"), "550 5.1.1")
	want(t, client.Rcpt("b=c@example.net"), "250")
	want(t, client.Data(message), "250 2.0.0")
	got, err := sink.Claim("Subject: a", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if got.Data != message {
		t.Errorf("data %q, want %q", got.Data, message)
	}
	if got.From.Address != "" || got.From.Parameters["RET"] != "HDRS" || got.From.Parameters["ENVID"] != "q1" {
		t.Errorf("from %v", got.From)
	}
	if len(got.To) != 2 || got.To[0].Address != "alice@example.com" || got.To[0].Parameters["NOTIFY"] != "NEVER" || got.To[1].Address != "b=c@example.net" {
		t.Errorf("to %v", got.To)
	}
	if subjects := got.Fields("Subject"); len(subjects) != 2 || subjects[0] != "a" || subjects[1] != "d" {
		t.Errorf("subjects %q", subjects)
	}
	if folded := got.Fields("x-folded"); len(folded) != 1 || folded[0] != "b c" {
		t.Errorf("folded %q", folded)
	}
	if rest := sink.Unclaimed(); len(rest) != 0 {
		t.Errorf("%d deliveries are left", len(rest))
	}
}

func TestClaimWaits(t *testing.T) {
	client, sink := talk(t)
	if _, err := sink.Claim("token", time.Millisecond); err == nil {
		t.Fatal("claimed what was not sent")
	}
	go func() {
		client.Mail("x@example.org")
		client.Rcpt("alice")
		client.Data("Subject: token\r\n\r\n")
	}()
	if _, err := sink.Claim("token", 5*time.Second); err != nil {
		t.Fatal(err)
	}
}

func TestSinkRefuses(t *testing.T) {
	client, _ := talk(t)
	want(t, client.Rcpt("alice"), "503")
	want(t, client.Do("MAIL FROM:x@example.org"), "501")
	want(t, client.Do("DATA"), "503")
	want(t, client.Do("BDAT 1 LAST"), "500")
	want(t, client.Do("RSET"), "250")
	want(t, client.Do("QUIT"), "221")
	if reply := client.Do("NOOP"); reply.Is("250") {
		t.Errorf("after QUIT: %q", reply)
	}
}

func TestReplyIs(t *testing.T) {
	for _, tc := range []struct {
		reply, codes string
		want         bool
	}{
		{"550 5.7.1 no", "550", true},
		{"550 5.7.1 no", "550 5.7.1", true},
		{"550 5.7.10 no", "550 5.7.1", false},
		{"5500", "550", false},
		{"250-a\n250 b", "250", true},
		{"250", "250", true},
		{"read tcp: connection reset by peer", "250", false},
	} {
		if got := Reply(tc.reply).Is(tc.codes); got != tc.want {
			t.Errorf("%q is %s: %v", tc.reply, tc.codes, got)
		}
	}
}
