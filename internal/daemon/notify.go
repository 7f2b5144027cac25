package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// What systemd is told, or whatever else has set NOTIFY_SOCKET: sd_notify(3).
// Where nothing has, nothing is told.

// tell sends what the daemon does now, and a line on it for systemctl status.
func (d *daemon) tell(state, status string) {
	status = strings.Join(strings.Fields(status), " ") // a line break would begin another variable
	if _, err := systemd.SdNotify(false, state+"\nSTATUS="+status); err != nil {
		d.live.Log().Failed("notify systemd", err)
	}
}

func (d *daemon) tellReady() {
	if r := d.reloaded.Load(); r != nil && len(r.Errors) > 0 {
		d.tell(systemd.SdNotifyReady, "Not reloaded, the settings from before are in force: "+r.Errors[0])
		return
	}
	d.tell(systemd.SdNotifyReady, "Serving with "+d.current().from)
}

func (d *daemon) tellReloading() {
	d.tell(systemd.SdNotifyReloading+"\n"+strings.TrimSpace(systemd.SdNotifyMonotonicUsec()), "Loading configuration and keys anew")
}

func (d *daemon) tellStopping() {
	d.tell(systemd.SdNotifyStopping, "Finishing messages that are under way")
}

// watch tells systemd again and again that the daemon is well, if systemd wants
// to know (WatchdogSec=): as long as its milter listeners answer. It ends with
// ctx. What could not be asked to begin with, such as a socket that this user
// may not write to, is not asked later.
func (d *daemon) watch(ctx context.Context) {
	limit, err := systemd.SdWatchdogEnabled(false)
	if err != nil {
		d.live.Log().Failed("watchdog", err)
	}
	if limit <= 0 || err != nil {
		return
	}
	pause := limit / 3 // so that one late answer is forgiven
	var asked []net.Addr
	for _, l := range d.mail {
		a := reachable(l.Addr())
		if err := d.answers(a, pause); err != nil {
			d.live.Log().Warn("the watchdog does not watch a listener that the daemon cannot reach itself", "address", mtaAddress(a), "error", err)
			continue
		}
		asked = append(asked, a)
	}
	for tick := time.NewTicker(pause); ; {
		d.beat(asked, pause)
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return
		}
	}
}

// beat tells systemd that the daemon is well, or the log why it does not.
func (d *daemon) beat(asked []net.Addr, patience time.Duration) {
	var all error
	for _, a := range asked {
		if err := d.answers(a, patience/time.Duration(len(asked))); err != nil {
			all = errors.Join(all, fmt.Errorf("%s: %w", mtaAddress(a), err))
		}
	}
	if all == nil {
		_, all = systemd.SdNotify(false, systemd.SdNotifyWatchdog)
	}
	if all != nil {
		d.live.Log().Error("the daemon does not answer itself; if that lasts, systemd starts it again", "error", all)
	}
}

// answers asks a milter listener of the daemon's own as an MTA does, and goes
// away. One that has as many connections as it may answers nobody and is well.
func (d *daemon) answers(a net.Addr, patience time.Duration) error {
	if d.server.Connections() >= d.begun.MaxConnections {
		return nil
	}
	conn, err := net.DialTimeout(a.Network(), a.String(), patience)
	if err != nil {
		return err
	}
	mta := mtatest.Client{Offer: mtatest.PostfixOffer(), Timeout: patience}
	return errors.Join(mta.Reset(conn), conn.Close())
}
