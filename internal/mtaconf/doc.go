// Package mtaconf reads how the MTA of this host is set up, tells what of it
// matters to the milter, and writes the lines to add.
//
// Reading is tolerant and never complete: what cannot be asked is not spoken
// of. Findings come from settings by pure functions. The lines are data, in
// recipe.go, and each is one that the end-to-end tests run with real servers:
// for what they do not run there are words, and no lines. It changes no file
// and no server.
package mtaconf
