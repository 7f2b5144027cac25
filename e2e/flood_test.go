//go:build linux

package e2e

import (
	"fmt"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/daemon"
)

// What is too much in the cases that do not run with what is shipped: the 21st
// in six seconds begins a block, of seven, and nothing a surge.
const (
	floodLimit  = 20
	floodWindow = 6 * time.Second
	floodBlock  = 7 * time.Second
	offLimit    = 1_000_000
)

// noFloods has no number of bounces be too many.
const noFloods = "[flood]\nthreshold = 1000000\nrecipient_threshold = 1000000\nsurge = 1000000\n"

func flooding(recipientThreshold, surge int) string {
	return fmt.Sprintf("[flood]\nthreshold = %d\nwindow = %q\nrecipient_threshold = %d\nblock = %q\nmax_block = \"1h\"\nsurge = %d\n",
		floodLimit, floodWindow, recipientThreshold, floodBlock, surge)
}

func floodCases() []testCase {
	clients := flooding(offLimit, offLimit)
	return []testCase{
		{name: "flood-shipped", settings: settings{top: "all_mail_here = true", prepare: signedFor(12 * 24 * time.Hour)}, run: floodShipped},
		{name: "flood-client", settings: settings{tables: clients}, run: floodOfClient},
		{name: "flood-client-strict", settings: settings{top: "all_mail_here = true", tables: clients, prepare: signedFor(12 * 24 * time.Hour)}, run: floodOfClientStrict},
		{name: "flood-subject", settings: settings{tables: clients}, run: floodOfSubject},
		{name: "flood-recipient", run: floodOfRecipient},
		{name: "flood-framed", settings: settings{tables: clients}, run: floodFramed},
		{name: "flood-unknown", settings: settings{tables: clients}, run: floodOfUnknown},
		{name: "flood-callouts", settings: settings{tables: clients}, run: floodOfCallouts},
		{name: "flood-relay", settings: settings{top: `inbound_relays = ["203.0.113.9"]`, tables: flooding(60, offLimit)}, run: floodByRelay},
		{name: "flood-proven", run: floodOfProven},
	}
}

const (
	blockBegan = `"msg":"flood: blocked, but for what is proven","key":"%s","count":%d,"for":"%s"`
	blockEnded = `"msg":"flood: the block has ended","key":"%s"`
	missing    = "550 5.7.1 This bounce is for a message we did not send."
	tooMany    = "Too many bounces come to us for messages we did not send, so that this one is not accepted without proof."
	later      = "Too many bounces come to us at the moment, please try again later."

	outsideNetwork = "client 203.0.113.0/24" // of outsideClient, as a key
	neighbour      = "203.0.113.77"          // in that network
	otherHost      = "192.0.2.77"            // in none of ours
)

// With no [flood] set, 200 bounces of one host in two minutes are a surge, which
// is answered before any data, and 401 are a flood. Meanwhile all that is proven
// comes through, and what others send is judged as ever. The domain is strict
// here, so that nothing has to be delivered hundreds of times.
func floodShipped(d *desk) {
	h, begun := d.host(outsideClient), time.Now()
	for i := range 200 {
		d.want(h.bring("", fmt.Sprintf("alice+%d@example.com", i), d.about(i)), missing)
	}
	for i := range 201 {
		h.wantBlocked(fmt.Sprintf("bob+%d@example.com", i), "550 5.7.1", tooMany)
		if i == 199 {
			d.wantBlocks("client", 0)
		}
	}
	d.Logf("401 in %v", time.Since(begun))
	d.awaitLog(fmt.Sprintf(surgeBegan, outsideNetwork, 200), 1)
	d.awaitLog(fmt.Sprintf(blockBegan, outsideNetwork, 401, "15m0s"), 1)
	d.wantBlocks("client", 1)
	d.wantStatus(outsideNetwork, "BLOCKED")
	for range 60 { // they count for nobody, not even for alice
		h.wantBlocked(alice, "550 5.7.1", tooMany)
	}
	d.wantBlocks("recipient", 0)
	d.host(neighbour).wantBlocked(alice, "550 5.7.1", tooMany)
	h.wantProvenAndOrdinary(alice)
	d.want(d.host(otherHost).bring("", alice, d.bounce()), missing)
	d.unblock(outsideClient)
	d.want(h.bring("", alice, d.bounce()), missing)
	h.wantProvenAndOrdinary(alice)
}

