package config

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
)

func TestNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.0/24":          "192.0.2.0/24",
		"192.0.2.1":             "192.0.2.1/32",
		"0.0.0.0/0":             "0.0.0.0/0",
		"2001:db8::/32":         "2001:db8::/32",
		"2001:db8::1":           "2001:db8::1/128",
		"2001:DB8:0::1":         "2001:db8::1/128",
		"::ffff:192.0.2.1":      "192.0.2.1/32",
		"::ffff:192.0.2.0/120":  "192.0.2.0/24",
		"::ffff:192.0.2.0/96":   "", // bits beyond the /0
		"::ffff:0.0.0.0/95":     "",
		"192.0.2.1/24":          "",
		"2001:db8::1/64":        "",
		"192.0.2.0/33":          "",
		"192.0.2.0/":            "",
		"192.0.2":               "",
		"192.0.2.0/24/24":       "",
		"192.0.2.0-192.0.2.255": "",
		"192.0.2.0/0xff":        "",
		"fe80::1%eth0":          "",
		"fe80::%eth0/64":        "",
		"mail.example.com":      "",
		"":                      "",
		" 192.0.2.1":            "", //nolint:gocritic // the space is the mistake
	} {
		got, err := network(text)
		if err != nil && want == "" {
			continue
		}
		if err != nil || got.String() != want {
			t.Errorf("%q: %v, %v, want %q", text, got, err, want)
		}
	}
	if _, err := network(true); err == nil {
		t.Error("true is a network")
	}
}

