// Package mta sets up real mail servers for the end-to-end tests, each in a box
// of its own, as a site would: one domain, some users, a network that may send,
// and the milter. All mail that leaves them, local mail included, goes on by
// SMTP to one sink, where the tests look at it.
//
// The configurations are complete but small: they serve to show how the milter
// and a server work together, not how to run a mail server.
package mta
