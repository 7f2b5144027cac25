// Package control is how commands speak to the running daemon: over a unix
// socket that only the daemon's own user and root can open.
//
// A connection carries one request and its answer, each a line of JSON:
//
//	{"verb":"status"}
//	{"result":{...}}             or {"errors":["...","..."]}
//
// Requests are at most 8 MiB long, answers 4 MiB; a client has five seconds
// for its request and for taking its answer, and sixteen clients are served at
// once. So one that is stuck, or means harm, holds up nobody but other clients.
//
// It knows verbs as words only: what they do is the daemon's affair. It is no
// interface for other programs, and promises nothing beyond one version.
package control