func TestNetworksContains(t *testing.T) {
	ns := Networks{netip.MustParsePrefix("192.0.2.0/25"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("fe80::/10")}
	for text, want := range map[string]bool{
		"192.0.2.1":         true,
		"192.0.2.128":       false,
		"::ffff:192.0.2.1":  true,
		"::ffff:192.0.3.1":  false,
		"2001:db8:1::1":     true,
		"2001:db9::1":       false,
		"fe80::1%eth0":      true,
		"::192.0.2.1":       false,
		"2001:db8::1%lo":    true,
		"64:ff9b::c000:201": false,
	} {
		if got := ns.Contains(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if ns.Contains(netip.Addr{}) || Networks(nil).Contains(netip.MustParseAddr("192.0.2.1")) {
		t.Error("no address is in a network, or an address in none")
	}
	ip := netip.MustParseAddr("::ffff:192.0.2.1")
	if n := testing.AllocsPerRun(100, func() { ns.Contains(ip) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAddressesOfHosts(t *testing.T) {
	taken(t, publicAddress, []any{"192.0.2.25", "2001:db8::25", "::ffff:192.0.2.25"},
		[]any{"", "0.0.0.0", "::", "127.0.0.1", "::1", "224.0.0.1", "ff02::1", "192.0.2.0/24", "fe80::1%lo", "mail.example.com"})
	taken(t, listingCode, []any{"127.0.0.2", "127.1.2.3", "127.255.254.255"},
		[]any{"", "126.0.0.2", "127.255.255.0", "127.255.255.254", "127.0.0.0/8", "::ffff:127.0.0.2", "::1"})
	taken(t, resolver, []any{"192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]:53"},
		[]any{"", "resolver.example.com", "192.0.2.53:", "192.0.2.53:0", "192.0.2.53:65536", "[2001:db8::53]", "fe80::1%lo"})
	for text, want := range map[string]string{"192.0.2.53": "192.0.2.53:53", "2001:db8::53": "[2001:db8::53]:53", "192.0.2.53:5353": "192.0.2.53:5353"} {
		if got, err := resolver(text); got != want || err != nil {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	if got, _ := publicAddress("::ffff:192.0.2.25"); got.String() != "192.0.2.25" {
		t.Errorf("v4-mapped: %v", got)
	}
}

func TestHostPort(t *testing.T) {
	taken(t, hostPort, []any{"127.0.0.1:25", "localhost:25", "[::1]:25", "mail.example.com:65535"},
		[]any{"", "127.0.0.1", "127.0.0.1:", ":25", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:smtp", "127.0.0.1:+25",
			"::1:25", "[::1%lo]:25", "a b:25", "[127.0.0.1:25", int64(25)})
}

func TestStore(t *testing.T) {
	taken(t, store,
		[]any{"state.db", "/var/lib/x/state.db", "redis://host", "redis://host:6379", "redis://host:6379/", "redis://host:6379/15",
			"rediss://user:pa:s/s@w@host:6379/0", "redis://[2001:db8::1]:6379/0", "redis://[2001:db8::1]",
			"redis://a.example.com:6379,b.example.com:6379", "redis://a,b/0"},
		[]any{"", "dir/", "redis://", "redis:///0", "redis://host:x", "redis://host:6379/x", "redis://host:6379/-1",
			"redis://host:6379/01", "redis://host/99999", "redis://a,b/1", "redis://a,,b", "redis://host?x=y", "redis://2001:db8::1",
			"mysql://host", "REDIS://host", "redis://[192.0.2.1]", true})
}

func TestListener(t *testing.T) {
	for text, want := range map[string]Listener{
		"inet:127.0.0.1:8895":           {"tcp4", "127.0.0.1:8895"},
		"inet:0.0.0.0:0":                {"tcp4", "0.0.0.0:0"},
		"inet:localhost:8895":           {"tcp", "localhost:8895"},
		"inet6:[::1]:8895":              {"tcp6", "[::1]:8895"},
		"inet6:[::]:8895":               {"tcp6", "[::]:8895"},
		"inet6:localhost:8895":          {"tcp6", "localhost:8895"},
		"unix:/run/backscatter.sock":    {"unix", "/run/backscatter.sock"},
		"unix:/run/with space:and.sock": {"unix", "/run/with space:and.sock"},
	} {
		got, err := listener(text)
		if err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		if got.String() != text {
			t.Errorf("%q is written %q", text, got)
		}
	}
	taken(t, listener, nil, []any{"", "inet", "inet:", "inet:8895", "inet:@", "inet:8895@", "inet:8895@127.0.0.1", "inet6:8895@[::1]",
		"inet:[::1]:8895", "inet6:127.0.0.1:8895", "inet6:::1:8895", "inet:127.0.0.1:milter", "inet:127.0.0.1:65536", "inet::8895",
		"unix:", "unix:relative", "unix:@abstract", "unix:/dir/", "unix:/nul\x00", "local:/run/x", "tcp:127.0.0.1:8895", "/run/x",
		"inet6:[fe80::1%lo]:8895", int64(8895)})
}

func TestListenerHints(t *testing.T) {
	for text, want := range map[string]string{
		"inet:8895@127.0.0.1":         "inet:127.0.0.1:8895",
		"inet:8895@mail.example.com":  "inet:mail.example.com:8895",
		"inet6:8895@[2001:db8::1]":    "inet6:[2001:db8::1]:8895",
		"inet6:8895":                  "inet6:[::1]:8895",
		"inet:8895":                   "inet:127.0.0.1:8895",
		"local:/run/x":                "unix:/run/x",
		"inet:[2001:db8::1]:8895":     "inet6:[2001:db8::1]:8895",
		"inet6:192.0.2.1:8895":        "inet:192.0.2.1:8895",
		"inet:8895@not a host at all": "",
	} {
		_, err := listener(text)
		if want == "" && !errors.Is(err, errAllowed) {
			t.Errorf("%q: %v", text, err)
		}
		if want == "" {
			continue
		}
		if _, bad := listener(want); bad != nil || err == nil || !containsQuoted(err, want) {
			t.Errorf("%q: %v, hint %q", text, err, want)
		}
	}
}

func containsQuoted(err error, text string) bool {
	var rest string
	for _, prefix := range []string{"host and port, in this order: ", "a unix socket is written ", "an IPv6 address is written ", "an IPv4 address is written "} {
		if n, _ := fmt.Sscanf(err.Error(), prefix+"%q", &rest); n == 1 {
			return rest == text
		}
	}
	return false
}

func TestAdminListener(t *testing.T) {
	taken(t, adminListen, []any{"", "127.0.0.1:8896", "[::1]:0", "localhost:8896", "unix:/run/admin.sock"},
		[]any{"127.0.0.1", ":8896", "inet:127.0.0.1:8896", "unix:admin.sock", "unix:", "8896", int64(8896)})
	for listen, want := range map[string]struct {
		Listener
		ok, loopback bool
	}{
		"":                      {},
		"127.0.0.1:8896":        {Listener{"tcp", "127.0.0.1:8896"}, true, true},
		"localhost:8896":        {Listener{"tcp", "localhost:8896"}, true, true},
		"[::1]:8896":            {Listener{"tcp", "[::1]:8896"}, true, true},
		"[::ffff:127.0.0.1]:80": {Listener{"tcp", "[::ffff:127.0.0.1]:80"}, true, true},
		"0.0.0.0:8896":          {Listener{"tcp", "0.0.0.0:8896"}, true, false},
		"[::]:8896":             {Listener{"tcp", "[::]:8896"}, true, false},
		"mail.example.com:8896": {Listener{"tcp", "mail.example.com:8896"}, true, false},
		"unix:/run/admin.sock":  {Listener{"unix", "/run/admin.sock"}, true, true},
	} {
		got, ok := Admin{Listen: listen}.Listener()
		if got != want.Listener || ok != want.ok || ok && got.loopback() != want.loopback {
			t.Errorf("%q: %v, %v, loopback %v", listen, got, ok, got.loopback())
		}
	}
}
