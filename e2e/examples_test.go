//go:build linux

package e2e

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/filters"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/matrix"
	"github.com/backscatter-milter/backscatter-milter/internal/origin"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// sample is a message as it leaves the milter, and what the filters of examples/
// make of it.
type sample struct {
	name   string
	marks  []string // X-Backscatter fields, the topmost first
	body   string   // "" for some
	folder string   // where the Sieve script files it
	symbol string   // that the rules for spam filters give, "" for none
}

// Symbols of the rules for spam filters, and what they score.
const (
	symbolForeign  = "BACKSCATTER_FOREIGN"
	symbolListed   = "BACKSCATTER_LISTED"
	symbolNotice   = "BACKSCATTER_NOTICE"
	symbolUntagged = "BACKSCATTER_UNTAGGED"
	symbolUnproven = "BACKSCATTER_UNPROVEN"
	symbolProven   = "BACKSCATTER_PROVEN"
)

func symbolScores() map[string]float64 {
	return map[string]float64{symbolForeign: 4, symbolListed: 3, symbolNotice: 3, symbolUntagged: 2, symbolUnproven: 0.5, symbolProven: -2}
}

// verdictField is the X-Backscatter field as the daemon writes it.
func verdictField(action config.Action, reason policy.Reason, class classify.Class, from origin.Evidence) string {
	v := policy.Verdict{Reason: reason, Action: action, Enforced: true}
	return strings.NewReplacer(
		"class=unknown", "class="+string(class), "origin=unknown", "origin="+string(from),
	).Replace(v.Header("MWQX1K2P-1F"))
}

func filterSamples() []sample {
	const accept, marked = config.ActionAccept, config.ActionMark
	one := func(folder, symbol string, action config.Action, reason policy.Reason, class classify.Class, from origin.Evidence) sample {
		field := verdictField(action, reason, class, from)
		return sample{name: field, marks: []string{field}, folder: folder, symbol: symbol}
	}
	missing := verdictField(marked, policy.TagMissing, classify.DSN, origin.Unknown)
	valid := verdictField(accept, policy.TagValid, classify.DSN, policy.OriginTag)
	folded := strings.Replace(missing, "; class", ";\r\n\tclass", 1)
	return []sample{
		one("INBOX", "", accept, policy.Exempt, "unknown", origin.Unknown),
		one("INBOX", symbolProven, accept, policy.TagValid, classify.DSN, policy.OriginTag),
		one("Junk", symbolForeign, marked, policy.TagForged, "unknown", origin.Unknown),
		one("Junk", symbolForeign, marked, policy.NeverSends, "unknown", origin.Unknown),
		one("INBOX", "", accept, policy.ManyRecipients, "unknown", origin.Unknown),
		one("Junk", symbolUntagged, marked, policy.Flood, classify.Bounce, origin.Unknown),
		one("INBOX", symbolProven, accept, policy.OriginProven, classify.DSN, origin.DKIM),
		one("INBOX", symbolProven, accept, policy.OriginProven, classify.AutoReply, origin.Ledger),
		one("INBOX", symbolProven, accept, policy.OriginProven, classify.Bounce, origin.Correspondent),
		one("INBOX", "", accept, policy.Receipt, classify.Receipt, origin.Unknown),
		one("INBOX", "", accept, policy.Report, classify.Report, origin.Unknown),
		one("INBOX", "", accept, policy.Calendar, classify.Calendar, origin.Unknown),
		one("Junk", symbolForeign, marked, policy.OriginForeign, classify.DSN, origin.Foreign),
		one("Junk", symbolListed, marked, policy.Listed, classify.AutoReply, origin.Unknown),
		one("Junk", symbolNotice, marked, policy.Challenge, classify.Challenge, origin.Unknown),
		one("Junk", symbolNotice, marked, policy.VirusNotice, classify.VirusNotice, origin.Unknown),
		one("INBOX", symbolUnproven, marked, policy.AutoReply, classify.AutoReply, origin.Unknown),
		one("Junk", symbolUntagged, marked, policy.TagMissing, classify.DSN, origin.Unknown),
		one("INBOX", symbolUnproven, marked, policy.Unproven, classify.Ordinary, origin.Unknown),
		one("INBOX", "", accept, policy.Error, "unknown", origin.Unknown),

		// What the configuration wants accepted, and what was held and is released.
		one("INBOX", "", accept, policy.TagMissing, classify.DSN, origin.Unknown),
		one("INBOX", "", accept, policy.OriginForeign, classify.DSN, origin.Foreign),
		one("INBOX", "", marked, policy.TagValid, classify.DSN, policy.OriginTag),
		one("INBOX", "", config.ActionQuarantine, policy.TagMissing, classify.DSN, origin.Unknown),

		{name: "no field", folder: "INBOX"},
		{name: "folded", marks: []string{folded}, folder: "Junk", symbol: symbolUntagged},
		{name: "another below", marks: []string{missing, valid}, folder: "Junk", symbol: symbolUntagged},
		{name: "another below, the other way round", marks: []string{valid, missing}, folder: "INBOX", symbol: symbolProven},
		{name: "only in what came back", folder: "INBOX", body: "--=_report\nContent-Type: text/plain\n\nNot delivered.\n\n" +
			"--=_report\nContent-Type: message/rfc822\n\nX-Backscatter: " + missing + "\nFrom: alice@example.com\n\nHello.\n--=_report--\n"},
	}
}

