package policy

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/internal/dnsbl"
)

// Lists asks DNS lists about clients. Start does not wait, and a question that
// was started is answered in bounded time whether anybody waits for it or not.
type Lists interface {
	Start(client netip.Addr) dnsbl.Question
}

// longestWait is how long a message waits for lists at the most, whatever the
// timeout of a zone: an MTA gives a milter up after ten seconds where it is set
// up as documented. The question goes on, so that the answer is there when the
// message comes again.
const longestWait = 5 * time.Second

// listing is what DNS lists say of a message's client.
type listing struct {
	question dnsbl.Question
	asked    bool
	result   dnsbl.Result
	known    bool
}

// lookUp has the DNS lists asked about the client, once. Listed are servers that
// send good mail, too: they are asked for null senders only, and never about
// relays of ours, which bring everybody's mail.
func (m *Message) lookUp() {
	s := m.settings
	if m.listing.asked || s.lists == nil || m.Kind != InboundNull || s.config.InboundRelays.Contains(m.client.Addr) {
		return
	}
	m.listing.asked, m.listing.question = true, s.lists.Start(m.client.Addr)
}

// listed is the lists' answer, waited for.
func (m *Message) listed() dnsbl.Result {
	if !m.listing.known {
		m.lookUp()
		m.listing.known = true
		ctx, cancel := context.WithTimeout(context.Background(), m.settings.patience)
		defer cancel()
		m.listing.result = m.listing.question.Wait(ctx) // which a zone's timeout ends before, as shipped
	}
	return m.listing.result
}

// listed: the client is on a DNS list, and the message of a class that its like
// send by mistake. Nobody waits for the lists before the end of the message.
func (f *Facts) listed() Answer {
	switch f.message.class {
	case "":
		return Later
	case classify.DSN, classify.Bounce, classify.AutoReply, classify.Challenge, classify.VirusNotice:
	default:
		return No
	}
	switch {
	case f.foreignTag():
		return No
	case f.stage < AtEOM:
		return Later
	}
	return answer(f.message.listed().Status == dnsbl.Listed)
}

// spoke reports whether the lists were asked and waited for.
func (l listing) spoke() bool { return l.known && l.result.Status != dnsbl.NotAsked }

// describe tells what the lists said: "listed(ips.backscatterer.org)", or why
// they gave no opinion.
func (l listing) describe() string {
	r := l.result
	if r.Status != dnsbl.Listed {
		return r.Status.String()
	}
	var zones []string
	for _, a := range r.Answers {
		if a.Status == dnsbl.Listed {
			zones = append(zones, a.Zone)
		}
	}
	return "listed(" + strings.Join(zones, ",") + ")"
}
