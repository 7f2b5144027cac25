// Package admin serves what is seen of the daemon from outside over HTTP: a
// status page for postmasters, the journal of decisions as JSON, metrics and
// health. It is read-only: nothing it serves changes the daemon.
//
// Off loopback every request but that for /healthz must bring the token. On loopback, where there may
// be none, the page and the journal are given only under the names of loopback,
// so that no web site can have a browser fetch them under a name of its own.
//
// The page asks nothing of anywhere else, and its security policy lets it not.
// What comes from mail is escaped where it is shown.
package admin
