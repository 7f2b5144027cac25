package policy

import (
	"net/netip"
	"testing"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestKinds(t *testing.T) {
	const toml = "inbound_relays = [\"198.51.100.200\"]\nnull_like = [\"mailer-daemon\"]\n"
	inside, outside := Client{Addr: addr("198.51.100.7")}, outsideClient()
	relay := Client{Addr: addr("198.51.100.200")}
	for _, tc := range []struct {
		name string
		e    Envelope
		want Kind
	}{
		{"outside, null sender", Envelope{Client: outside}, InboundNull},
		{"outside, null-like sender", Envelope{Client: outside, Sender: "MAILER-DAEMON@mx.example.net"}, InboundNull},
		{"outside, ordinary sender", Envelope{Client: outside, Sender: "bob@example.net"}, Ordinary},
		{"outside, forged sender of ours", Envelope{Client: outside, Sender: "alice@example.com"}, Ordinary},
		{"unknown client", Envelope{Sender: "bob@example.net"}, Ordinary},
		{"inside, sender of ours", Envelope{Client: inside, Sender: "alice@example.com"}, Outbound},
		{"inside, v4-mapped", Envelope{Client: Client{Addr: addr("::ffff:198.51.100.7")}, Sender: "alice@example.com"}, Outbound},
		{"inside, null sender", Envelope{Client: inside}, OwnNotification},
		{"inside, null-like sender", Envelope{Client: inside, Sender: "mailer-daemon@example.com"}, Outbound},
		{"inside, sender of others", Envelope{Client: inside, Sender: "bob@example.net"}, Relayed},
		{"authenticated", Envelope{Client: outside, Auth: "alice", Sender: "alice@example.com"}, Outbound},
		{"originating daemon", Envelope{Client: Client{Addr: outside.Addr, Daemon: "MSA"}, Sender: "alice@example.com"}, Outbound},
		{"local process", Envelope{Client: Client{Local: true}, Sender: "alice@example.com"}, Outbound},
		{"local process behind a filter's address", Envelope{Client: Client{Addr: relay.Addr, Local: true}, Sender: "alice@example.com"}, Outbound},
		{"own notification behind a filter's address", Envelope{Client: Client{Addr: relay.Addr, Local: true}}, OwnNotification},
		{"inbound relay", Envelope{Client: relay}, InboundNull},
		{"inbound relay, sender of ours", Envelope{Client: relay, Sender: "alice@example.com"}, Ordinary},
		{"authenticated at an inbound relay", Envelope{Client: relay, Auth: "alice", Sender: "alice@example.com"}, Outbound},
	} {
		if got := testSettings(t, toml).sort(tc.e); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
	if got := testSettings(t, "mode = \"off\"\n").sort(Envelope{Client: outside}); got != HandsOff {
		t.Errorf("mode off: %v", got)
	}
}