// text is the message.
func (s sample) text() string {
	var b strings.Builder
	b.WriteString("Return-Path: <>\n")
	for _, m := range s.marks {
		b.WriteString(policy.HeaderName + ": " + m + "\n")
	}
	b.WriteString("From: MAILER-DAEMON@mx.example.net\nTo: alice@example.com\nSubject: Undelivered Mail Returned to Sender\n" +
		"Date: Sat, 21 Nov 2026 09:31:00 +0000\nMessage-ID: <20261121093100.12345@mx.example.net>\nMIME-Version: 1.0\n")
	if s.body == "" {
		b.WriteString("Content-Type: text/plain\n\nYour message could not be delivered.\n")
	} else {
		b.WriteString("Content-Type: multipart/mixed; boundary=\"=_report\"\n\n" + s.body)
	}
	return crlf(strings.ReplaceAll(b.String(), "\r\n", "\n"))
}

// runExamples runs each filter of examples/ on the samples.
func runExamples(t *testing.T, results *scoreboard) {
	for name, run := range map[string]func(*testing.T, *box.Box, string){
		"sieve": runSieve, "spamassassin": runSpamAssassin, "rspamd": runRspamd,
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() { results.record(matrix.Cell{MTA: "examples", Case: name}, t) })
			b, err := box.New(name, here.Packages[name])
			if err != nil {
				t.Fatal(err)
			}
			file := map[string]string{"sieve": "backscatter.sieve", "spamassassin": "backscatter.cf", "rspamd": "backscatter.lua"}[name]
			rules, err := os.ReadFile("../examples/" + name + "/" + file)
			if err != nil {
				t.Fatal(err)
			}
			wantSampleOfEachReason(t)
			run(t, b, string(rules))
		})
	}
}

// wantSampleOfEachReason fails where the policy has a row that the filters have
// not been tried on.
func wantSampleOfEachReason(t *testing.T) {
	for _, row := range policy.Rows() {
		if !slices.ContainsFunc(filterSamples(), func(s sample) bool { return strings.Contains(s.name, "; reason="+string(row.Reason)+"; ") }) {
			t.Errorf("no sample with reason %s", row.Reason)
		}
	}
}

func runSieve(t *testing.T, b *box.Box, script string) {
	sieve, err := filters.NewSieve(b, script)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range filterSamples() {
		folders, err := sieve.Deliver(s.text())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(folders, []string{s.folder}) {
			t.Errorf("%s: filed into %q, want %q", s.name, folders, s.folder)
		}
	}
}

func runSpamAssassin(t *testing.T, b *box.Box, rules string) {
	filter, err := filters.NewSpamAssassin(b, rules)
	if err != nil {
		t.Fatal(err)
	}
	var messages []string
	for _, s := range filterSamples() {
		messages = append(messages, s.text())
	}
	found, err := filter.Scan(messages)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range filterSamples() {
		s.wantSymbol(t, found[i])
	}
}

func runRspamd(t *testing.T, b *box.Box, rules string) {
	filter, err := filters.StartRspamd(b, rules)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(filter.Stop)
	for _, s := range filterSamples() {
		found, err := filter.Scan(s.text())
		if err != nil {
			t.Fatal(err)
		}
		s.wantSymbol(t, found)
	}
}

// wantSymbol wants the sample's symbol with its score, and no other of ours.
func (s sample) wantSymbol(t *testing.T, found map[string]float64) {
	ours := maps.Clone(found)
	maps.DeleteFunc(ours, func(name string, _ float64) bool { return !strings.HasPrefix(name, "BACKSCATTER_") })
	want := map[string]float64{}
	if s.symbol != "" {
		want[s.symbol] = symbolScores()[s.symbol]
	}
	if !maps.Equal(ours, want) {
		t.Errorf("%s: scored %v, want %v", s.name, fmt.Sprint(ours), fmt.Sprint(want))
	}
}
