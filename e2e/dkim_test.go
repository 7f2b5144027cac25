//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/mta"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/opendkim"
)

// keyName is the DNS name of the key that OpenDKIM signs with.
const keyName = opendkim.Selector + "._domainkey." + mta.Domain

// opendkim starts what signs at the door mta.DKIM, with a new key.
func (d *desk) opendkim() *opendkim.Signer {
	d.Helper()
	b, err := box.New("opendkim", here.Packages["opendkim"])
	if err != nil {
		d.Fatal(err)
	}
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, d.number}), mta.SignerPort)
	signer, err := opendkim.Start(b, at, mta.Domain, mta.OwnNetwork)
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() {
		signer.Stop()
		if d.Failed() {
			d.Logf("log of opendkim:\n%s", signer.Log())
		}
	})
	return signer
}

// reconfigure has the daemon read other tables.
func (d *desk) reconfigure(tables string) {
	d.Helper()
	if err := d.daemon.Configure(d.config(settings{tables: tables})); err != nil {
		d.Fatal(err)
	}
	if err := d.daemon.Reload(); err != nil {
		d.Fatal(err)
	}
}

// keyFile gives the daemon the key in the file that opendkim-genkey has made.
func (d *desk) keyFile(signer *opendkim.Signer) {
	d.Helper()
	text, _, err := signer.Record()
	if err != nil {
		d.Fatal(err)
	}
	path, err := d.daemon.Keep("s1.txt", text)
	if err != nil {
		d.Fatal(err)
	}
	d.reconfigure(fmt.Sprintf("[origin]\ndkim_keys = { %q = %q }\n", keyName, path))
}

// serveZone answers DNS questions from the text of a zone file, at an address
// of this machine.
func serveZone(t *testing.T, text string) (address string) {
	t.Helper()
	var records []dns.RR
	parser := dns.NewZoneParser(strings.NewReader(text), mta.Domain+".", "")
	parser.SetDefaultTTL(60)
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		records = append(records, rr)
	}
	if err := parser.Err(); err != nil {
		t.Fatal(err)
	}
	answer := func(w dns.ResponseWriter, question *dns.Msg) {
		reply := new(dns.Msg).SetReply(question)
		for _, rr := range records {
			if h := rr.Header(); strings.EqualFold(h.Name, question.Question[0].Name) && h.Rrtype == question.Question[0].Qtype {
				reply.Answer = append(reply.Answer, rr)
			}
		}
		if len(reply.Answer) == 0 {
			reply.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(reply)
	}
	ready := make(chan struct{})
	server := &dns.Server{Addr: "127.0.0.1:0", Net: "udp", Handler: dns.HandlerFunc(answer), NotifyStartedFunc: func() { close(ready) }}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case <-ready:
	case err := <-failed:
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Shutdown() })
	return server.PacketConn.LocalAddr().String()
}

// signed sends a message out by the way of which the daemon knows nothing, and
// returns it as OpenDKIM has signed it.
func (d *desk) signed(o original) string {
	d.Helper()
	d.send(d.connectTo(mta.DKIM, ownClient), o.from, o.to, o.message())
	delivery := d.claimFor(o.to)
	if len(delivery.Fields("DKIM-Signature")) != 1 {
		d.Fatalf("not signed:\n%s", delivery.Header())
	}
	return delivery.Data
}

// bouncedBy has the server at a door refused by the next one, and returns the
// notification that it sends to alice. part is FULL or HDRS (RFC 3461, 4.3).
func (d *desk) bouncedBy(server, part, message string) string {
	d.Helper()
	client := d.connectAt(server, ownClient)
	d.want(client.Mail(alice, "RET="+part), "250")
	d.want(client.Rcpt(refused), "250")
	d.want(client.Data(message), "250")
	bounce := d.claimFor(alice)
	if whole := strings.Contains(bounce.Data, "Hello."); whole != (part == "FULL") {
		d.Errorf("RET=%s, and the body came back: %v", part, whole)
	}
	return bounce.Data
}

