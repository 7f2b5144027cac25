package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/daemon"
	"github.com/backscatter-milter/backscatter-milter/internal/dnsbl"
	"github.com/backscatter-milter/backscatter-milter/internal/problem"
)

func newLookupCommand(s *site) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "lookup IP...",
		Short: "Ask the DNS lists about addresses",
		Long: "Ask every DNS list of the configuration about addresses, by the same servers and\n" +
			"in the same time as the daemon does: a line for each address and zone. Exits 1\n" +
			"where a zone had no opinion.",
		Args: usage(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			addrs, err := parseAddresses(args)
			if err != nil {
				return err
			}
			cfg, _, err := s.config()
			if err != nil {
				return err
			}
			if len(cfg.DNSBL) == 0 {
				return problem.WithHint(errors.New("no zone is configured"), "write a [[dnsbl]] table")
			}
			return lookUp(cmd, cfg, addrs, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

func parseAddresses(args []string) ([]netip.Addr, error) {
	addrs := make([]netip.Addr, 0, len(args))
	for _, arg := range args {
		a, err := netip.ParseAddr(strings.Trim(arg, "[]"))
		if err != nil {
			return nil, usageError{fmt.Errorf("%q: want an IPv4 or IPv6 address", arg)}
		}
		addrs = append(addrs, a.Unmap())
	}
	return addrs, nil
}

// newLookupClient is a client of the zones for a command.
func newLookupClient(cfg *config.Config, stderr io.Writer) *dnsbl.Client {
	resolvers, err := dnsbl.SystemResolvers(dnsbl.ResolvConf)
	if err != nil {
		fmt.Fprintf(stderr, "backscatter-milter: warning: %v\n", err)
	}
	return dnsbl.New(dnsbl.Options{Zones: daemon.Zones(cfg.DNSBL), Resolvers: resolvers, Now: time.Now})
}

// lookUp asks about every address and prints the answers.
func lookUp(cmd *cobra.Command, cfg *config.Config, addrs []netip.Addr, asJSON bool) error {
	client := newLookupClient(cfg, cmd.ErrOrStderr())
	defer client.Close()
	unsure := false
	for _, addr := range addrs {
		for _, a := range client.Lookup(cmd.Context(), addr) {
			unsure = unsure || !a.Status.Opinion() && a.Status != dnsbl.NotAsked
			show := printLookup
			if asJSON {
				show = printLookupJSON
			}
			if err := show(cmd.OutOrStdout(), addr, a); err != nil {
				return err
			}
		}
	}
	if unsure {
		return errSilent
	}
	return nil
}

func printLookup(w io.Writer, addr netip.Addr, a dnsbl.Answer) error {
	words := []string{a.Status.String()}
	for _, code := range a.Codes {
		words = append(words, code.String())
	}
	if a.Status.Opinion() {
		words = append(words, "for "+a.TTL.Round(time.Second).String())
	}
	if a.Err != nil {
		words = append(words, printable(a.Err.Error()))
	}
	if a.Server != "" {
		words = append(words, fmt.Sprintf("by %s in %s", a.Server, a.Took.Round(time.Millisecond)))
	}
	_, err := fmt.Fprintf(w, "%s %s: %s\n", addr, a.Zone, strings.Join(words, ", "))
	return err
}

// lookupJSON is what lookup --json prints.
type lookupJSON struct {
	Address string   `json:"address"`
	Zone    string   `json:"zone"`
	Status  string   `json:"status"`
	Codes   []string `json:"codes"`
	TTL     int      `json:"ttl"` // seconds
	Server  string   `json:"server"`
	Error   string   `json:"error"`
}

func printLookupJSON(w io.Writer, addr netip.Addr, a dnsbl.Answer) error {
	out := lookupJSON{Address: addr.String(), Zone: a.Zone, Status: a.Status.String(), Codes: []string{}, TTL: int(a.TTL / time.Second), Server: a.Server}
	for _, code := range a.Codes {
		out.Codes = append(out.Codes, code.String())
	}
	if a.Err != nil {
		out.Error = a.Err.Error()
	}
	return writeJSONLine(w, out)
}
