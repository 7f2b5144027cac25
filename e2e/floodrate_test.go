//go:build linux

package e2e

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/mta"
	"github.com/backscatter-milter/backscatter-milter/e2e/internal/smtp"
)

func floodRateCases() []testCase {
	return []testCase{{name: "flood-rate", only: "postfix", settings: settings{top: "all_mail_here = true", tables: "[flood]\nblock = \"1h\"\nsurge = 1000000\n", prepare: signedFor(12 * 24 * time.Hour)}, run: floodRate}}
}

// Every client of a blocked network hears the refusal, however many come at once.
// How fast, beside users that Postfix does not know, with the milter and without
// one, is printed and not judged: the machine has other work. Each client
// connects, hears one refusal and leaves, as in a flood.
func floodRate(d *desk) {
	h := d.host(outsideClient)
	for i := range 401 {
		d.want(h.ask(fmt.Sprintf("alice+%d@example.com", i)), "250")
	}
	h.wantBlocked(alice, "550 5.7.1", tooMany)
	const rounds, each = 7, 300
	var toUnknown, toAlone []float64
	for range rounds {
		blocked := d.refusals(mta.Front, alice, "550 5.7.1", each)
		unknown := d.refusals(mta.Front, nobody, "550 5.1.1", each)
		alone := d.refusals(mta.FilteredBefore, nobody, "550 5.1.1", each)
		toUnknown, toAlone = append(toUnknown, blocked/unknown), append(toAlone, blocked/alone)
		d.Logf("refusals a second: blocked %.0f, unknown user %.0f, the same without a milter %.0f", blocked, unknown, alone)
	}
	slices.Sort(toUnknown)
	slices.Sort(toAlone)
	d.Logf("blocked to unknown: %.2f (%.2f to %.2f); without a milter: %.2f (%.2f to %.2f)", toUnknown[rounds/2], toUnknown[0], toUnknown[rounds-1], toAlone[rounds/2], toAlone[0], toAlone[rounds-1])
}

// refusals has many clients hear one each, eight at a time, and gives how many
// did so a second.
func (d *desk) refusals(door mta.Door, to, codes string, count int) float64 {
	d.Helper()
	var next atomic.Int64
	var wait sync.WaitGroup
	begun := time.Now()
	for range 8 {
		wait.Go(func() {
			for next.Add(1) <= int64(count) {
				if err := d.oneRefusal(door, to, codes); err != nil {
					d.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	return float64(count) / time.Since(begun).Seconds()
}

func (d *desk) oneRefusal(door mta.Door, to, codes string) error {
	var said smtp.Transcript // not of interest
	client, err := smtp.Dial(outsideClient, d.mta.Door(door), &said)
	if err != nil {
		return err
	}
	defer client.Close()
	for _, step := range []struct {
		do    func() smtp.Reply
		codes string
	}{{client.Hello, "250"}, {func() smtp.Reply { return client.Mail("") }, "250"}, {func() smtp.Reply { return client.Rcpt(to) }, codes}} {
		if reply := step.do(); !reply.Is(step.codes) {
			return fmt.Errorf("to <%s>: reply %q, want %s", to, reply, step.codes)
		}
	}
	return nil
}
