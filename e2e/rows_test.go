//go:build linux

package e2e

import (
	"fmt"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/daemon"
)

func rowCases() []testCase {
	strict := signedFor(12 * 24 * time.Hour)
	return []testCase{
		{name: "exempt", settings: settings{top: "all_mail_here = true\nnull_like = [\"mailer-daemon\"]", tables: exemptions, prepare: strict}, run: exempted},
		{name: "null-like", settings: settings{top: "all_mail_here = true\nnull_like = [\"mailer-daemon\"]", prepare: strict}, run: nullLike},
		{name: "unproven", settings: settings{top: "all_mail_here = true", prepare: strict}, run: unprovenLetter},
		{name: "unsigned-destination", settings: settings{top: "all_mail_here = true", batv: "unsigned_destinations = [\"*@lists.example.org\"]", prepare: strict}, run: unsignedDestination},
		{name: "stage-eom", settings: settings{top: "all_mail_here = true\nstage = \"eom\"", tables: flooding(offLimit, 3), prepare: strict}, run: stageEOM},
		{name: "mode-off", settings: settings{top: "mode = \"off\"", prepare: strict}, run: handsOff},
	}
}

const exemptions = "[exempt]\nclients = [\"" + otherHost + "\"]\nsenders = [\"mailer-daemon@partner.example.net\"]\nheaders = { X-Monitor = \"^probe\" }\n"

// What is exempt, by its client, sender or header, is delivered where everything
// like it is refused.
func exempted(d *desk) {
	client := d.connect(outsideClient)
	d.wantRefused(client, "", alice, d.bounce(), "tag-missing")
	d.wantMarked(d.connect(otherHost), "", alice, d.bounce(), "accept", "exempt", "unknown")
	d.wantMarked(client, "mailer-daemon@partner.example.net", alice, d.bounce(), "accept", "exempt", "unknown")
	d.wantMarked(client, "", alice, "X-Monitor: probe 1\r\n"+d.bounce(), "accept", "exempt", "unknown")
	d.wantRefused(client, "", alice, "X-Monitor: no probe\r\n"+d.bounce(), "tag-missing")
}

// A sender that null_like names is judged as the null sender is, and nobody else.
func nullLike(d *desk) {
	client := d.connect(outsideClient)
	d.wantRefused(client, "MAILER-DAEMON@mx.example.net", alice, d.bounce(), "tag-missing")
	d.send(client, "mailer-daemon@mx.example.net", d.tag(alice), d.bounce())
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	d.send(client, "mailer-daemon-team@mx.example.net", alice, d.ordinary(stranger, alice))
	d.wantNoMark(d.claimFor(alice))
}

// A letter with a null sender is no bounce: it is marked, and refused nowhere.
func unprovenLetter(d *desk) {
	client := d.connect(outsideClient)
	message := d.ordinary(stranger, alice)
	d.send(client, "", alice, message)
	delivery := d.claimFor(alice)
	d.wantMark(delivery, "mark", "unproven", "unknown")
	d.wantBody(delivery, message)
	d.wantVerdict(daemon.Verdict{Client: outsideClient, To: alice, Stage: "eom", Action: "mark", Reason: "unproven", Enforced: true})
}

// Mail to an unsigned destination has left without a tag: bounces about it cannot
// miss one.
func unsignedDestination(d *desk) {
	const list = "members@lists.example.org"
	d.send(d.connect(ownClient), alice, list, d.ordinary(alice, list))
	if from := d.claimFor(list).From.Address; from != alice {
		d.Errorf("reverse-path <%s>, want it as it was", from)
	}
	client := d.connect(outsideClient)
	o := original{from: bob, to: list, date: time.Now()} // of which nothing is on record
	d.wantMarked(client, "", bob, d.bounceOf(o), "mark", "unproven", "unknown")
	o.to = "members@others.example.org"
	d.wantRefused(client, "", bob, d.bounceOf(o), "tag-missing")
}

// In a surge, too, all is decided at the end of the message.
func stageEOM(d *desk) {
	h := d.host(outsideClient)
	for i := range 6 {
		client := h.connection()
		d.wantRefused(client, "", fmt.Sprintf("alice+%d@example.com", i), d.about(i), "tag-missing")
	}
	d.awaitLog(fmt.Sprintf(surgeBegan, outsideNetwork, 3), 1)
	h.wantProvenAndOrdinary(alice)
}

// With hands off nothing is signed, restored, marked or refused.
func handsOff(d *desk) {
	d.send(d.connect(ownClient), alice, stranger, d.ordinary(alice, stranger))
	if from := d.claimFor(stranger).From.Address; from != alice {
		d.Errorf("reverse-path <%s>, want it as it was", from)
	}
	client := d.connect(outsideClient)
	message := d.bounce()
	d.send(client, "", alice, message)
	delivery := d.claimFor(alice)
	d.wantNoMark(delivery)
	d.wantBody(delivery, message)
	if log := d.daemon.Log(); strings.Contains(log, `"msg":"verdict"`) {
		d.Errorf("a verdict with hands off:\n%s", log)
	}
}
