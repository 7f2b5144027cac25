package config

import (
	"log/slog"
	"net/netip"
	"time"
)

const day = 24 * time.Hour

// Default returns the configuration in force when no file is written.
func Default() *Config {
	return &Config{
		Listen:             []Listener{{Network: "tcp4", Address: "127.0.0.1:8895"}},
		Mode:               ModeEnforce,
		Stage:              StageAuto,
		TrustedNetworks:    Networks{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		OriginatingDaemons: []string{"ORIGINATING", "MSA"},
		Store:              "state.db",
		SocketMode:         0o660,
		MaxConnections:     4096,
		BATV: BATV{
			Sign:      SignAuto,
			Probe:     "127.0.0.1:25",
			Layout:    LayoutAuto,
			Delimiter: "+",
			Keys:      "keys.toml",
			Lifetime:  10 * day,
		},
		Classify: Classify{Memos: true, MaxBody: 256 << 10},
		DNSBL:    []Zone{defaultZone("ips.backscatterer.org")},
		Origin:   Origin{Ledger: 21 * day, DKIM: true},
		Flood:    defaultFlood(),
		Exempt:   Exempt{Recipients: defaultExemptRecipients()},
		Admin:    Admin{Listen: "127.0.0.1:8896", Control: "control.sock"},
		Log:      Log{Level: slog.LevelInfo, Format: FormatText, Privacy: PrivacyFull},
	}
}

// defaultZone returns a zone with what a [[dnsbl]] table leaves out.
func defaultZone(name string) Zone {
	return Zone{
		Name:    name,
		Codes:   []netip.Addr{netip.MustParseAddr("127.0.0.2")},
		Timeout: 2 * time.Second,
	}
}

func defaultFlood() Flood {
	return Flood{
		Threshold:          400,
		Window:             2 * time.Minute,
		RecipientThreshold: 50,
		RecipientWindow:    10 * time.Minute,
		Block:              15 * time.Minute,
		MaxBlock:           4 * time.Hour,
		Surge:              200,
		ProvenAlarm:        100,
	}
}

// defaultExemptRecipients are the mailboxes that RFC 2142 asks every domain
// to have, and that people write to when mail is refused.
func defaultExemptRecipients() Addresses {
	return newAddresses([]pattern{
		{local: "postmaster", domain: "*"},
		{local: "abuse", domain: "*"},
	})
}