// A message that was sent before the daemon knew anything is signed, refused
// elsewhere, and returned as Postfix, Sendmail and Exim return mail, with its
// body and without. All of that is proven by the key in a file. What was changed
// afterwards proves nothing, and neither does what was sent too long ago.
func originDKIMFile(d *desk) {
	signer, exim, client := d.opendkim(), d.exim(), d.connect(outsideClient)
	d.keyFile(signer)
	for _, part := range []string{"FULL", "HDRS"} {
		sent := d.sent(part, 0)
		signed := d.signed(sent)
		for _, server := range []string{d.mta.Door(mta.DKIM), exim.Address()} {
			message := signed
			if server != exim.Address() {
				message = sent.message()
			}
			bounce := d.bouncedBy(server, part, message)
			d.wantMarked(client, "", alice, bounce, "accept", "origin-proven", "dkim")
			changed := strings.Replace(bounce, "\r\nSubject: pills", "\r\nSubject: more pills", 1)
			if changed == bounce {
				d.Fatal("there is nothing to change")
			}
			d.wantMarked(client, "", alice, changed, "mark", "tag-missing", "unknown")
		}
	}
	d.wantMarked(client, "", bob, d.bounceReturning(stranger, header(d.signed(d.sent("colleague", 0)))), "accept", "origin-proven", "dkim") // of the same domain
	old := d.bounceReturning(stranger, header(d.signed(d.sent("old", 30*day))))
	d.wantMarked(client, "", alice, old, "mark", "tag-missing", "unknown")
}

// sent is a message of alice's that she wrote so long ago.
func (d *desk) sent(name string, ago time.Duration) original {
	return original{from: alice, to: stranger, id: name + "-" + d.token + "@example.com", date: time.Now().Add(-ago)}
}

// header is that of a message, without the empty line.
func header(message string) string {
	header, _, _ := strings.Cut(message, "\r\n\r\n")
	return header + "\r\n"
}

// The same with the key in DNS, as the tool writes it for the zone file. While
// there is no answer nothing is proven and nothing refused.
func originDKIMDNS(d *desk) {
	signer, client := d.opendkim(), d.connect(outsideClient)
	zone, _, err := signer.Record()
	if err != nil {
		d.Fatal(err)
	}
	sent := d.sent("dns", 0)
	signed := d.signed(sent)
	bounce := d.bouncedBy(d.mta.Door(mta.DKIM), "HDRS", sent.message())
	empty := serveZone(d.T, "")
	d.reconfigure(fmt.Sprintf("[origin]\nresolvers = [%q]\n", empty))
	d.wantMarked(client, "", alice, bounce, "mark", "tag-missing", "unknown")
	d.reconfigure(fmt.Sprintf("[origin]\nresolvers = [%q]\n", serveZone(d.T, zone)))
	d.wantMarked(client, "", alice, bounce, "accept", "origin-proven", "dkim")
	d.wantMarked(client, "", alice, d.bounceReturning(stranger, header(signed)), "accept", "origin-proven", "dkim")
	d.wantMarked(client, "", alice, strings.Replace(bounce, "\r\nSubject: pills", "\r\nSubject: more pills", 1), "mark", "tag-missing", "unknown")
}

// A domain that is strict by its record stops to be when the bounce of a message
// comes that DKIM proves and the record should have: mail leaves elsewhere, too.
// A signature that does not verify proves neither that nor a forgery.
func originElsewhere(d *desk) {
	signer, client := d.opendkim(), d.connect(outsideClient)
	d.keyFile(signer)
	signed := header(d.signed(d.sent("elsewhere", 2*day)))
	d.wantRefused(client, "", alice, d.bounceOf(d.forgery()), "origin-foreign")
	d.wantMarked(client, "", alice, d.bounceReturning("victim@example.org", strings.Replace(signed, "pills", "more pills", 1)), "mark", "tag-missing", "unknown")
	d.wantRefused(client, "", alice, d.bounceOf(d.forgery()), "origin-foreign")
	d.wantMarked(client, "", alice, d.bounceReturning("victim@example.org", signed), "accept", "origin-proven", "dkim")
	d.wantMarked(client, "", alice, d.bounceOf(d.forgery()), "mark", "origin-foreign", "foreign")
	if x, err := d.daemon.Explain(outsideClient, "", alice, d.bounceOf(d.forgery())); err != nil || x.Recipients[0].ByRecord {
		d.Errorf("explain: %+v, %v", x, err)
	}
	if status, err := d.daemon.Status(); err != nil || !strings.Contains(status, "it also sends elsewhere: a bounce of mail of ") {
		d.Errorf("status: %v\n%s", err, status)
	}
}
