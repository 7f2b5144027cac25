package main

import (
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
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
					k.sent(policy.Sent{Sender: "alice@example.com", Result: policy.Signed, Key: key.ID(), Entry: policy.Entry{Sender: "alice@example.com", MessageID: "<1@example.com>"}})
				}
			}
			live(12 * 24 * time.Hour)
			on := clock.now()
			if !k.StrictByRecord("example.com") || !k.record().Covers("example.com", on.Add(-time.Hour)) {
				t.Fatalf("not strict: %q", k.grace.Status("example.com", on).Recording.Missing)
			}
			k.reload(parsed(t, toml), ring(t, key))
			for range 60 {
				clock.jump(time.Minute)
				beatAll(k)
			}
			off := clock.now()
			k.reload(parsed(t, ours), ring(t, key))
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
func beatAll(k *knowledge) {
	k.everyMinute()
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
