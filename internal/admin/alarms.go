package admin

import (
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/journal"
)

// alarmTime is for how long an alarm shows that tells of a moment.
const alarmTime = 24 * time.Hour

// alarms fills in what a postmaster should see first.
func (v *view) alarms(j *journal.Journal) {
	v.alarmsOfMail(j)
	v.alarmsOfRecord()
	for _, z := range v.Status.Zones {
		if !z.Healthy && !z.Since.IsZero() {
			v.alarm("DNS list " + z.Zone + " is not used: " + z.Why)
		}
		if z.Own > 0 {
			v.alarm("DNS list " + z.Zone + " lists " + number(z.Own) + " of our own addresses.")
		}
	}
	if r := v.Status.Reload; r != nil && len(r.Errors) > 0 {
		v.alarm("The last reload failed, the settings from before are in force: " + strings.Join(r.Errors, "; "))
	}
}

func (v *view) alarm(text string) { v.Alarms = append(v.Alarms, text) }

// alarmsOfMail tells of mail that is lost, may come from a hacked account, or
// goes unsigned.
func (v *view) alarmsOfMail(j *journal.Journal) {
	var refused, proven uint64
	j.EachHour(v.Now.Add(-alarmTime), v.Now.Add(time.Hour), func(_ time.Time, k journal.Key, n uint64) {
		switch k.Event {
		case journal.EventTagRefused:
			refused += n
		case journal.EventAlarm:
			proven += n
		}
	})
	if refused > 0 {
		v.alarm("The MTA has refused " + number(refused) + " genuine bounces in the last 24 hours: it does not know its users by their tagged addresses.")
	}
	if proven > 0 {
		v.alarm(number(proven) + " times in the last 24 hours a sender of ours got many proven bounces: a hacked account, or a bad list. The log says who.")
	}
	if v.Status.Signing.Sign != "auto" {
		return
	}
	for _, d := range v.Status.Known {
		if d.Ours && d.Layout == "none" {
			v.alarm("Mail of " + d.Domain + " is not signed: the MTA refuses tagged recipients (" + d.Reply + ").")
		}
	}
}

// alarmsOfRecord tells what is wrong with how things are kept.
func (v *view) alarmsOfRecord() {
	switch s := v.Status.Store; {
	case s.Path == "":
		v.alarm("There is no store: what is learned is lost at a restart.")
	case s.Error != "":
		v.alarm("The store fails: " + s.Error)
	}
	if s := v.Status.Shared; s != nil && s.Away() {
		v.alarm("The shared store " + s.URL + " is away since " + s.Since.UTC().Format("2006-01-02 15:04") + " UTC, this host acts alone: " + s.Error)
	}
	if n := v.Journal.Corrupt; n > 0 {
		v.alarm(number(n) + " records of decisions could not be read at the start: the store is damaged, and what they held is missing here.")
	}
	if last := v.Journal.LastOverflow; v.Now.Sub(last) < alarmTime {
		v.alarm(number(v.Journal.Overflow) + " decisions came too fast to be kept here, the last at " + last.UTC().Format("2006-01-02 15:04") + " UTC; the log has them.")
	}
}
