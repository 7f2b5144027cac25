// Package grace keeps what a site knows of itself: which domains are its own,
// since when and how steadily their mail has been signed, by which keys, and
// whether anything shows that they send by other ways too. From that follows
// when a domain is strict: when the absence of a tag has come to mean that the
// mail was not ours.
//
// Everything errs on one side. Whatever is lost, forgotten, not known or put
// in doubt by a clock makes a domain less strict, never more: downtime, a
// clock that jumps, mail that went out unsigned are gaps, and after a gap a
// whole tag lifetime has to pass again.
//
// It is pure bookkeeping in bounded memory: it asks no network and no clock,
// judges no message and knows nothing of milters. Its records go to a narrow
// Store, which may be slow, dead or absent: nothing here waits for it.
package grace
