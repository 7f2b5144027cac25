// Package dkim verifies DKIM signatures (RFC 6376, RFC 8463) over a header
// whose body is not at hand: that of a message which a bounce returned. It
// answers one question: did the holder of our domain's key sign these fields?
//
// The body hash, bh=, is itself signed and is taken as given: what the body was
// does not matter to who wrote the header. All else is as RFC 6376 says.
//
// # What bounces do to a header
//
// Line endings, LF, CR and CRLF, become CRLF. A first line that is no field (a
// postmark, a remark) is passed over. Fields that hops put on top do no harm,
// since h= takes fields from the bottom up; nor, with c=relaxed, does folding
// or another case of field names. Where lines that are no fields stand between
// fields, a second reading takes each as the rest of the line above it: text
// that was wrapped without indentation. That is all: of two readings at most
// one can verify, and each is tried once. A header that was changed in other
// ways, or one under c=simple that was folded anew, gives no opinion.
//
// No reading can make a forged header pass. A signature that verifies was made
// with our key over the very fields that were hashed, whatever was done to find
// them. What a forger could do is show the reader other fields than those: so a
// [Signature] carries the signed values, its user judges by those alone, and a
// From field that is not signed makes the signature worthless.
//
// # What a pass does not show
//
// A header that we once signed can be sent back by anybody who has seen it, any
// number of times. Such a replay reaches only the user whose mail it was, if
// the signed From is held against the notification's recipient, and only for
// some time, if the signed Date is held against the clock. Both are left to the
// user of this package. So is whether d= may speak for the From address: see
// [Signature.Aligned].
//
// The package refuses to hash bodies, to sign, to know which domains are ours,
// and to say what follows from its answer. It is not a verifier for incoming
// mail: testing keys (t=y) count like others, since what is asked is whether
// our key was used.
package dkim
