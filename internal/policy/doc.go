// Package policy decides what is done with a transaction: which kind it is,
// which recipients are judged, and, for each of these, the first reason that
// applies with the action that reason leads to.
//
// The whole policy is the one table in policy.go. A row is a reason; Facts
// answer what the rows ask, each fact found out once and only when a row asks
// for it; Judge walks the rows and is pure; Combine joins the fates of several
// recipients. Nothing here speaks to an MTA, logs, counts or waits: the milter
// package does the first, its observer the rest.
package policy
