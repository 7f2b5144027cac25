// Package batv signs the envelope sender of outgoing mail and tells, when a
// bounce comes back to it, whether this site put the signature there.
//
// A signed sender carries a tag in its local part (Bounce Address Tag
// Validation, draft-levine-smtp-batv-01), in one of two layouts:
//
//	prvs=KDDDSSSSSS=local@example.com    LayoutPRVS, that of the draft
//	local+prvs=KDDDSSSSSS@example.com    LayoutSubaddress, for mail systems with a recipient delimiter
//
// K is the number of the key, DDD the low three digits of the day (since
// 1970-01-01, UTC) on which the tag expires, and SSSSSS the first three octets,
// in hex, of HMAC-SHA1(secret, KDDD + address). Exim and batv-tools make and
// read the same tags.
//
// # What is hashed
//
// Hops change the case of addresses, quote and unquote local parts, and turn
// domains from U-labels into A-labels. [Scheme.Sign] therefore hashes a
// canonical form: ASCII letters lower-cased, the domain as A-labels, the local
// part without quoting. The visible address is left exactly as it was written.
// [Scheme.Verify] tries the address as received, because other software hashes
// it so, and then the canonical form.
//
// # Expiry
//
// With a lifetime of L days, a tag signed on day S carries DDD = (S+L) mod 1000
// and is valid on day T when (DDD-T) mod 1000 is at most L+1. That is on the
// L+1 days from S to S+L and on day S-1, and on no other of the thousand days
// from S-1 to S+998. Day S-1 is the allowance for clocks: a bounce often comes back
// within a second, and near midnight UTC the host that judges it may still be
// on the day before. The far end needs no such allowance: a host whose clock is
// a day ahead merely ends a tag's life a day early, and lifetimes are chosen
// with days to spare. As a date has three digits only, a tag becomes valid
// again after 1000 days, unless its key has been retired meanwhile; so keys
// should be rotated.
//
// # Keys
//
// A [Keyring] holds up to ten keys for all domains, and up to ten more for each
// domain that has keys of its own. One key of a set signs, the others verify.
// A key with Retired in the past verifies until the last tag it signed has
// expired and counts as unknown from then on. To change keys without losing a
// bounce, add the next one with SignFrom a day ahead, so that every host has it
// when the first host signs with it, and give the present one that same moment
// as Retired: one change to the file, and all hosts switch together. [RotateKeyFile]
// does that.
//
// # What it refuses to be
//
// It is no policy: it says what a tag is worth, never what should become of the
// message. It keeps no state, reads no clock (callers pass the time) and opens
// no file other than the key file it is told to. It does not judge tags of
// other schemes (btv1, msprvs1, the layout of Cisco's gateways), whose hashes
// are not public, and never takes them off. Three octets of signature keep
// bounces of forged mail away; they are no proof of who wrote a message. It
// prints no secret: not in errors, not in logs.
package batv
