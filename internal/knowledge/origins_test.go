package knowledge

import (
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
	"github.com/backscatter-milter/backscatter-milter/internal/origin"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// Mail that leaves while hands are off a domain is on no record: nothing is
// missed of that time, nor for a lifetime after it.
func TestUnrecordedTime(t *testing.T) {
	const ours = "domains = [\"example.com\"]\n"
	for name, toml := range map[string]string{
		"mode off":                    "mode = \"off\"\n" + ours,
		"mode off for the domain":     ours + "[[domain]]\nname = \"example.com\"\nmode = \"off\"\n",
		"the domain is named no more": "domains = [\"example.net\"]\n",
	} {
		t.Run(name, func(t *testing.T) {
			k, clock, key := steady(t, ours)
			live := func(d time.Duration) {
				for range d / (10 * time.Minute) {
					clock.jump(2 * time.Minute)
					beatAll(k)
					for range 4 {
						clock.jump(2 * time.Minute)
						beatAll(k)
					}
					k.Sent(policy.Sent{Sender: "alice@example.com", Result: policy.Signed, Key: key.ID(), Entry: policy.Entry{Sender: "alice@example.com", MessageID: "<1@example.com>"}})
				}
			}
			live(12 * 24 * time.Hour)
			on := clock.now()
			if !k.StrictByRecord("example.com") || !k.record().Covers("example.com", on.Add(-time.Hour)) {
				t.Fatalf("not strict: %q", k.grace.Status("example.com", on).Recording.Missing)
			}
			k.Reload(parsed(t, toml), ring(t, key))
			for range 60 {
				clock.jump(time.Minute)
				beatAll(k)
			}
			off := clock.now()
			k.Reload(parsed(t, ours), ring(t, key))
			live(24 * time.Hour)
			if k.StrictByRecord("example.com") {
				t.Error("strict by record")
			}
			record := k.record()
			for at, want := range map[time.Time]bool{on.Add(-time.Hour): true, on.Add(30 * time.Minute): false, off: false, off.Add(time.Hour): true} {
				if got := record.Covers("example.com", at); got != want {
					t.Errorf("covers %v after the switch: %v", at.Sub(on), got)
				}
			}
		})
	}
}

// beatAll does what is done once a minute.
func beatAll(k *Site) {
	k.Heartbeat()
	k.ledger.Heartbeat()
}

// SPF records are asked for at the servers that are configured for origins.
func TestResolversForSPF(t *testing.T) {
	server, err := mtatest.ListenDNS("127.0.0.1:0", "example.com")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	k, _, _ := steady(t, "domains = [\"example.com\"]\n[origin]\nresolvers = [\""+server.Addr()+"\"]\n")
	if !k.readSPF(t.Context(), "example.com") || server.Counts().Questions == 0 {
		t.Errorf("not asked: %+v", server.Counts())
	}
}

// A reload changes how long sent mail is remembered.
func TestReloadOfLedger(t *testing.T) {
	k, clock, key := steady(t, "domains = [\"example.com\"]\n")
	k.Sent(policy.Sent{Sender: "alice@example.com", Entry: policy.Entry{Sender: "alice@example.com", MessageID: "<1@example.com>"}})
	for range 6 * 24 * 60 / 2 {
		clock.jump(2 * time.Minute)
		k.ledger.Heartbeat()
	}
	at := clock.now().Add(-5 * 24 * time.Hour)
	if !k.ledger.Covers("example.com", at) {
		t.Fatal("five days ago is not covered")
	}
	k.Reload(parsed(t, "domains = [\"example.com\"]\n[origin]\nledger = \"6d\"\n"), ring(t, key))
	if k.ledger.Covers("example.com", at) {
		t.Error("five days ago is covered by a record of six days less two")
	}
}

// The settings under [origin], and our_relays, are those that originals are
// looked at by.
func TestFinderSettings(t *testing.T) {
	server, err := mtatest.ListenDNS("127.0.0.1:0", "example.com")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	k, clock, _ := steady(t, "domains = [\"example.com\"]\n")
	k.Sent(policy.Sent{Sender: "alice@example.com", Entry: policy.Entry{Sender: "alice@example.com", MessageID: "<1@example.com>"}})
	for range 60 {
		clock.jump(time.Minute)
		k.ledger.Heartbeat()
	}
	date := clock.now().Add(-20 * time.Minute).Format(time.RFC1123Z)
	header := "Message-ID: <forged@example.com>\r\nFrom: alice@example.com\r\nTo: bob@example.net\r\nDate: " + date + "\r\n"
	const signature = "DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=s1; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n"
	ask := func(toml string, signed bool, received ...string) origin.Answer {
		t.Helper()
		finder, err := k.Finder(parsed(t, "domains = [\"example.com\"]\n"+toml))
		if err != nil {
			t.Fatal(err)
		}
		o := classify.Original{
			MessageID: "<forged@example.com>", From: "alice@example.com", To: "bob@example.net", Date: date,
			Received: received, HeaderBlock: []byte(header),
		}
		if signed {
			o.HeaderBlock, o.DKIMSignatures = []byte(header+signature), []string{signature}
		}
		return finder.Ask(t.Context(), origin.Question{
			Recipient: "alice@example.com", Signable: true, Now: clock.now(),
			Message: &classify.Result{Class: classify.DSN, Original: o, Recipients: []classify.Recipient{{Final: "bob@example.net"}}},
		})
	}
	const hop = "from client by relay.example.org with ESMTP"
	servers := "[origin]\nresolvers = [\"" + server.Addr() + "\"]\n"
	type outcome struct {
		got  origin.Answer
		want origin.Evidence
	}
	cases := map[string]outcome{
		"unsigned":           {ask(servers, false, hop), origin.Foreign},
		"through our relay":  {ask("our_relays = [\"relay.example.org\"]\n"+servers, false, hop), origin.Unknown},
		"signed, not looked": {ask(servers+"dkim = false\n", true), origin.Unknown},
	}
	if !strings.HasPrefix(HostName(), "localhost") { // which is anybody's
		cases["through this host"] = outcome{ask(servers, false, "from client by "+HostName()+" with ESMTP"), origin.Unknown}
	}
	for name, a := range cases {
		if a.got.Evidence != a.want {
			t.Errorf("%s: %+v, want %s", name, a.got, a.want)
		}
	}
	if n := server.Counts().Questions; n != 0 {
		t.Errorf("%d questions with nothing to ask for", n)
	}
	if a := ask(servers, true); a.Evidence != origin.Unknown || server.Counts().Questions != 1 {
		t.Errorf("signed: %+v, %d questions", a, server.Counts().Questions)
	}
}

// Entries that the record of sent mail lost end what its silence means.
func TestLostEntriesAreAGap(t *testing.T) {
	k, clock, key := steady(t, "domains = [\"example.com\"]\n")
	send := func(e policy.Entry) {
		k.Sent(policy.Sent{Sender: "alice@example.com", Result: policy.Signed, Key: key.ID(), Entry: e})
	}
	for range 12 * 24 * 6 {
		clock.jump(10 * time.Minute)
		k.grace.Heartbeat(clock.now())
		send(policy.Entry{Sender: "alice@example.com", MessageID: "1@example.com"})
	}
	k.lossy()
	if !k.StrictByRecord("example.com") {
		t.Fatalf("not strict: %q", k.grace.Status("example.com", clock.now()).Recording.Missing)
	}
	k.failed = func(string, error) {} // it is told, too
	k.ledger.Close()                  // which takes no more
	send(policy.Entry{Sender: "alice@example.com", MessageID: "2@example.com"})
	k.lossy()
	if k.StrictByRecord("example.com") {
		t.Error("strict by a record that lost entries")
	}
}