// A flood of one subject from one host is cut off after its 21st message. The
// block ends by itself, though the host keeps trying, and then all begins anew;
// the next block is twice as long, and ends by hand.
func floodOfClient(d *desk) {
	h := d.host(outsideClient)
	h.bounces(floodLimit+1, alice, bob)
	begun := time.Now()
	d.awaitLog(fmt.Sprintf(blockBegan, outsideNetwork, floodLimit+1, floodBlock), 1)
	h.wantBlocked(alice, "451 4.7.1", later)
	d.wantVerdict(daemon.Verdict{Client: outsideClient, To: alice, Stage: "rcpt", Action: "tempfail", Reason: "flood", Enforced: true})
	d.wantBlocks("client", 1)
	d.wantStatus(outsideNetwork, "BLOCKED")
	d.host(neighbour).wantBlocked(bob, "451 4.7.1", later)
	h.wantProvenAndOrdinary(alice)
	d.want(h.bring("", "postmaster@example.com", d.bounce()), "250")
	d.claimFor("postmaster@example.com")
	d.host(otherHost).wantUntouched(alice)

	tries := 0
	for ; h.ask(alice).Is("451 4.7.1"); tries++ {
		if time.Since(begun) > floodBlock+2*time.Second {
			d.Fatalf("still blocked after %v", time.Since(begun))
		}
		time.Sleep(100 * time.Millisecond)
	}
	d.Logf("blocked for %v, %d tries meanwhile", time.Since(begun), tries)
	if tries < 10 || time.Since(begun) < floodBlock-2*time.Second { // it began with the last of the deliveries that were waited for
		d.Errorf("%d tries in a block of %v", tries, time.Since(begun))
	}
	d.awaitLog(fmt.Sprintf(blockEnded, outsideNetwork), 1)
	d.wantBlocks("client", 0)

	for range floodLimit { // and the question that was answered
		d.want(h.ask(bob), "250")
	}
	d.awaitLog(fmt.Sprintf(blockBegan, outsideNetwork, floodLimit+1, 2*floodBlock), 1)
	h.wantBlocked(alice, "451 4.7.1", later)
	d.unblock(outsideNetwork)
	d.awaitLog(`"msg":"unblocked by hand","key":"`+outsideNetwork+`"`, 1)
	d.wantBlocks("client", 0)
	h.wantUntouched(bob)
}

// Where the domain is strict, what had been refused at its end is refused for
// good at RCPT TO.
func floodOfClientStrict(d *desk) {
	h := d.host(outsideClient)
	for i := range floodLimit + 1 {
		d.want(h.bring("", alice, d.about(i)), missing)
	}
	h.wantBlocked(alice, "550 5.7.1", tooMany)
	h.wantBlocked(bob, "550 5.7.1", tooMany)
	d.awaitLog(fmt.Sprintf(blockBegan, outsideNetwork, floodLimit+1, floodBlock), 1)
	h.wantProvenAndOrdinary(alice)
	d.want(d.host(otherHost).bring("", alice, d.bounce()), missing)
}

// A network that was freed by hand in mid flood is blocked for that subject at
// once, whatever numbers are in it, and for no other.
func floodOfSubject(d *desk) {
	h := d.host(outsideClient)
	h.bounces(floodLimit+1, alice, bob)
	h.wantBlocked(alice, "451 4.7.1", later)
	d.unblock(outsideNetwork)
	h.bounces(1, alice)
	d.want(h.bring("", alice, d.about(4711)), "451 4.7.1 "+later)
	v := d.wantVerdict(daemon.Verdict{Client: outsideClient, To: alice, Stage: "eoh", Action: "tempfail", Reason: "flood", Enforced: true})
	if v.QueueID == "" {
		d.Error("a verdict at the end of headers without a queue id")
	}
	d.wantBlocks("subject", 1)
	d.wantBlocks("client", 0)
	d.wantStatus("subject 203.0.113.0/24", ", 1 refused")
	h.wantUntouched(alice)
	d.want(d.host(otherHost).bring("", alice, d.about(1)), "250")
	d.wantMark(d.claimFor(alice), "mark", "tag-missing", "unknown")
	d.unblock(outsideClient)
	h.bounces(1, alice)
}

// With nothing set, 51 bounces for one user are too many, though each has come
// from a host of its own. Other users get theirs.
func floodOfRecipient(d *desk) {
	for i := range 51 {
		d.manyHosts(i).bounces(1, alice)
	}
	const key = "recipient " + alice
	d.awaitLog(fmt.Sprintf(blockBegan, key, 51, "15m0s"), 1)
	d.wantBlocks("recipient", 1)
	d.wantStatus(key, "BLOCKED")
	for i := range 3 {
		h := d.manyHosts(200 + i)
		h.wantBlocked(alice, "451 4.7.1", later)
		h.wantUntouched(bob)
		h.wantProvenAndOrdinary(alice)
	}
	d.unblock(alice)
	d.manyHosts(240).wantUntouched(alice)
}

