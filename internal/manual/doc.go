// Package manual writes the manual pages: that of the commands from what
// --help shows of them, that of the configuration from the comments of
// examples/config.toml and from the keys that are read. Nothing is said here a
// second time, so a page cannot fall behind; what no other place has (files,
// signals, exit codes) stands in text.go.
//
// It knows of roff what man(7) pages need, and makes no others.
package manual
