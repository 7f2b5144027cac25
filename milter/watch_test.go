package milter

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// A callout is a null sender whose recipient is accepted and that brings no
// message, however the client leaves.
func TestCalloutsAreCounted(t *testing.T) {
	b := start(t, "[policy]\ntag-missing = \"reject\"\n")
	client := netip.MustParseAddr("192.0.2.25")
	c := b.dial(t, mtatest.PostfixOffer())
	envelope := func(from string, to ...string) {
		t.Helper()
		c.Connect("mx.example.net", mtatest.FamilyInet, 40000, client.String())
		c.Mail(from, nil)
		for _, rcpt := range to {
			if r, err := c.Rcpt(rcpt, nil); err != nil || r.Action != mtatest.Continue {
				t.Fatalf("%s: %v, %v", rcpt, r, err)
			}
		}
	}
	envelope("", "alice@example.com")
	c.Abort() // RSET
	envelope("", "alice@example.com", "bob@example.com")
	c.Mail("", nil) // another transaction without RSET: counts as well
	envelope("bob@example.net", "alice@example.com")
	c.Abort()
	envelope("")
	c.Abort()
	play(t, c, bounce("alice@example.com")) // refused at its end
	envelope("", b.tagged(t, "alice@example.com"))
	c.QuitNewConnection()
	play(t, c, bounce("alice@example.com"))
	envelope("", "alice@example.com")
	c.Close()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline) && b.calledOut() < 4; {
		time.Sleep(5 * time.Millisecond) // the server has to see the connection's end
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if d := cmp.Diff([]netip.Addr{client, client, client, client}, b.callouts, cmpopts.EquateComparable(netip.Addr{})); d != "" {
		t.Errorf("callouts (-want +got):\n%s", d)
	}
}

func (w *witness) calledOut() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.callouts)
}

// Reports of our own MTA's to addresses elsewhere are told of, those to our own
// users and what users' programs send are not.
func TestOutscatter(t *testing.T) {
	b := start(t, "")
	report := func(client, to string, headers ...mtatest.Header) {
		tx := mtatest.SampleBounce(to, to)
		tx.Client = client
		if headers != nil {
			tx.Headers = headers
		}
		b.run(t, tx)
	}
	const own = "198.51.100.7"
	report(own, "victim@example.net")
	report(own, "alice@example.com")
	report(own, b.tagged(t, "alice@example.com"))
	report(own, "friend@example.net", mtatest.Header{Name: "Subject", Value: "Out of office"}, mtatest.Header{Name: "Content-Type", Value: "text/plain"})
	report(own, "friend@example.net", mtatest.Header{Name: "Content-Type", Value: "multipart/report; report-type=disposition-notification; boundary=b"})
	report("192.0.2.25", "victim@example.net")
	report(own, "asked@example.net", mtatest.Header{Name: "Subject", Value: "Successful Mail Delivery Report"}, mtatest.Header{Name: "Content-Type", Value: "multipart/report; report-type=delivery-status; boundary=b"})
	report(own, "other@example.net", mtatest.Header{Name: "content-type", Value: " Multipart/Report;\r\n\tReport-Type=\"delivery-status\"; boundary=b"})
	if d := cmp.Diff([]string{"victim@example.net", "other@example.net"}, b.outscatter); d != "" {
		t.Errorf("outscatter (-want +got):\n%s", d)
	}
}
