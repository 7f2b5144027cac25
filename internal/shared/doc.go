// Package shared has the daemons of several hosts act as one, through Redis or
// Valkey: what one has recorded, all can prove; a flood spread over them is one;
// a gap on one is a gap for all.
//
// Redis is a place where hosts leave word for each other, and is never asked
// while a message waits. Every host keeps all answers in its own memory and its
// own file, as it would alone. A [Link] tells the others what is new here, and
// takes in what is new there, ten times a second, in one pipeline.
//
// What is there, all under one hash tag, so that in a cluster it is in one slot
// and what belongs together stays in order:
//
//	{backscatter-milter}:site       string: the secrets that all share, set once
//	{backscatter-milter}:live       stream: news; ten minutes of them are kept
//	{backscatter-milter}:flood      stream: counts and blocks; a minute of them
//	{backscatter-milter}:hosts      hash: what each host says of itself
//	{backscatter-milter}:day:N      stream: fingerprints of sent mail of a day
//	{backscatter-milter}:grace:ID   hash: what a host knows of domains and keys
//
// Each has a time after which it goes by itself.
//
// An operation takes 200 ms at most; what is too large for that is asked for in
// smaller parts. When one fails the Link is away: it tells and asks nothing for a
// time that grows to five seconds, and the daemon goes on alone. Nothing is
// queued meanwhile, for when Redis is back host and store are compared as a
// whole, the latest first, while news go on: each takes in what it lacks and adds
// what is missing there, whether the store has kept its data, lost some or all.
// So it is, too, when the secrets are gone that are looked at with each exchange,
// when a connection has been replaced, and after a sleep of minutes.
//
// What is not known must never look like something that did not happen. Of each
// host it is known until when its news are complete. What came after is neither
// covered by the ledger nor, if it lasts, strict by grace; and nothing is, of a
// host by a clock that cannot be right, of one that could not be read, and of
// those for which there is no room. An entry that makes no sense is passed over,
// and its time in doubt.
//
// It refuses to be a cache or a database for its users, and to judge: what the
// records mean is the business of the packages that they belong to.
package shared
