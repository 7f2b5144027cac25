// Package flood answers two questions about mail that nothing proves: is its
// source, its recipient or its subject blocked, because too much of it came,
// and is there a surge, in which it is better answered before its data?
//
//	f := flood.New(flood.Options{Rules: rules, Now: time.Now})
//	b, blocked := f.Blocked(client, recipient)   // at RCPT TO, before anything else
//	kind, surge := f.Surge(client, recipient)    // also at RCPT TO
//	s := f.Subject(decoded)                      // at the end of the headers
//	b, blocked = f.BlockedSubject(client, s)
//	f.Unproven(client, recipient)                // once a recipient, whatever its fate
//	f.UnprovenSubject(client, s)                 // once a notification
//	f.Proven(sender)                             // for the alarm
//
// What counts is the caller's to know: null-sender recipients that nothing
// proves, callouts and unknown users among them, but no receipts, reports or
// calendar replies. What was counted too early is taken back by Acquitted.
//
// # Counting
//
// Keys are client networks (/24 of IPv4, /64 of IPv6), recipients, pairs of
// client network and normalised subject, domains of recipients and, for proven
// bounces, senders. Events are not kept, only their number in each quarter of a
// window. The quarters of a key begin with its first event after a quiet window:
//
//   - never is a key taken to have more events than it had in the window;
//   - all events of the last three quarters of the window are counted, of the
//     oldest quarter all or none;
//   - the first window of a key that had been quiet is counted exactly.
//
// So a flood from a quiet source is cut off at the very event that is over the
// threshold, and one that comes steadily within a window and a quarter.
//
// One client network, or one recipient, makes up half of a domain's surge at
// most: what comes from a single source, or is aimed at a single victim, is
// that one's surge or block, and nobody else's bounces are put off for it.
//
// # Surges and blocks
//
// A surge ends by itself, when fewer than half the events are counted that began
// it, or with the block that it grows into. What comes in a surge counts on.
//
// A block lasts Rules.Block, and twice as long each time the key floods again,
// up to MaxBlock; it is forgotten MaxBlock after its end. What comes meanwhile
// counts for no key at all: it neither prolongs the block nor has others
// blocked. When the block ends the key starts from zero. (Events that other
// goroutines count at the very moment at which a block begins may be left.)
//
// # Bounds
//
// [Ceiling] is the memory of it all, whatever comes: small sites need a few
// kilobytes, and tables grow with the number of keys. At the ceiling the key
// with the fewest events of eight makes room for a new one (of several the one
// that has been quiet for longest). So E events in a window, from ever new keys
// on a table of N places, push out keys with some E/N events of their own: at
// 10,000 a second, keys with five events in two minutes. They never push out a
// block. The places of blocks are bounded, too: when they are taken, blocks that
// are over go first, and then the one that ends soonest, of the sixty-fourth
// part of all that the new one falls into; so bounded is also the memory of
// blocks that are over.
//
// Which keys share eight places depends on a secret: nobody can choose keys
// that push out, or are taken for, another's.
//
// # What a third party can achieve
//
// Whoever makes honest servers send bounces to us can have those servers'
// networks, and the recipients, blocked. What is lost then are bounces without
// proof, from that network or to that recipient, for the time of the block, and
// where the domain is not strict they are only put off. Bounces with a valid
// tag are never asked about here. Whoever shares a /24 or a /64 with a flood
// shares its block, under the same terms. Recipients that do not exist can be
// blocked, too, at no one's cost; they have places of their own, and push out
// no blocks of clients.
//
// # What it refuses
//
// It judges no message, refuses nothing itself, resolves nothing, keeps
// nothing on disk and has no goroutines. Its answers take no time to speak of
// and no allocation. A clock that is set back or forward does no harm: blocks
// and windows end early at worst.
package flood
