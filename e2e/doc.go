// Package e2e shows the milter at work with real mail servers: Postfix and
// Sendmail, each in a box of its own, and the daemon as it is shipped. All of it
// is tests; what must pass is listed in matrix.txt.
package e2e
