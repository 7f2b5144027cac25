//go:build linux

package e2e

import (
	"slices"
	"strings"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/mta"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/smtp"
)

// class is one way in which a server comes to know its recipients.
type class struct {
	name, only string
	known      string // an address of ours
	home       string // where its mail arrives
	unknown    string // an address in its domain that is nobody's
	refusal    string // what the server says to that
}

func classes() []class {
	const (
		reader  = "reader@away.example.org"
		someone = "someone@away.example.org"
		unknown = "550 5.1.1"
		later   = "250" // it takes mail for anybody, and the next server knows
	)
	return []class{
		{"local", "", alice, alice, nobody, unknown},
		{"alias", "", "news@example.com", reader, nobody, unknown},
		{"virtual-alias", "", "alice@virtual.example.net", alice, "nosuch@virtual.example.net", unknown},
		{"virtual-alias-away", "", "away@virtual.example.net", someone, "nosuch@virtual.example.net", unknown},
		{"virtual-mailbox", "postfix", "alice@mailbox.example.net", "alice@mailbox.example.net", "nosuch@mailbox.example.net", unknown},
		{"virtual-in-class-w", "sendmail", "alice@hosted.example.net", alice, "nosuch@hosted.example.net", unknown},
		{"relay", "postfix", "alice@relay.example.net", "alice@relay.example.net", "nosuch@relay.example.net", unknown},
		{"mailertable", "sendmail", "alice@relay.example.net", "alice@relay.example.net", "nosuch@relay.example.net", later},
		{"verified", "postfix", "alice@verify.example.net", "alice@verify.example.net", "refused@verify.example.net", "450 4.1.1"},
	}
}

func classCases() []testCase {
	var all []testCase
	for _, c := range classes() {
		all = append(all, testCase{name: "class-" + c.name, only: c.only, run: func(d *desk) { knownWithTag(d, c) }})
	}
	return append(all,
		testCase{name: "setup-printed", run: setupPrinted},
		testCase{name: "class-subaddress", settings: settings{batv: `layout = "subaddress"`}, run: knownWithSubaddress},
		testCase{name: "own-subaddress", run: ownSubaddress},
		testCase{name: "own-subaddress-and-tag", settings: settings{batv: `layout = "subaddress"`}, run: ownSubaddress},
	)
}

// knownWithTag wants whoever is known to be known with a tag, too, by the class's
// own means, and nobody else; with the daemon, and without it where mail passes
// then.
func knownWithTag(d *desk, c class) {
	tagged := d.tag(c.known)
	forms := []string{c.unknown, d.tag(c.unknown)}
	d.wantClass(c, tagged, forms)
	d.kill()
	d.send(d.connectTo(mta.FailOpen, outsideClient), "", tagged, d.bounce())
	d.wantNoMark(d.claimHome(c))
	d.wantUnknown(mta.FailOpen, c, forms)
}

// Where tags stand behind the local part no map is needed. Without the daemon
// they stay there, as any other sub-address does.
func knownWithSubaddress(d *desk) {
	tagged, forms := map[string]string{}, map[string][]string{}
	for _, c := range d.classes() {
		tagged[c.name], forms[c.name] = d.tag(c.known), []string{c.unknown, d.tag(c.unknown)}
		d.wantClass(c, tagged[c.name], forms[c.name])
	}
	d.kill()
	for _, c := range d.classes() {
		d.send(d.connectTo(mta.FailOpen, outsideClient), "", tagged[c.name], d.bounce())
		d.wantNoMark(d.claimHome(c))
		d.wantUnknown(mta.FailOpen, c, forms[c.name])
	}
}

// wantClass wants a class's known address to be reached in every form, and its
// unknown one, in the forms given, in none.
func (d *desk) wantClass(c class, tagged string, unknown []string) {
	d.Helper()
	in := d.connect(outsideClient)
	d.send(in, "", tagged, d.bounce())
	d.wantMark(d.claimFor(c.home), "accept", "tag-valid", "tag")
	d.send(in, stranger, tagged, d.ordinary(stranger, tagged))
	d.claimFor(c.home)
	d.send(in, stranger, c.known, d.ordinary(stranger, c.known))
	d.claimFor(c.home)
	d.send(in, "", c.known, d.bounce())
	d.wantMark(d.claimFor(c.home), "mark", "tag-missing", "unknown")
	d.wantUnknown(mta.Front, c, unknown)

	// Our own mail leaves signed, and our own notification about it comes home.
	out := d.connect(ownClient)
	d.send(out, c.known, stranger, d.ordinary(c.known, stranger))
	from := d.claimFor(stranger).From.Address
	if v, err := d.daemon.Verify(from); err != nil || v.Result != "valid" || v.Bare != c.known {
		d.Errorf("reverse-path <%s>, want <%s> signed: %+v, %v", from, c.known, v, err)
	}
	d.send(out, c.known, refused, d.ordinary(c.known, refused))
	d.wantNoMark(d.claimHome(c))
}

// claimHome claims a delivery to a class's known user, maybe by a sub-address: a
// tag behind the local part stays there where no daemon has seen it.
func (d *desk) claimHome(c class) *smtp.Delivery {
	d.Helper()
	delivery := d.claim()
	local, domain, _ := strings.Cut(delivery.To[0].Address, "@")
	if user, _, _ := strings.Cut(local, "+"); len(delivery.To) != 1 || user+"@"+domain != c.home {
		d.Fatalf("delivered to %v, want <%s>", delivery.To, c.home)
	}
	return delivery
}

// wantUnknown wants an unknown user refused in all forms.
func (d *desk) wantUnknown(door mta.Door, c class, forms []string) {
	d.Helper()
	for _, to := range forms {
		client := d.connectTo(door, outsideClient)
		for _, from := range []string{"", stranger} {
			d.want(client.Mail(from), "250")
			d.want(client.Rcpt(to), c.refusal)
			d.want(client.Do("RSET"), "250")
		}
	}
}

// A user who writes as a sub-address of its own gets its bounces, in all classes.
func ownSubaddress(d *desk) {
	sub := func(address string) string { return strings.Replace(address, "@", "+lists@", 1) }
	var tagged []string
	for _, c := range d.classes() {
		client := d.connect(outsideClient)
		tagged = append(tagged, d.tag(sub(c.known)))
		d.send(client, "", tagged[len(tagged)-1], d.bounce())
		d.wantMark(d.claimHome(c), "accept", "tag-valid", "tag")
		d.want(client.Mail(""), "250")
		d.want(client.Rcpt(d.tag(sub(c.unknown))), c.refusal)
	}
	client := d.connect(outsideClient)
	d.want(client.Mail(stranger), "250")
	for _, to := range []string{tagged[0], d.tag(sub(alice), "--at", "2026-01-01"), sub(alice)} {
		d.want(client.Rcpt(to), "250")
	}
	d.want(client.Data(d.ordinary(stranger, alice)), "250")
	d.claimHome(classes()[0])
	d.kill()
	for i, c := range d.classes() {
		d.send(d.connectTo(mta.FailOpen, outsideClient), "", tagged[i], d.bounce())
		d.wantNoMark(d.claimHome(c))
	}
}

// classes are those of the server.
func (d *desk) classes() []class {
	return slices.DeleteFunc(classes(), func(c class) bool { return c.only != "" && c.only != d.mta.Name() })
}
