// Package probe asks this site's own MTA whether mail to a tagged address would
// reach its user: only then may reverse-paths be signed. It speaks SMTP as far
// as RCPT TO and never sends a message.
//
// The MTA shows the question to this milter, too, as mail with a null sender.
// What arrives in the milter of a connection is the client's address, its HELO
// (which is negotiated away) and the recipient; behind address translation the
// client's address says nothing. So the recipient identifies the question:
// [Prober.IsOwn] knows the addresses that are being asked for right now. The
// caller makes them so that no message of the world bears them, by signing as
// of tomorrow: such a tag is valid today, by the day of skew that verifying
// allows, but not in circulation before tomorrow.
//
// It refuses to be a mail client and to know what a tag is: tagged addresses
// are passed in. A target that hangs, lies or floods costs bounded time and
// memory and leaves the answer unknown.
package probe
