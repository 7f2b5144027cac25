package origin

import (
	"fmt"
	"strings"

	"github.com/backscatter-milter/backscatter-milter/classify"
)

// maxIDs is how many ids of a notification are looked up.
const maxIDs = 100

// messageIDs lists the ids that the original may have, its own first. Of long
// References the ends count: what is answered stands last, what began it first.
func messageIDs(r *classify.Result) []string {
	var ids []string
	for _, list := range [][]string{{r.Original.MessageID}, r.OriginalMessageIDs, r.InReplyTo, ends(r.References)} {
		for _, id := range list {
			if id != "" && len(ids) < maxIDs {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

func ends(list []string) []string {
	const half = maxIDs / 4
	if len(list) <= 2*half {
		return list
	}
	return append(append([]string(nil), list[len(list)-half:]...), list[:half]...)
}

// recorded: the notification's recipient sent a message of that id.
func (f *Finder) recorded(q Question) Finding {
	for _, id := range messageIDs(q.Message) {
		if what := f.onRecord(q.Recipient, id); what != "" {
			return Finding{Ledger, fmt.Sprintf("%s of %.200q", what, id)}
		}
	}
	return Finding{}
}

// onRecord tells by what the address is known to have sent a message of that
// id, "" if it is not: by the id, or by the queue id of which the MTA made one.
// That names no host, which a forger could write as well.
func (f *Finder) onRecord(address, id string) string {
	switch word := queueID(id); {
	case address == "" || id == "":
		return ""
	case f.o.Record.Sent(address, id):
		return "message-id"
	case word != "" && f.o.Record.Queued(address, word):
		return "queue id"
	}
	return ""
}

// queueID is the word of an id that may be a queue id, as in
// <20261121100001.4TabcD77777@mail.example.com> of Postfix and
// <202611211000.5ALA01Bd012345@mail.example.com> of Sendmail. Postfix has some
// as short as six octets.
func queueID(id string) string {
	const shortest, longest = 6, 32
	local, _, ok := strings.Cut(strings.Trim(id, "<>"), "@")
	word := local[strings.LastIndexByte(local, '.')+1:]
	if !ok || len(word) < shortest || len(word) > longest {
		return ""
	}
	return word
}

// correspondent: a notification that names no original is from, or about, an
// address that its recipient wrote to.
func (f *Finder) correspondent(q Question) Finding {
	if len(messageIDs(q.Message)) > 0 {
		return Finding{}
	}
	for _, address := range f.outside(append(reported(q.Message), q.Reporters...)) {
		if f.o.Record.Wrote(q.Recipient, address) {
			return Finding{Correspondent, "the recipient wrote to an address that it names"}
		}
	}
	return Finding{}
}

// reported lists the addresses that the notification is about.
func reported(r *classify.Result) []string {
	var list []string
	for _, r := range r.Recipients {
		list = append(list, r.Final, r.Original)
	}
	return list
}

// maxPartners is how many addresses of a notification are looked up.
const maxPartners = 50

// outside leaves of a list the addresses that are not ours. Everybody writes to
// himself and to his own people, so that these tell nothing, and the forger
// needs to know nothing to name them.
func (f *Finder) outside(list []string) []string {
	var outside []string
	for _, address := range list {
		if len(outside) == maxPartners {
			break
		}
		if domain := domainOf(address); domain != "" && !f.o.Ours(domain) {
			outside = append(outside, address)
		}
	}
	return outside
}
