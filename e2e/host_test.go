//go:build linux

package e2e

import (
	"fmt"
	"strings"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/smtp"
)

// host sends bounces from one address, a few on each connection.
type host struct {
	*desk
	address string
	client  *smtp.Client
	left    int // messages on this connection
}

func (d *desk) host(address string) *host { return &host{desk: d, address: address} }

// manyHosts gives the i-th of many hosts, each in a network of its own.
func (d *desk) manyHosts(i int) *host { return d.host(fmt.Sprintf("198.18.%d.1", i)) }

func (h *host) connection() *smtp.Client {
	if h.left == 0 {
		const perConnection = 10 // servers hang up on those who hear "no" too often
		if h.client != nil {
			h.client.Close()
		}
		h.client, h.left = h.connect(h.address), perConnection
	}
	h.left--
	return h.client
}

// bring sends one message and gives the first refusal, or the answer to it.
func (h *host) bring(from, to, message string) smtp.Reply {
	client := h.connection()
	reply := firstRefusal(client, from, to, message)
	if !reply.Is("250") {
		client.Do("RSET")
	}
	return reply
}

// bounces brings so many of them, all with one subject but for its numbers, and
// wants each delivered as one that has no tag.
func (h *host) bounces(count int, to ...string) {
	h.Helper()
	for i := range count {
		h.want(h.bring("", to[i%len(to)], h.about(i)), "250")
	}
	for range count {
		h.wantMark(h.claim(), "mark", "tag-missing", "unknown")
	}
}

// ask asks for a recipient, as somebody does who wants to know whether it exists.
func (h *host) ask(to string) smtp.Reply {
	client := h.connection()
	h.want(client.Mail(""), "250")
	reply := client.Rcpt(to)
	client.Do("RSET")
	return reply
}

// about is a bounce of one flood.
func (d *desk) about(i int) string {
	return strings.Replace(d.bounce(), "Undelivered Mail Returned to Sender",
		fmt.Sprintf("Mail 4TabcD%d for user%d@example.net could not be delivered", 70000+i, i), 1)
}

// wantBlocked wants a bounce refused at RCPT TO because of a flood.
func (h *host) wantBlocked(to, codes, text string) {
	h.Helper()
	client := h.connection()
	h.want(client.Mail(""), "250")
	reply := client.Rcpt(to)
	h.want(reply, codes)
	if !strings.HasSuffix(string(reply), text) { // Sendmail puts the recipient before it
		h.Errorf("reply %q, want %q", reply, text)
	}
	client.Do("RSET")
}

// wantUntouched wants a bounce without a tag, one with a tag and ordinary mail
// to be treated as if there were no flood.
func (h *host) wantUntouched(to string) {
	h.Helper()
	h.want(h.bring("", to, h.bounce()), "250")
	h.wantMark(h.claimFor(to), "mark", "tag-missing", "unknown")
	h.wantProvenAndOrdinary(to)
}

func (h *host) wantProvenAndOrdinary(to string) {
	h.Helper()
	h.want(h.bring("", h.tag(to), h.about(1)), "250")
	h.wantMark(h.claimFor(to), "accept", "tag-valid", "tag")
	h.want(h.bring(stranger, to, h.ordinary(stranger, to)), "250")
	h.wantNoMark(h.claimFor(to))
}

func (d *desk) wantBlocks(kind string, want float64) {
	d.Helper()
	if v, err := d.daemon.Metric(fmt.Sprintf("backscatter_flood_blocks{kind=%q}", kind)); err != nil || v != want {
		d.Errorf("backscatter_flood_blocks of a %s: %v, %v; want %v", kind, v, err, want)
	}
}

// wantStatus wants a line of the status to begin with a key and to have a state.
func (d *desk) wantStatus(key, state string) {
	d.Helper()
	status, err := d.daemon.Status()
	if err != nil {
		d.Error(err)
	}
	for line := range strings.Lines(status) {
		if strings.HasPrefix(line, key+" ") && strings.Contains(line, state) {
			return
		}
	}
	d.Errorf("no %q in state %q in the status:\n%s", key, state, status)
}

func (d *desk) unblock(key string) {
	d.Helper()
	if out, status, err := d.daemon.Asking("unblock", key); err != nil || status != 0 || !strings.HasPrefix(out, "unblocked ") {
		d.Fatalf("unblock %q: status %d, %v\n%s", key, status, err, out)
	}
}
