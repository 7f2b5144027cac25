// Package arch is the shape of this module, written down as tests: which
// package may import which, and what every source file keeps to.
//
// It holds no code. The rules are the tables of rules_test.go; `go test
// ./internal/arch` compares them with the tree. It refuses to judge what only a
// reader can: whether a name is good, or a package the right home.
package arch
