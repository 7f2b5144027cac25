//go:build linux

package e2e

import (
	"fmt"
	"time"
)

// Twenty in four seconds are a surge here, and nothing is a flood.
const surging = "[flood]\nthreshold = 1000000\nrecipient_threshold = 1000000\nwindow = \"4s\"\nsurge = 20\n"

const surgeSize = 20

func surgeCases() []testCase {
	strict := settings{top: "all_mail_here = true", tables: surging, prepare: signedFor(12 * 24 * time.Hour)}
	return []testCase{
		{name: "surge-client", settings: settings{tables: surging}, run: surgeOfClient},
		{name: "surge-client-strict", settings: strict, run: surgeOfClientStrict},
		{name: "surge-recipient", settings: settings{tables: surging}, run: surgeOfRecipient},
		{name: "surge-recipient-strict", settings: strict, run: surgeOfRecipientStrict},
		{name: "surge-domain-strict", settings: strict, run: surgeOfDomain},
	}
}

const (
	surgeBegan = `"msg":"flood: a surge, unproven recipients are answered before any data","key":"%s","count":%d`
	surgeEnded = `"msg":"flood: the surge has ended","key":"%s"`
)

// awaitBack waits for a surge to be over, in which its cause is seen no more.
func (d *desk) awaitBack(key string) {
	d.Helper()
	d.wantStatus(key, "surge")
	begun := time.Now()
	d.awaitLog(fmt.Sprintf(surgeEnded, key), 1)
	d.Logf("over after %v", time.Since(begun))
}

// Twenty of one host are judged as ever, what follows is put off before its
// data, until the host is quiet again.
func surgeOfClient(d *desk) {
	h := d.host(outsideClient)
	h.bounces(surgeSize, alice, bob)
	h.wantBlocked(alice, "451 4.7.1", later)
	h.wantBlocked(bob, "451 4.7.1", later)
	d.awaitLog(fmt.Sprintf(surgeBegan, outsideNetwork, surgeSize), 1)
	h.wantProvenAndOrdinary(alice)
	d.host(otherHost).wantUntouched(alice)
	d.wantBlocks("client", 0)
	d.awaitBack(outsideNetwork)
	h.wantUntouched(alice)
}

// Where the domain is strict it is refused, and its data is looked at again
// afterwards.
func surgeOfClientStrict(d *desk) {
	h := d.host(outsideClient)
	for i := range surgeSize {
		d.want(h.bring("", alice, d.about(i)), missing)
	}
	h.wantBlocked(alice, "550 5.7.1", tooMany)
	d.want(d.host(otherHost).bring("", bob, d.bounce()), missing)
	h.wantProvenAndOrdinary(alice)
	d.awaitBack(outsideNetwork)
	d.want(h.bring("", alice, d.bounce()), missing)
}

// Twenty for one user, from everywhere, put off what comes for that user.
func surgeOfRecipient(d *desk) {
	for i := range surgeSize {
		d.want(d.manyHosts(i).ask(alice), "250")
	}
	const key = "recipient " + alice
	d.manyHosts(200).wantBlocked(alice, "451 4.7.1", later)
	d.awaitLog(fmt.Sprintf(surgeBegan, key, surgeSize), 1)
	d.manyHosts(201).wantUntouched(bob)
	d.manyHosts(202).wantProvenAndOrdinary(alice)
	d.awaitBack(key)
	d.manyHosts(203).wantUntouched(alice)
}

func surgeOfRecipientStrict(d *desk) {
	for i := range surgeSize {
		d.want(d.manyHosts(i).ask(alice), "250")
	}
	d.manyHosts(200).wantBlocked(alice, "550 5.7.1", tooMany)
	d.want(d.manyHosts(201).ask(bob), "250")
	d.manyHosts(202).wantProvenAndOrdinary(alice)
}

// Where everybody gets too much from everywhere nobody in particular has sent
// it: all is put off, also where the domain is strict.
func surgeOfDomain(d *desk) {
	for i := range surgeSize {
		d.want(d.manyHosts(i).ask([]string{alice, bob}[i%2]), "250")
	}
	const key = "domain example.com"
	d.manyHosts(200).wantBlocked(alice, "451 4.7.1", later)
	d.manyHosts(201).wantBlocked(bob, "451 4.7.1", later)
	d.awaitLog(fmt.Sprintf(surgeBegan, key, surgeSize), 1)
	d.manyHosts(202).wantProvenAndOrdinary(alice)
	d.awaitBack(key)
	d.want(d.manyHosts(203).bring("", alice, d.bounce()), missing)
}
