// Package spf asks one question of a domain's SPF record (RFC 7208): may
// anybody but this site send for it? If nobody may, mail that did not pass
// through here was not the domain's.
//
// It reads the record as a statement of its owner, not as a receiver checks a
// message: every host, network or name that could get "pass" counts, and "?",
// which asserts nothing, counts like it except before "all". Whatever cannot
// be told beforehand (exists, ptr, macros) or is in error counts as somebody
// else, since the answer makes mail refused.
//
// It refuses to check messages, and to know what follows from its answer.
package spf
