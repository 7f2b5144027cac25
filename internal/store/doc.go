// Package store keeps small records in one file, so that what the daemon has
// learned outlives it. The file is a bbolt database with a stamp that tells it
// from other people's; records live in named buckets.
//
// Nobody who writes waits for the disk: a record goes into a bounded queue in
// which a newer value takes the place of an older one, and one goroutine
// commits the queue at most every 250 ms. A crash loses what came after the
// last commit, which is well under a second. While the disk is full or
// refuses, the queue is kept, retried and counted; the daemon works on from
// memory. Optional records go last, by themselves, and are dropped where they
// cannot be written.
//
// It refuses to be a general database: there are no transactions for its
// users, no queries and no reads in the reply path of a message. What a record
// means is its user's business. It never deletes a file that it cannot read:
// that one is set aside under another name.
package store