// Somebody who has honest hosts send us what we did not cause gets them blocked,
// and nobody misses anything that we did cause.
func floodFramed(d *desk) {
	honest := []*host{d.manyHosts(1), d.manyHosts(2), d.host(otherHost)}
	for _, h := range honest {
		for range floodLimit + 1 {
			d.want(h.ask(alice), "250")
		}
		h.wantBlocked(alice, "451 4.7.1", later)
	}
	d.wantBlocks("client", 3)
	for _, h := range honest {
		for range 5 {
			h.wantProvenAndOrdinary(alice)
		}
	}
	d.host(outsideClient).wantUntouched(alice)
}

// Who tries many names is cut off, although the server refuses them itself;
// wrong tags do not help. Right ones prove themselves, whoever they are for.
func floodOfUnknown(d *desk) {
	h := d.host(outsideClient)
	forged := d.forge(nobody)
	d.wantUnknownUsers(h, func(int) string { return d.tag(nobody) }, 3)
	d.wantUnknownUsers(h, func(i int) string { return fmt.Sprintf("nosuch%d@example.com", i) }, floodLimit-5)
	d.wantUnknownUsers(h, func(int) string { return forged }, 5)
	d.want(h.ask(alice), "250")
	d.awaitLog(fmt.Sprintf(blockBegan, outsideNetwork, floodLimit+1, floodBlock), 1)
	h.wantBlocked(alice, "451 4.7.1", later)
	d.wantUnknownUsers(h, func(int) string { return nobody }, 1)
	h.wantProvenAndOrdinary(alice)
}

func (d *desk) wantUnknownUsers(h *host, name func(i int) string, count int) {
	d.Helper()
	for i := range count {
		d.want(h.ask(name(i)), "550 5.1.1")
	}
}

// Callouts count, read receipts do not, although they bear no tag either.
func floodOfCallouts(d *desk) {
	h := d.host(outsideClient)
	receipt := crlf("From: Bob <bob@example.net>\nTo: <alice@example.com>\nSubject: Read: Minutes\nDate: Sat, 21 Nov 2026 09:30:00 +0000\nMessage-ID: <" + d.token + "@example.net>\nMIME-Version: 1.0\n" +
		"Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\n\nYour message was displayed.\n--b\nContent-Type: message/disposition-notification\n\n" +
		"Reporting-UA: mail.example.net; Reader\nFinal-Recipient: rfc822;bob@example.net\nDisposition: manual-action/MDN-sent-manually; displayed\n\n--b--\n")
	for range floodLimit + 5 {
		d.want(h.bring("", alice, receipt), "250")
		d.wantMark(d.claimFor(alice), "accept", "receipt", "unknown")
	}
	for range floodLimit + 1 {
		d.want(h.ask(bob), "250")
	}
	d.awaitLog(fmt.Sprintf(blockBegan, outsideNetwork, floodLimit+1, floodBlock), 1)
	h.wantBlocked(alice, "451 4.7.1", later)
	h.client.Close() // the last one is over
	if n, err := d.daemon.Metric("backscatter_callouts_total"); err != nil || n != floodLimit+1 {
		d.Errorf("backscatter_callouts_total: %v, %v; want %d", n, err, floodLimit+1)
	}
	h.left = 0
	h.wantProvenAndOrdinary(bob)
}

// A relay of ours brings everybody's bounces, and is not blocked for them; the
// user who gets too many by it is.
func floodByRelay(d *desk) {
	h := d.host("203.0.113.9")
	h.bounces(60, alice)
	h.bounces(40, bob)
	d.wantBlocks("client", 0)
	d.wantBlocks("subject", 0)
	d.host(neighbour).bounces(1, bob)
	h.bounces(1, alice)
	d.awaitLog(fmt.Sprintf(blockBegan, "recipient "+alice, 61, floodBlock), 1)
	h.wantBlocked(alice, "451 4.7.1", later)
	h.bounces(1, bob)
}

// With nothing set, a hundred proven bounces for one sender are an alarm, and
// no flood: all of them come home.
func floodOfProven(d *desk) {
	h := d.host(outsideClient)
	tagged := d.tag(alice)
	const alarm = `"level":"ERROR","msg":"many proven bounces for one sender: a hacked account, or a bad list","key":"sender alice@example.com","count":100`
	for i := range 120 {
		d.want(h.bring("", tagged, d.about(i)), "250")
		if i == 98 && strings.Contains(d.daemon.Log(), "many proven bounces") {
			d.Error("an alarm before the hundredth")
		}
	}
	for range 120 {
		d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	}
	d.awaitLog(alarm, 1)
	if n := strings.Count(d.daemon.Log(), "many proven bounces"); n != 1 {
		d.Errorf("%d alarms, want one", n)
	}
	if n, err := d.daemon.Metric("backscatter_proven_alarms_total"); err != nil || n != 1 {
		d.Errorf("backscatter_proven_alarms_total: %v, %v; want 1", n, err)
	}
	d.wantBlocks("client", 0)
	d.wantStatus("sender "+alice, "ALARM: many proven bounces")
	h.wantUntouched(alice)
}
