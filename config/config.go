// Package config holds every setting of backscatter-milter: the Config struct,
// its defaults, and the loader that turns a TOML file into one or says, all at
// once and with file and line, what is wrong with it.
//
// It is a leaf: it imports nothing of this module, opens no socket, looks
// nothing up and asks no clock. Whether a host resolves, a group exists or a
// key file is in order is for those who use them to find out. The only files
// it reads are the configuration itself and the domain lists that it names
// with "file:". It never writes, and never guesses at what a wrong value may
// have meant: a file with one mistake gives no Config.
package config

import (
	"io/fs"
	"log/slog"
	"net/netip"
	"regexp"
	"time"
)

// Config is the whole configuration. It is read-only once loaded: those who
// hold one may share it between goroutines.
type Config struct {
	// Listen is where the MTA finds the milter. Empty: only sockets inherited
	// from systemd.
	Listen []Listener
	Mode   Mode
	Stage  Stage
	// Domains are the domains of this site. Empty: they are learned.
	Domains DomainSet
	// TrustedNetworks are clients whose mail is ours; InboundRelays, inside
	// them or not, are clients that bring outside mail.
	TrustedNetworks, InboundRelays Networks
	// OriginatingDaemons are values of the macro {daemon_name} whose mail is
	// ours, whatever the client.
	OriginatingDaemons []string
	// NullLike are local parts, in lower case, that count as the null sender.
	NullLike []string
	// NeverSends are addresses of ours that never write, so that every bounce
	// to them is forged.
	NeverSends Addresses
	// PublicAddresses are where our mail leaves from, v4-mapped ones unmapped.
	PublicAddresses []netip.Addr
	// OurRelays are host names, in lower case and A-label form, that appear in
	// the Received fields of our own mail.
	OurRelays []string
	// AllMailHere says by hand that no mail of ours leaves by another way.
	AllMailHere bool
	// Store is a file name (a relative one is in the state folder), or
	// redis://[user:password@]host[:port][,host[:port]...][/db], or the same
	// with rediss.
	Store string
	// SocketMode and SocketGroup are the permissions and the group of unix
	// listeners; an empty group leaves the one of the process.
	SocketMode  fs.FileMode
	SocketGroup string
	// MaxConnections is how many MTA connections are served at once.
	MaxConnections int
	// ExplainURL is shown in refusals, "{reason}" in it being replaced by the
	// reason; empty shows none.
	ExplainURL string

	BATV     BATV
	Classify Classify
	Rules    []Rule
	// DNSBL are the zones to ask. Empty: none is asked.
	DNSBL  []Zone
	Origin Origin
	Flood  Flood
	Exempt Exempt
	// Policy holds what the file sets; all else is DefaultAction.
	Policy         Policy
	DomainSettings []Domain
	Admin          Admin
	Log            Log
}

// BATV says how reverse-paths are signed and tags verified.
type BATV struct {
	Sign   Sign
	Probe  string // "host:port" of our own MTA
	Layout Layout
	// Delimiter is the one ASCII character between local part and tag in the
	// sub-address layout.
	Delimiter string
	// Keys is the key file; a relative name is in the state folder.
	Keys string
	// Lifetime is how long a new tag is valid: whole days, 1 to 99.
	Lifetime time.Duration
	// UnsignedSenders are addresses of ours that are never signed,
	// UnsignedDestinations recipients whose mail is never signed.
	UnsignedSenders      Addresses
	UnsignedDestinations Destinations
}

// Classify says how notifications are told from other mail.
type Classify struct {
	Memos   bool  // look for notifications with an ordinary sender
	MaxBody int64 // octets of body that are looked at
}

// Rule gives a class to messages one of whose header fields matches.
type Rule struct {
	Header string // field name as written, without the colon
	Match  *regexp.Regexp
	Class  string
}

// Zone is a DNS list of client addresses.
type Zone struct {
	Name      string        // lower case, A-label form, no final dot
	Codes     []netip.Addr  // answers that mean "listed", all in 127.0.0.0/8
	Resolvers []string      // "host:port"; none: those of /etc/resolv.conf
	Timeout   time.Duration // of one question
	IPv6      bool          // whether the zone lists IPv6 clients
}

// Origin says how it is found out whether an original was ours.
type Origin struct {
	Ledger time.Duration // how long sent mail is remembered: whole days
	DKIM   bool
	// DKIMKeys maps the DNS name of a DKIM key, such as
	// "s1._domainkey.example.com", to the path of a file with its record.
	DKIMKeys  map[string]string
	Resolvers []string // "host:port"; none: those of /etc/resolv.conf
}

// Flood says when a flood begins and how long its source is blocked.
type Flood struct {
	Threshold          int // in Window, of one client network or subject
	Window             time.Duration
	RecipientThreshold int // in RecipientWindow, for one recipient
	RecipientWindow    time.Duration
	Block              time.Duration // first block; doubles up to MaxBlock
	MaxBlock           time.Duration
	Surge              int // in Window, of one client network, recipient or domain
	ProvenAlarm        int // proven bounces for one sender in ten minutes
}

// Exempt names what is never judged.
type Exempt struct {
	Clients             Networks
	Senders, Recipients Addresses
	Headers             Headers
}

// Domain is what differs for one domain of ours. Single values take the place
// of the global ones where they are set; lists and Exempt add to them.
type Domain struct {
	Name        string // lower case, A-label form
	Mode        Mode   // "": as for all
	AllMailHere *bool  // nil: as for all
	NeverSends  Addresses
	BATV        DomainBATV
	Policy      Policy
	Exempt      Exempt
}

// DomainBATV is the part of BATV that a domain may have for itself.
type DomainBATV struct {
	Sign                 Sign // "": as for all
	UnsignedSenders      Addresses
	UnsignedDestinations Destinations
}

// Admin is the status side of the daemon.
type Admin struct {
	// Listen is "host:port", "unix:/path", or "" for none.
	Listen string
	// Token is the bearer token asked for; never empty where Listen is a TCP
	// address off loopback. Not to be logged or shown.
	Token string
	// Control is the unix socket that commands speak to; a relative name is
	// in the state folder.
	Control string
}

// Log says what is logged and how.
type Log struct {
	Level   slog.Level
	Format  LogFormat
	Privacy Privacy
}
