//go:build linux

package e2e

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/mta"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/smtp"
)

func lifeCases() []testCase {
	return []testCase{
		{name: "unix-socket", run: unixSocket},
		{name: "dead-tempfail", run: deadTempfail},
		{name: "dead-accept", run: deadAccept},
		{name: "killed-in-transaction", run: killedInTransaction},
		{name: "stopped-in-transaction", run: stoppedInTransaction},
		{name: "many-connections", settings: refuseAtRcpt, run: manyConnections},
	}
}

// A server can reach the daemon through a Unix socket as well as by TCP.
func unixSocket(d *desk) {
	d.send(d.connectTo(mta.Socket, outsideClient), "", d.tag(alice), d.bounce())
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	d.send(d.connectTo(mta.Socket, ownClient), alice, stranger, d.ordinary(alice, stranger))
	d.wantSigned(d.claimFor(stranger))
}

func (d *desk) kill() {
	d.Helper()
	if err := d.daemon.Kill(); err != nil {
		d.Fatal(err)
	}
}

func (d *desk) restart() {
	d.Helper()
	if err := d.daemon.Start(); err != nil {
		d.Fatal(err)
	}
}

// With tempfail, no mail passes the server while the daemon is away; with the
// daemon, mail passes again, and tags made before still verify.
func deadTempfail(d *desk) {
	tagged := d.tag(alice)
	d.kill()
	client := d.connect(outsideClient)
	d.want(firstRefusal(client, stranger, alice, d.ordinary(stranger, alice)), "451")
	d.restart()
	client = d.connect(outsideClient)
	d.send(client, "", tagged, d.bounce())
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
}

// firstRefusal brings a message and returns the first reply that is not
// positive, or the last one.
func firstRefusal(client *smtp.Client, from, to, message string) smtp.Reply {
	for _, step := range []func() smtp.Reply{
		func() smtp.Reply { return client.Mail(from) },
		func() smtp.Reply { return client.Rcpt(to) },
	} {
		if reply := step(); !strings.HasPrefix(string(reply), "2") {
			return reply
		}
	}
	return client.Data(message)
}

// With accept, mail passes: ours unsigned, and bounces of mail signed before
// find the plain address without the daemon's help.
func deadAccept(d *desk) {
	tagged := d.tag(alice)
	d.kill()
	d.send(d.connectTo(mta.FailOpen, ownClient), alice, stranger, d.ordinary(alice, stranger))
	if delivery := d.claimFor(stranger); delivery.From.Address != alice {
		d.Errorf("reverse-path <%s>, want <%s>", delivery.From.Address, alice)
	}
	client := d.connectTo(mta.FailOpen, outsideClient)
	d.send(client, "", tagged, d.bounce())
	d.wantNoMark(d.claimFor(alice))
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(d.tag(nobody)), "550 5.1.1")
}

// Whenever the daemon dies, sender and recipient agree on what became of the
// message: accepted and delivered once, or refused for now and not delivered.
func killedInTransaction(d *desk) {
	for _, moment := range []string{"MAIL", "RCPT", "DATA"} {
		tagged := d.tag(alice)
		client := d.connect(outsideClient)
		killAt := func(now string) {
			if now == moment {
				d.kill()
			}
		}
		message := d.bounce()
		reply := client.Mail("")
		killAt("MAIL")
		if reply.Is("250") {
			reply = client.Rcpt(tagged)
			killAt("RCPT")
		}
		if reply.Is("250") {
			reply = client.Do("DATA")
			killAt("DATA")
		}
		if reply.Is("354") {
			reply = client.Content(message)
		}
		switch {
		case reply.Is("250"):
			d.claimFor(alice)
		case !strings.HasPrefix(string(reply), "4"):
			d.Errorf("killed after %s: reply %q, want 250 or 4xx", moment, reply)
		}
		d.settle()
		d.restart()
		d.send(d.connect(outsideClient), "", tagged, message)
		d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	}
}

// Asked to stop, the daemon first ends what it has begun.
func stoppedInTransaction(d *desk) {
	client := d.connect(outsideClient)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(d.tag(alice)), "250")
	d.want(client.Do("DATA"), "354")
	if err := d.daemon.Terminate(); err != nil {
		d.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // it could have stopped by then
	d.want(client.Content(d.bounce()), "250")
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	client.Close() // with it, the server's connection to the daemon
	if err := d.daemon.Wait(5 * time.Second); err != nil {
		d.Errorf("stop the daemon: %v", err)
	}
}

// Many clients at once: bounces without a tag are refused, those with one
// delivered, and none is mixed up with another.
func manyConnections(d *desk) {
	const clients = 40
	tagged := d.tag(alice)
	var wait sync.WaitGroup
	for i := range clients {
		wait.Go(func() {
			client, err := smtp.Dial(fmt.Sprintf("203.0.113.%d", 10+i), d.mta.Door(mta.Front), &d.transcript)
			if err != nil {
				d.Error(err)
				return
			}
			defer client.Close()
			for _, step := range []struct {
				reply smtp.Reply
				codes string
			}{
				{client.Hello(), "250"},
				{client.Mail(""), "250"},
				{client.Rcpt(alice), "550 5.7.1"},
				{client.Rcpt(tagged), "250"},
				{client.Data(d.bounce()), "250"},
			} {
				if !step.reply.Is(step.codes) {
					d.Errorf("client %d: reply %q, want %s", i, step.reply, step.codes)
				}
			}
		})
	}
	wait.Wait()
	for range clients {
		d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	}
}
