package main

import (
	"context"
	"fmt"

	"github.com/backscatter-milter/backscatter-milter/internal/daemon"
	"github.com/backscatter-milter/backscatter-milter/internal/dnsbl"
)

// lists checks the zones, and whether they list addresses of ours.
func (c *checkup) lists() {
	if len(c.cfg.DNSBL) == 0 {
		c.note("no DNS list is asked")
		return
	}
	client := newLookupClient(c.cfg, c.out)
	defer client.Close()
	for _, z := range client.Check(c.ctx) {
		if z.Healthy {
			c.note("DNS list %s answers as it should", z.Zone)
		} else {
			c.problem(fmt.Errorf("DNS list %s has no say until this is mended: %w", z.Zone, z.Why))
		}
	}
	c.ownListing(c.ctx, client)
}

func (c *checkup) ownListing(ctx context.Context, client *dnsbl.Client) {
	if len(c.cfg.PublicAddresses) == 0 {
		c.note("public_addresses is empty: whether our own addresses are on a DNS list is not looked at")
		return
	}
	for _, addr := range c.cfg.PublicAddresses {
		for _, a := range client.Start(addr).Wait(ctx).Answers {
			switch {
			case a.Status == dnsbl.Listed:
				c.problem(fmt.Errorf("%s: %s (%s)", addr, daemon.OwnListed, a.Zone))
			case a.Status == dnsbl.NotListed:
				c.note("%s is not on %s", addr, a.Zone)
			}
		}
	}
}
