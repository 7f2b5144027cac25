//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/internal/grace"
	"github.com/backscatter-milter/backscatter-milter/internal/store"
)

func graceCases() []testCase {
	return []testCase{
		{name: "zero-configuration", settings: settings{bare: true}, run: zeroConfiguration},
		{name: "strict", settings: settings{top: "all_mail_here = true", prepare: signedFor(12 * 24 * time.Hour)}, run: strict},
		{name: "lost-keys", run: lostKeys},
		{name: "not-strict-yet", settings: settings{top: "all_mail_here = true", prepare: signedFor(9 * 24 * time.Hour)}, run: notStrictYet},
	}
}

// With no configuration at all the daemon learns the domain from mail in both
// directions, asks the server whether tagged recipients come home, and then
// signs. It refuses nothing, and says what is missing.
func zeroConfiguration(d *desk) {
	in, out := d.connect(outsideClient), d.connect(ownClient)
	d.send(in, "", alice, d.bounce())
	d.wantNoMark(d.claimFor(alice))
	for range 3 {
		d.send(in, stranger, alice, d.ordinary(stranger, alice))
		d.claimFor(alice)
		d.send(out, alice, stranger, d.ordinary(alice, stranger))
		if from := d.claimFor(stranger).From.Address; from != alice {
			d.Errorf("signed as <%s> before anything is known", from)
		}
	}
	signed := ""
	for deadline := time.Now().Add(15 * time.Second); signed == "" && time.Now().Before(deadline); {
		d.send(out, alice, stranger, d.ordinary(alice, stranger))
		if from := d.claimFor(stranger).From.Address; from != alice {
			signed = from
		}
		time.Sleep(50 * time.Millisecond)
	}
	if v, err := d.daemon.Verify(signed); err != nil || v.Result != "valid" {
		d.Fatalf("signed as <%s>: %+v, %v", signed, v, err)
	}
	d.send(in, "", signed, d.bounce())
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	d.send(in, "", alice, d.bounce())
	d.wantMark(d.claimFor(alice), "mark", "tag-missing", "unknown")
	status, err := d.daemon.Status()
	if err != nil || !strings.Contains(status, "example.com") || !strings.Contains(status, "not strict") || !strings.Contains(status, "missing") {
		d.Errorf("status: %v\n%s", err, status)
	}
}

// signedFor writes the store of a daemon that has signed all mail of
// example.com for so long, up to now.
func signedFor(span time.Duration) func(t *testing.T, state string) {
	return func(t *testing.T, state string) {
		db, err := store.Open(filepath.Join(state, "state.db"), store.Options{Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		keys, err := batv.CreateKeyFile(filepath.Join(state, "keys.toml"), now.Add(-span))
		if err != nil {
			t.Fatal(err)
		}
		key := grace.KeyID(keys.Keys()[0].ID())
		g, err := grace.New(db.Bucket("grace"), grace.Rules{Lifetime: 10 * 24 * time.Hour}, now.Add(-span))
		if err != nil {
			t.Fatal(err)
		}
		for at := now.Add(-span); at.Before(now); at = at.Add(10 * time.Minute) {
			g.Heartbeat(at)
			g.Signed("example.com", key, at)
		}
		g.Heartbeat(now)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// As shipped, a bounce without a tag is refused once the domain has been
// signing for a whole lifetime: nothing is set but that all mail leaves here.
func strict(d *desk) {
	client := d.connect(outsideClient)
	d.want(client.Mail(""), "250")
	d.want(client.Rcpt(alice), "250")
	d.want(client.Data(d.bounce()), "550 5.7.1")
	d.send(client, "", d.tag(alice), d.bounce())
	d.wantMark(d.claimFor(alice), "accept", "tag-valid", "tag")
	if v, err := d.daemon.Metric(`backscatter_domain_strict{domain="example.com"}`); err != nil || v != 1 {
		d.Errorf("backscatter_domain_strict: %v, %v", v, err)
	}
}

// A key file that is gone is not replaced while tags made with it may come
// home: these would be taken for forgeries.
func lostKeys(d *desk) {
	d.send(d.connect(ownClient), alice, stranger, d.ordinary(alice, stranger))
	d.wantSigned(d.claimFor(stranger))
	if err := d.daemon.Terminate(); err != nil {
		d.Fatal(err)
	}
	if err := d.daemon.Wait(20 * time.Second); err != nil {
		d.Fatal(err)
	}
	keys := filepath.Join(d.daemon.State(), "keys.toml")
	if err := os.Rename(keys, keys+".lost"); err != nil {
		d.Fatal(err)
	}
	if err := d.daemon.Start(); err == nil || !strings.Contains(err.Error(), "is gone, and mail signed with its keys may bounce until") {
		d.Errorf("without its keys: %v", err)
	}
	if err := os.Rename(keys+".lost", keys); err != nil {
		d.Fatal(err)
	}
	if err := d.daemon.Start(); err != nil {
		d.Fatal(err)
	}
}

// A day less than a lifetime, and it is marked.
func notStrictYet(d *desk) {
	d.send(d.connect(outsideClient), "", alice, d.bounce())
	d.wantMark(d.claimFor(alice), "mark", "tag-missing", "unknown")
}
