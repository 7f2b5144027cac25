// Package journal keeps the last decisions with all that explains them, and
// counts of every hour, for the status page and for reports.
//
// Nobody who adds waits: entries go into a bounded queue, and one goroutine
// takes them into memory and hands them to the store, a record for what has
// gathered in 100 ms, the counts each second. A crash loses little more than a
// second. In the store all else goes before. What it cannot take, or cannot give
// back, is counted, and the journal goes on from memory.
//
// It is bounded in entries, octets and age. Refusals and the rest have quotas of
// their own, so that much accepted mail does not push a refusal out; what the
// one does not use the other may. A flood
// does not push out what was before it, either: with one reason and outcome, and
// of one client network with these, only so many entries are kept in an hour, and
// then one a second, which says how many of its network were merely counted. The
// counts of the hours know of all.
//
// It keeps what it is given: how far addresses are shown is decided before. Text
// is bounded, and what would not be seen, or would change how the rest is seen
// (control and format characters, such as those that turn the direction of
// writing), is made visible.
//
// It refuses to judge, to know messages, and to be the log: that one has every
// decision.
package journal
