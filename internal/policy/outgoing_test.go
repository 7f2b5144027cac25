package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/backscatter-milter/backscatter-milter/internal/ledger"
)

// What is remembered of a message that leaves: addresses of ours without their
// tags, the first id and author, and no more recipients than tell that there
// were too many.
func TestSent(t *testing.T) {
	s := testSettings(t, "")
	var many []string
	for i := range ledger.MaxRecipients + 50 {
		many = append(many, fmt.Sprintf("r%d@example.net", i))
	}
	for _, tc := range []struct {
		name, sender string
		header       [][2]string
		to           []string
		want         Entry
	}{
		{"ours", "a@example.com", [][2]string{{"From", " \"A <c@example.net>, \\\"B\\\"\" <b@example.com>"}, {"Message-ID", " <1@\r\n x> (made here)"}, {"message-id", "<2@x>"}}, []string{"c@example.net"},
			Entry{Sender: "a@example.com", From: "b@example.com", MessageID: "1@x", QueueID: "Q", Recipients: []string{"c@example.net"}}},
		{"tagged", s.mustSign(t, "a@example.com", now), [][2]string{{"from", "c@example.net"}}, nil, Entry{Sender: "a@example.com", QueueID: "Q"}},
		{"by another reverse-path", "bounces@example.net", [][2]string{{"From", "a@example.com"}, {"Message-ID", "1@x"}}, []string{"c@example.net"},
			Entry{From: "a@example.com", MessageID: "1@x", QueueID: "Q", Recipients: []string{"c@example.net"}}},
		{"a receipt", "", [][2]string{{"Content-Type", "multipart/report; report-type=disposition-notification"}, {"From", "a@example.com"}, {"Message-ID", "<1@x>"}}, []string{"c@example.net"},
			Entry{From: "a@example.com", MessageID: "1@x", QueueID: "Q", Recipients: []string{"c@example.net"}}},
		{"a report of the MTA's", "", [][2]string{{"Content-Type", "multipart/report; report-type=delivery-status"}, {"From", "mailer-daemon@example.com"}, {"Message-ID", "<1@x>"}}, []string{"c@example.net"}, Entry{}},
		{"nobody of ours", "bounces@example.net", [][2]string{{"From", "c@example.net"}, {"Message-ID", "<1@x>"}}, []string{"c@example.net"}, Entry{}},
		{"named by a comment", "a@example.com", [][2]string{{"From", " b@example.com (B, of Sales)"}}, nil, Entry{Sender: "a@example.com", From: "b@example.com", QueueID: "Q"}},
		{"an odd author", "a@example.com", [][2]string{{"From", "a @ example.com"}}, nil, Entry{Sender: "a@example.com", QueueID: "Q"}},
		{"a crowd", "a@example.com", nil, many, Entry{Sender: "a@example.com", QueueID: "Q", Recipients: many[:ledger.MaxRecipients+1]}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := NewMessage(s, Envelope{Client: Client{Local: true}, Sender: tc.sender}, now)
			for _, to := range tc.to {
				f := m.Recipient(to)
				m.Accept(&f, Judge(&f, AtRcpt))
			}
			for _, h := range tc.header {
				m.Header(h[0], h[1])
			}
			got := m.Sent(Sent{Sender: tc.sender, Result: Signed}, "Q")
			if d := cmp.Diff(Sent{Sender: tc.sender, Result: Signed, Entry: tc.want}, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// What is too long is not kept, whoever sends it.
func TestLongFields(t *testing.T) {
	s := testSettings(t, "")
	long := strings.Repeat("x", 1<<20)
	m := NewMessage(s, Envelope{Client: Client{Addr: addr("198.51.100.1")}, Sender: "a@example.com"}, now)
	m.Header("Message-ID", "<"+long+"@example.com>")
	m.Header("From", long+" <b@example.com>")
	if e := m.Sent(Sent{}, "").Entry; e.MessageID != "" || e.From != "" || e.Sender != "a@example.com" {
		t.Errorf("kept %d octets of Message-ID, %d of From", len(e.MessageID), len(e.From))
	}
	in := NewMessage(s, Envelope{Client: outsideClient()}, now)
	in.Header("From", long+"@example.net")
	if in.author != "" {
		t.Errorf("kept %d octets of an author", len(in.author))
	}
}
