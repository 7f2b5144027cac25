package milter

import (
	"fmt"
	"strings"

	"github.com/d--j/go-milter"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// changes makes the changes of one message. A change that the MTA did not
// offer, or that fails, is counted and the message goes on.
type changes struct {
	m        milter.Modifier
	observer Observer
}

func (c changes) note(what string, err error) bool {
	if err != nil {
		c.observer.Failed(what, err)
	}
	return err == nil
}

// dropHeaders removes the verdict headers that an untrusted client brought,
// from the last to the first because removing one renumbers those after it. On
// top of what are too many it puts one that says nothing: only the topmost is to
// be believed.
func (c changes) dropHeaders(t *transaction) {
	if !t.dropsHeaders() {
		return
	}
	if t.brought > maxBrought {
		c.note("remove header", fmt.Errorf("%d fields named %s, only the first %d are removed", t.brought, policy.HeaderName, maxBrought))
		defer func() { c.note("add header", c.m.InsertHeader(1, policy.HeaderName, policy.HeaderUnknown)) }()
	}
	for i := min(t.brought, maxBrought); i > 0; i-- {
		if !c.note("remove header", c.m.ChangeHeader(i, policy.HeaderName, "")) {
			return
		}
	}
}

// untag puts plain addresses in place of tagged recipients, with their ESMTP
// parameters. All forms of a user are deleted before the plain one is added:
// Sendmail resolves them to one mailbox, so that it drops an added recipient
// that it has already, and deletes every form of one; Postfix would deliver to
// each form. A user who is there in a settled form stays. It reports whether every
// recipient is still there.
func (c changes) untag(t *transaction) bool {
	const both = milter.OptRemoveRcpt | milter.OptAddRcpt
	if !t.tagged() {
		return true
	}
	if c.m.Actions()&both != both {
		c.note("change recipient", milter.ErrModificationNotAllowed)
		return true
	}
	users := t.taggedUsers()
	settled := make(map[string]bool)
	for _, r := range t.recipients {
		if r.settled() {
			settled[r.user()] = true
		} else if users[r.user()] != nil && !c.note("delete recipient", c.m.DeleteRecipient(r.facts.Address)) {
			return false
		}
	}
	for _, r := range t.recipients { // in their order
		if users[r.user()] == r && !settled[r.user()] && !c.add(r) {
			return false
		}
	}
	return true
}

// taggedUsers picks the recipient to add for each user of whom a tagged form
// was given: the plain form, if it was given, too, else the first.
func (t *transaction) taggedUsers() map[string]*recipient {
	users := make(map[string]*recipient)
	for _, r := range t.recipients {
		if r.plain != "" && users[r.user()] == nil {
			users[r.user()] = r
		}
	}
	for _, r := range t.recipients {
		if r.plain == "" && users[r.user()] != nil {
			users[r.user()] = r
		}
	}
	return users
}

// settled reports whether the MTA holds the recipient to be a local user with a
// sub-address of its own, "alice+lists", and no tag is left, because there was
// none or the MTA took it off. Such a recipient Sendmail keeps twice, as it is
// and as the user: it would delete the one, take an added one for the other, and
// deliver to neither.
func (r *recipient) settled() bool {
	local, _, _ := strings.Cut(r.address(), "@")
	return strings.Contains(local, "+") && strings.EqualFold(r.resolved, local)
}

// user is what the forms of one recipient have in common.
func (r *recipient) user() string {
	return strings.ToLower(r.address())
}

// address is the recipient's plain address.
func (r *recipient) address() string {
	if r.plain != "" {
		return r.plain
	}
	return r.facts.Address
}

// add adds a recipient by its plain address, without its ESMTP parameters
// where the MTA takes none from milters.
func (c changes) add(r *recipient) bool {
	args := r.args
	if c.m.Actions()&milter.OptAddRcptWithArgs == 0 {
		args = ""
	}
	return c.note("add recipient", c.m.AddRecipient(r.address(), args))
}

// sign puts the signed reverse-path in place of the sender's; its ESMTP
// parameters stay as they are.
func (c changes) sign(t *transaction) {
	address := t.signed()
	if address == "" {
		return
	}
	if !c.note("change sender", c.m.ChangeFrom(address, "")) {
		t.sign.sent = policy.Sent{Sender: t.sign.sent.Sender, Result: policy.NotPossible}
	}
}

// mark adds the verdict header, and holds the message where the verdict wants
// it in quarantine.
func (c changes) mark(t *transaction, v policy.Verdict) {
	if !v.Decided() {
		return
	}
	if v.Effective() == config.ActionQuarantine {
		c.note("quarantine", c.m.Quarantine("backscatter-milter: "+string(v.Reason)))
	}
	c.note("add header", c.m.InsertHeader(1, policy.HeaderName, v.Header(t.server.ids.format(t.id))))
}
