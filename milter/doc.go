// Package milter is the MTA's side of the daemon: it listens for Postfix and
// Sendmail, guards the process against what a peer may send, and turns the
// events of the milter protocol into the questions of package policy and its
// answers into replies and changes of the message.
//
// It is the only package that imports go-milter, and it decides nothing about
// mail by itself. Its exported names are public by the layout of the project,
// without a promise that they stay.
package milter
