package control

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// The verbs and what answers them.
const (
	VerbStatus  = "status"  // Status
	VerbReload  = "reload"  // Reloaded
	VerbUnblock = "unblock" // Unblocking, of an Unblocking
	VerbExplain = "explain" // policy.Explanation, of a Question
	VerbReport  = "report"  // Report, of a ReportSpan
)

// Status is what the daemon says of itself. A feature with something to say
// adds a field here, fills it in the daemon, and writes it in its lines.
type Status struct {
	Version        string    `json:"version"`
	Started        time.Time `json:"started"`
	Now            time.Time `json:"now"`
	Config         string    `json:"config"` // the file, or "the defaults"
	Mode           string    `json:"mode"`
	Stage          string    `json:"stage"`
	Listeners      []string  `json:"listeners"` // as a configuration names them
	Connections    int       `json:"connections"`
	MaxConnections int       `json:"max_connections"`
	Domains        Domains   `json:"domains"`
	Signing        Signing   `json:"signing"`
	Verdicts       []Verdict `json:"verdicts"`
	KeyFile        string    `json:"key_file"`
	Keys           []Key     `json:"keys"`
	Reload         *Reload   `json:"reload"` // the last one, null before the first

	Known  []KnownDomain `json:"known"` // the first hundred
	Store  Store         `json:"store"`
	Zones  []Zone        `json:"zones"` // DNS lists
	Ledger Ledger        `json:"ledger"`
	Floods []HotKey      `json:"floods"` // the twenty hottest
	Shared *Shared       `json:"shared"` // null where the store is this host's alone

	Journal Journal `json:"journal"`

	Abroad time.Time `json:"abroad"` // until when tags may come home; zero: none is known to be abroad
}

// Domains are the domains of this site.
type Domains struct {
	Count int      `json:"count"`
	Names []string `json:"names"` // the first hundred
}

// MaxNames is how many domains a Status names.
const MaxNames = 100

// Signing is what became of outgoing mail.
type Signing struct {
	Sign    string            `json:"sign"`    // "auto", "true", "false"
	Results map[string]uint64 `json:"results"` // messages, by the label of backscatter_signed_total
}

// Verdict counts verdicts of one kind.
type Verdict struct {
	Stage    string `json:"stage"`
	Action   string `json:"action"`
	Reason   string `json:"reason"`
	Enforced bool   `json:"enforced"`
	Count    uint64 `json:"count"`
}

// Key is a key without its secret.
type Key struct {
	Number  int      `json:"number"`
	State   string   `json:"state"`   // "signs", "verifies", "signs from TIME", "signs until TIME", "retired TIME"
	Created string   `json:"created"` // a date; "" where it is not known
	Domains []string `json:"domains"` // none: all
}

// Reload is what became of an attempt to load settings anew.
type Reload struct {
	At     time.Time `json:"at"`
	Errors []string  `json:"errors"` // none: the settings are in force
	Reloaded
}

// Reloaded is the answer to a reload that went well.
type Reloaded struct {
	Config  string   `json:"config"`
	Restart []string `json:"restart"` // keys that differ from what the daemon was started with
}

// Write writes the status for people.
func (s *Status) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, section := range []func(io.Writer){s.writeDaemon, s.writeStore, s.writeShared, s.writeLedger, s.writeJournal, s.writeZones, s.writeKeys, s.writeKnown, s.writeFloods, s.writeCounts, s.writeReload} {
		section(t)
	}
	return t.Flush()
}

func (s *Status) writeDaemon(w io.Writer) {
	line := func(name, format string, a ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, a...)) }
	line("version", "%s", s.Version)
	line("up", "%s, since %s", shortly(s.Now.Sub(s.Started)), s.Started.Format(time.RFC3339))
	line("config", "%s", s.Config)
	line("mode", "%s, stage %s", s.Mode, s.Stage)
	line("listens at", "%s", strings.Join(s.Listeners, ", "))
	line("connections", "%d of %d", s.Connections, s.MaxConnections)
	line("domains", "%s", s.Domains)
	line("sign", "%s", s.Signing.Sign)
}

// String lists the domains, or says how many there are.
func (d Domains) String() string {
	const few = 10
	switch {
	case d.Count == 0:
		return "none named: they are learned"
	case d.Count > few:
		return fmt.Sprintf("%d: %s ...", d.Count, strings.Join(d.Names[:min(few, len(d.Names))], ", "))
	}
	return strings.Join(d.Names, ", ")
}

func (s *Status) writeKeys(w io.Writer) {
	for _, k := range s.Keys {
		of := ""
		if len(k.Domains) > 0 {
			of = ", for " + strings.Join(k.Domains, ", ")
		}
		fmt.Fprintf(w, "key %d\t%s%s\n", k.Number, k.State, of)
	}
}

func (s *Status) writeCounts(w io.Writer) {
	if len(s.Signing.Results) > 0 {
		fmt.Fprintf(w, "\nOUTGOING\tMESSAGES\n")
		for _, result := range slices.Sorted(maps.Keys(s.Signing.Results)) {
			fmt.Fprintf(w, "%s\t%d\n", result, s.Signing.Results[result])
		}
	}
	if len(s.Verdicts) > 0 {
		fmt.Fprintf(w, "\nVERDICT\tACTION\tSTAGE\tDONE\tCOUNT\n")
		for _, v := range s.Verdicts {
			done := "yes"
			if !v.Enforced {
				done = "no"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\n", v.Reason, v.Action, v.Stage, done, v.Count)
		}
	}
}

func (s *Status) writeReload(w io.Writer) {
	if s.Reload == nil {
		return
	}
	at := s.Reload.At.Format(time.RFC3339)
	if len(s.Reload.Errors) == 0 {
		fmt.Fprintf(w, "\nlast reload %s went well\n", at)
	} else {
		fmt.Fprintf(w, "\nlast reload %s FAILED, the settings from before are in force:\n", at)
	}
	for _, e := range s.Reload.Errors {
		fmt.Fprintf(w, "  %s\n", e)
	}
	if len(s.Reload.Restart) > 0 {
		fmt.Fprintf(w, "changed, and in force after a restart: %s\n", strings.Join(s.Reload.Restart, ", "))
	}
}

// shortly writes a length of time by its two largest units.
func shortly(d time.Duration) string {
	d = d.Round(time.Second)
	days, rest := d/(24*time.Hour), d%(24*time.Hour)
	hours, minutes, seconds := rest/time.Hour, rest%time.Hour/time.Minute, rest%time.Minute/time.Second
	switch {
	case days > 0:
		return fmt.Sprintf("%dd %dh", days, hours)
	case hours > 0:
		return fmt.Sprintf("%dh %dm", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%dm %ds", minutes, seconds)
	}
	return fmt.Sprintf("%ds", seconds)
}
