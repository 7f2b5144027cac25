// Package classify tells what a message is: ordinary mail, or a notification
// that a machine sent about another message (a bounce, an automatic reply, a
// challenge, a receipt, a report ...), and what such a notification says of the
// message it is about.
//
// A [Scanner] is fed as a milter is: header fields one by one, then the body in
// chunks. After the header it can already say that a message cannot be a
// notification, so that ordinary mail costs no more than its header.
// [Classify] does the same for messages in files.
//
// What is known of single programs and languages is data: the tables in the
// folder rules, which [ParseRules] reads and [Options] can replace. Most rows
// are phrases; those of sentences.tsv know what automatic replies and challenges
// say in whatever words, from single words of many languages.
//
// The package looks nothing up, keeps no state between messages, and does not
// judge: whether the original is ours, and what to do about it, others decide.
// It never fails on what a message holds; any bytes have a class.
package classify
