// Package ledger remembers what this site has sent, so that a notification
// about a message can be told from one about a forgery. A message leaves a few
// fingerprints: of its sender with its Message-ID, with the MTA's queue id, with
// each recipient's address and domain. Questions are answered from memory.
//
// A fingerprint is 64 bits wide: three name the kind, so that kinds never meet,
// and 61 are of SipHash-2-4 under a secret of the store. With n entries of a
// kind the chance that a question is answered yes by accident is n / 2^61: with
// ten million of them one in 2.3e11. No address is kept, only the names of our
// own domains. The secret lies beside the fingerprints: who holds the store can
// try whether an address that he guesses is in it, but cannot list any.
//
// Nobody who records waits: fingerprints go into a bounded queue, one goroutine
// takes them into the index and hands them to the store, a record for what has
// gathered in 250 ms, in a bucket for each day (UTC). After the lifetime the
// bucket is dropped. A crash loses less than a second.
//
// That something is not in the ledger means something only for times when it
// was kept. So the ledger knows its own gaps, with dates: downtime (from a
// heartbeat that is written each minute), a queue or a store that overflowed,
// days that had to leave, records that cannot be read, a clock that jumped.
// Covers answers for a time, and errs on the side of no.
//
// It refuses to judge: what an entry or its absence proves is its user's
// business. It asks no network, and knows nothing of messages or milters.
package ledger
