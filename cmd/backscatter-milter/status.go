package main

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/control"
)

func newStatusCommand(s *site) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what the running daemon does",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var answer json.RawMessage
			if err := s.call(cmd.Context(), control.VerbStatus, nil, &answer); err != nil {
				return err
			}
			if asJSON {
				var b bytes.Buffer
				if err := json.Indent(&b, answer, "", "  "); err != nil {
					return err
				}
				b.WriteByte('\n')
				_, err := b.WriteTo(cmd.OutOrStdout())
				return err
			}
			var status control.Status
			if err := json.Unmarshal(answer, &status); err != nil {
				return err
			}
			return status.Write(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

// status tells what the daemon does.
func (d *daemon) status(now time.Time) *control.Status {
	current := d.current()
	cfg := current.cfg
	names := cfg.Domains.List()
	s := &control.Status{
		Version: version,
		Started: d.started.UTC().Truncate(time.Second),
		Now:     now.UTC().Truncate(time.Second),
		Config:  current.from,
		Mode:    string(cfg.Mode),
		Stage:   string(cfg.Stage),

		Listeners:      []string{},
		Connections:    d.server.Connections(),
		MaxConnections: d.begun.MaxConnections,
		Domains:        control.Domains{Count: len(names), Names: append([]string{}, names[:min(control.MaxNames, len(names))]...)},
		Signing:        control.Signing{Sign: string(cfg.BATV.Sign), Results: d.metrics.SignedResults()},
		Verdicts:       []control.Verdict{},
		KeyFile:        current.keyFile,
		Keys:           keyStates(current, now),
		Reload:         d.reloaded.Load(),
		Known:          d.known.Status(cfg, now),
		Store:          d.known.StoreStatus(),
		Zones:          d.lists.status(),
		Ledger:         d.known.LedgerStatus(),
		Journal:        d.decided.Status(),
		Floods:         d.floodStatus(),
		Shared:         d.sharing.Status(),
		Abroad:         d.known.Abroad(now).UTC(),
	}
	for _, l := range d.mail {
		s.Listeners = append(s.Listeners, mtaAddress(l.Addr()))
	}
	for _, c := range d.metrics.Verdicts() {
		s.Verdicts = append(s.Verdicts, control.Verdict{
			Stage: c.Labels["stage"], Action: c.Labels["action"], Reason: c.Labels["reason"],
			Enforced: c.Labels["enforced"] == "true", Count: c.Value,
		})
	}
	return s
}

// keyStates tells of each key what it does, and nothing of its secret.
func keyStates(s *settings, now time.Time) []control.Key {
	states := []control.Key{}
	for _, k := range s.keys.Keys() {
		created := ""
		if !k.Created.IsZero() {
			created = day(k.Created)
		}
		states = append(states, control.Key{
			Number: k.Number, State: keyState(s.keys, k, now, lifetimeDays(s.cfg)),
			Created: created, Domains: append([]string{}, k.Domains...),
		})
	}
	return states
}

func lifetimeDays(cfg *config.Config) int { return int(cfg.BATV.Lifetime / (24 * time.Hour)) }
