// Package origin answers one question about a notification: did this site send
// the message it is about? It weighs what the returned header says against what
// the site knows: the ledger of what was sent, and the DKIM keys of its domains.
//
// Evidence for "ours" is tied to the notification's recipient: that somebody
// else here sent a message of that id proves nothing. What proves is public to
// whom the recipient writes, list archives included: who knows an id, or has
// kept a signed header, can make a notification that passes for one about it.
// It reaches no user but the one who wrote, or with DKIM one of his domain, and
// only until the record forgets.
//
// Evidence for "foreign" is an absence. It counts only where the record was
// kept when the message is dated, and the id came back as it was; and not where
// anything hints at a way around the record: mail that passed a host of ours,
// as the expansion of an alias does, under a sender whom nobody recorded, or
// whose id a later hop replaced. Such hints are easily forged, so they prove
// nothing: the answer is then Unknown. So it is for whatever cannot be known,
// because the network, the store or the returned header fails.
//
// Addresses are compared as the ledger does: in lower case, domains as
// A-labels. Sub-addresses are addresses of their own: a bounce returns to the
// reverse-path, which was recorded in full.
//
// It refuses to say what follows from the answer, and to read tags in
// addresses, which are proof before any of this is asked.
package origin
