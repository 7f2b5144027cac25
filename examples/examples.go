// Package examples holds the example configuration for the program itself, whose
// manual is made of it. The other examples are files to copy.
package examples

import _ "embed" // for the file

//go:embed config.toml
var config string

// Config is config.toml: every setting with its default and what it is for.
func Config() string { return config }
