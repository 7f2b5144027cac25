// Package smtp holds both ends of the mail that the end-to-end tests send
// through a mail server: a client that says exactly what a test tells it to,
// from any address, and a server that keeps what reaches it.
//
// Neither helps or forgives: the client sends wrong commands as readily as
// right ones, and neither is fit for real mail.
package smtp
